//! What a line of the access log costs: Istio's text by its own code and by its format string, JSON, other presets, and none.

#[path = "common/lines.rs"]
mod lines;

use divan::Bencher;
use lines::{log, record};
use sluicegate::telemetry::{Format, ISTIO_TEXT, LogChoice, Preset, Record};

fn main() {
    divan::main();
}

fn run(bencher: Bencher<'_, '_>, format: Option<Format>, condition: Option<&str>, choice: LogChoice) {
    let log = log(format, condition);
    let record = Record { choice, ..record() };
    bencher.bench_local(|| {
        // As the data path asks it.
        if log.is_on() {
            log.write(divan::black_box(&record), &());
        }
    });
}

#[divan::bench]
fn istio_by_its_own_code(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Format::istio()), None, LogChoice::Usual);
}

#[divan::bench]
fn istio_by_its_format_string(bencher: Bencher<'_, '_>) {
    run(bencher, Format::text(ISTIO_TEXT, false).ok(), None, LogChoice::Usual);
}

#[divan::bench]
fn json(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Preset::Json.format()), None, LogChoice::Usual);
}

#[divan::bench]
fn combined(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Preset::Combined.format()), None, LogChoice::Usual);
}

#[divan::bench]
fn httplog(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Preset::Httplog.format()), None, LogChoice::Usual);
}

#[divan::bench]
fn left_out_by_a_condition(bencher: Bencher<'_, '_>) {
    let condition = "response.code >= 400 || request.headers['x-debug'] == '1'";
    run(bencher, Some(Format::istio()), Some(condition), LogChoice::Usual);
}

#[divan::bench]
fn left_out_by_the_route(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Format::istio()), None, LogChoice::Off);
}

#[divan::bench]
fn off(bencher: Bencher<'_, '_>) {
    run(bencher, None, None, LogChoice::Usual);
}
