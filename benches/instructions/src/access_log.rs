//! One line of the access log.

use crate::harness::Harness;
use lines::{log, record};
use sluicegate::telemetry::{Format, ISTIO_TEXT, Preset};
use std::hint::black_box;

#[path = "../../common/lines.rs"]
mod lines;

/// Full chunks are taken away once in so many lines, which is part of what a line costs.
const LINES: usize = 1000;

pub(crate) fn run(harness: &Harness) {
    line(harness, "access_log.istio", Some(Format::istio()), None);
    line(harness, "access_log.istio.format_string", Format::text(ISTIO_TEXT, false).ok(), None);
    line(harness, "access_log.json", Some(Preset::Json.format()), None);
    line(harness, "access_log.combined", Some(Preset::Combined.format()), None);
    let condition = "response.code >= 400 || request.headers['x-debug'] == '1'";
    line(harness, "access_log.condition", Some(Format::istio()), Some(condition));
    line(harness, "access_log.off", None, None);
}

fn line(harness: &Harness, name: &str, format: Option<Format>, condition: Option<&str>) {
    let log = log(format, condition);
    let record = record();
    harness.case(name, LINES, |_| {
        // As the data path asks it.
        if black_box(&log).is_on() {
            log.write(black_box(&record), &());
        }
    });
}
