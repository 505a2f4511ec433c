//! Which access logs have a line of it.

use super::story::{Detail, Step};
use crate::{table::AccessLogging, telemetry::LogChoice};

/// What the files say, if they say anything. Options of `run` may say something else.
pub(super) fn step(files: &AccessLogging, choice: LogChoice) -> Option<Step> {
    let of_route = match choice {
        LogChoice::Usual => None,
        LogChoice::Off => Some("none: the VirtualService says `sluicegate.io/access-log: off`".to_owned()),
        other => Some(format!("its VirtualService says `sluicegate.io/access-log: {other}`")),
    };
    let Some(logs) = &files.logs else {
        return of_route.map(|text| Step::new("access log", text));
    };
    let logs: Vec<Detail> = logs
        .iter()
        .map(|log| {
            let condition =
                log.condition.as_ref().map(|c| format!(", where {}", c.text())).unwrap_or_default();
            Detail::new(format!("{} as {}{condition}", log.target, log.format.name())).from(&log.source)
        })
        .collect();
    let text =
        of_route.unwrap_or_else(|| if logs.is_empty() { "none".to_owned() } else { "a line".to_owned() });
    let is_off = choice == LogChoice::Off;
    Some(Step::new("access log", text).with_all(logs.into_iter().filter(|_| !is_off)))
}
