//! The pure modules take no more instructions than the committed baseline says: `cargo test --test instructions`.
//!
//! - `taking`: builds the cases of `benches/instructions`, runs them under callgrind, reads the counts
//! - `baseline`: `benches/baseline.json`, and what counts depend on beside the code
//! - `compare`: which case is too far from its baseline, as a table
//!
//! `benches/README.md` says how to read and to renew it.

// A test that can't go on has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

mod baseline;
mod compare;
mod taking;

use baseline::{Baseline, MadeWith};
use std::{env, path::Path};

/// Set by `benches/renew`: what is counted becomes the baseline.
const RENEW: &str = "SLUICEGATE_RENEW_COUNTS";
/// Set where tests are run once more on another driver, which no pure module knows of.
const DRIVER: &str = "SLUICEGATE_TEST_DRIVER";

#[test]
fn no_case_is_far_from_its_baseline() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/baseline.json");
    let renews = env::var_os(RENEW).is_some();
    if env::var_os(DRIVER).is_some() && !renews {
        return println!(
            "left out: instructions do not depend on {DRIVER}, and are counted in the run without it"
        );
    }
    if let Err(why) = taking::valgrind() {
        assert!(!renews, "{why}");
        return println!("skipped: {why}");
    }
    let mut here = MadeWith::here();
    let known = if renews { None } else { Some(Baseline::read(&path)) };
    // What can be known before anything is built.
    if let Some(other) = known.as_ref().and_then(|known| known.made_with.differs(&here)) {
        return println!("skipped: {other}");
    }
    let taken = taking::take();
    here.cpu = Some(taken.cpu);
    let Some(known) = known else {
        let renewed = Baseline { made_with: here, instructions: taken.counts };
        return renewed.write(&path);
    };
    if let Some(other) = known.made_with.differs(&here) {
        return println!("skipped: {other}");
    }
    let rows = compare::rows(&known.instructions, &taken.counts);
    print!("{}", compare::table(&rows, |_| true));
    let far = rows.iter().filter(|row| row.finding().is_some()).count();
    assert!(
        far == 0,
        "{far} of {} cases are not as in benches/baseline.json:\n{}\n{}",
        rows.len(),
        compare::table(&rows, |row| row.finding().is_some()),
        "Where that is meant, benches/renew writes the counts of now: commit them with the change. A profile of each case is in \
         target/instructions (callgrind_annotate)."
    );
}
