//! What MongoDB's clients ask, on the metrics page.

use crate::{
    control::Gateway,
    telemetry::{BOUNDS_MICROS, Durations},
};
use std::{collections::BTreeMap, fmt::Write, sync::atomic::Ordering};

/// The numbers of one pair of a command and a database, over all shards.
#[derive(Default)]
struct Sum {
    commands: u64,
    errors: u64,
    durations: Durations,
}

/// Appends the metrics in the text format of Prometheus; nothing where nothing was counted.
pub(super) fn append(gateway: &Gateway, text: &mut String) {
    let sums = sums(gateway);
    if sums.is_empty() {
        return;
    }
    let (commands, errors) = ("sluicegate_mongo_commands_total", "sluicegate_mongo_errors_total");
    let heading = |text: &mut String, name: &str, kind: &str, help: &str| {
        // Writing to memory can't fail, here and below.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    };
    heading(text, commands, "counter", "Commands that MongoDB's clients sent.");
    for (labels, sum) in &sums {
        let _ = writeln!(text, "{commands}{{{labels}}} {}", sum.commands);
    }
    heading(text, errors, "counter", "Commands of MongoDB's clients that were answered with an error.");
    for (labels, sum) in &sums {
        let _ = writeln!(text, "{errors}{{{labels}}} {}", sum.errors);
    }
    let name = "sluicegate_mongo_duration_seconds";
    heading(text, name, "histogram", "Until the first answer to a command of MongoDB's clients came.");
    for (labels, Sum { durations, .. }) in &sums {
        let bounds = BOUNDS_MICROS.iter().map(|micros| (*micros as f64 / 1e6).to_string());
        for (bound, at_most) in bounds.chain(["+Inf".to_owned()]).zip(durations.at_most) {
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {at_most}");
        }
        let count = durations.at_most.last().copied().unwrap_or_default();
        let seconds = durations.sum_micros as f64 / 1e6;
        let _ = writeln!(text, "{name}_sum{{{labels}}} {seconds}\n{name}_count{{{labels}}} {count}");
    }
}

/// By labels.
fn sums(gateway: &Gateway) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for shard in &gateway.shards {
        shard.handle.counters.mongo.each(|command, database, slot| {
            let sum = sums.entry(format!("command=\"{command}\",database=\"{database}\"")).or_default();
            sum.commands += slot.commands.load(Ordering::Relaxed);
            sum.errors += slot.errors.load(Ordering::Relaxed);
            slot.durations.add_to(&mut sum.durations);
        });
    }
    sums
}
