//! The cases of the pure modules whose instructions are counted.
//!
//! Run by itself it does the work and prints the names; `cargo test --test instructions` runs it under callgrind and compares
//! the counts with `benches/baseline.json`. An argument chooses the cases that have it in their names. What a case works on
//! is shared with the benchmarks of time, in `benches/common/`.

mod access_log;
mod authorization;
mod balance;
mod harness;
mod headers;
mod http1;
mod http2;
mod limits;
mod routing;
mod tokens;

use harness::Harness;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // The CPU that valgrind emulates has what the host's has of this, and the libraries choose their code by it.
    println!("# cpu {}", cpu());
    let harness = Harness::new(std::env::args().nth(1));
    http1::run(&harness);
    headers::run(&harness);
    routing::run(&harness);
    balance::run(&harness);
    access_log::run(&harness);
    http2::run(&harness);
    limits::run(&harness);
    authorization::run(&harness);
    tokens::run(&harness);
}

#[cfg(target_arch = "x86_64")]
fn cpu() -> String {
    let has = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("adx", is_x86_feature_detected!("adx")),
        ("sha", is_x86_feature_detected!("sha")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    has.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join("+")
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu() -> String {
    "any".to_owned()
}
