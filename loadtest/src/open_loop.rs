//! Latency on a fixed schedule: runs the client of the open loop (`paced`, a program of its own) against a proxy.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::figure::{Latency, Sample};
use crate::fleet::{Ground, Running};
use crate::kinds::Paced;
use crate::load::{GRACE, Report};
use crate::measure::Outcome;
use crate::process::{self, Invocation};
use crate::subjects::Subject;
use crate::under_load::under_load;

/// The figure: 99 of 100 requests were answered within this.
const FIGURE: f64 = 0.99;

/// Requests per second that a proxy can do: a second divided by its CPU time per request in the closed loop of this run.
pub(crate) fn capacity(paced: &Paced, subject: Subject, done: &[Outcome]) -> Result<f64> {
    let closed = done.iter().find(|outcome| outcome.work.name == paced.closed);
    let row = closed.and_then(|outcome| outcome.rows.iter().find(|row| row.subject == subject));
    let cost = row.and_then(|row| row.cost());
    cost.map(|cost| 1e6 / cost.median).ok_or_else(|| {
        Error::Failed(format!("{} has no figure, by which its capacity would be known", paced.closed))
    })
}

/// The words after `loadtest`, for the table and for starting it.
pub(crate) fn arguments(paced: &Paced, port: &str, rate: &str, secs: u64, certificate: &str) -> Vec<String> {
    let mut words = vec!["paced".to_owned(), port.to_owned(), rate.to_owned(), secs.to_string()];
    words.push(format!("--connections={}", paced.connections));
    if paced.listener.is_tls() {
        words.push(format!("--tls={certificate}"));
    }
    words
}

/// One run.
pub(crate) fn sample(
    paced: Paced,
    capacity: f64,
    secs: u64,
    running: &mut Running,
    ground: &Ground,
) -> Result<Sample> {
    let rate = capacity * paced.share();
    let port = running.port(paced.listener).to_string();
    let certificate = ground.workspace.run.join("tls.crt").display().to_string();
    let core = ground.machine.cores.load;
    let words = arguments(&paced, &port, &format!("{rate:.0}"), secs, &certificate);
    let mut told = None;
    let generate = || {
        let what = Invocation::pinned(&ground.own, core).args(words);
        let longest = Duration::from_secs(secs) + GRACE;
        let log = ground.workspace.log("paced");
        let finished = process::run(&what, &log, longest, &ground.interrupt)?.success("paced")?;
        let heard = parse(&finished.output).ok_or_else(|| {
            Error::Failed(format!("the client's report is not understood:\n{}", finished.output))
        })?;
        let Told { answered: requests, rate: rate_achieved, curve, errors } = heard;
        let latency = Latency { capacity, rate_wanted: rate, rate_achieved, curve };
        let (p99_ms, slowest_ms) = (latency.at(FIGURE), latency.at(1.0));
        told = Some(latency);
        Ok(Report { requests, p99_ms, slowest_ms, errors, wall: finished.wall })
    };
    let mut sample = under_load(running, core, generate)?;
    let latency = told.ok_or_else(|| Error::failed("the client told nothing"))?;
    sample.cost = latency.at(FIGURE).ok_or_else(|| Error::failed("the client told no p99"))?;
    if let Some(load) = &mut sample.load {
        load.latency = Some(latency);
    }
    Ok(sample)
}

/// What the client tells.
#[derive(Debug, PartialEq)]
struct Told {
    answered: u64,
    rate: f64,
    curve: Vec<(f64, f64)>,
    errors: Option<String>,
}

fn parse(output: &str) -> Option<Told> {
    let line = output.lines().find(|line| line.starts_with('{'))?;
    let value: Value = serde_json::from_str(line).ok()?;
    let points = value.get("curve")?.as_array()?;
    let curve = points.iter().map(|point| Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()?)));
    let errors = value.get("errors")?.as_array()?.iter().filter_map(Value::as_str);
    let mut errors: Vec<String> = errors.map(str::to_owned).collect();
    let (due, answered) = (value.get("due")?.as_u64()?, value.get("answered")?.as_u64()?);
    if answered < due && errors.is_empty() {
        // Their latency is only known to be longer than the client's patience.
        errors.push(format!("{} requests were never answered", due - answered));
    }
    Some(Told {
        answered,
        rate: value.get("rate")?.as_f64()?,
        curve: curve.collect::<Option<_>>()?,
        errors: (!errors.is_empty()).then(|| errors.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Row;
    use crate::kinds::Effort;
    use crate::subjects::{Listener, Proxy};
    use crate::works;

    const PACED: Paced = Paced { listener: Listener::Tls, connections: 64, closed: "tls", percent: 70 };

    #[test]
    fn reads_what_the_client_tells() {
        let line = r#"{"answered":8,"curve":[[0.5,0.1],[0.99,2.5]],"due":8,"errors":[],"rate":3.5}"#;
        let told = parse(&format!("a warning\n{line}\n")).unwrap();
        assert_eq!((told.answered, told.rate, told.errors.clone()), (8, 3.5, None));
        let left = parse(&line.replace("\"answered\":8", "\"answered\":6")).unwrap();
        assert_eq!(left.errors.as_deref(), Some("2 requests were never answered"));
        let latency =
            Latency { capacity: 5.0, rate_wanted: 3.5, rate_achieved: told.rate, curve: told.curve };
        assert_eq!((latency.at(0.99), latency.at(0.9)), (Some(2.5), None));
        let failed = parse(&line.replace("[]", "[\"closed\",\"late\"]")).unwrap();
        assert_eq!(failed.errors.as_deref(), Some("closed; late"));
        assert_eq!(parse("connection refused\n"), None);
    }

    #[test]
    fn capacity_is_that_of_the_closed_loop_of_the_same_run() {
        let mut row = Row::of(Subject::plain(Proxy::Nginx));
        row.samples.push(Sample { cost: 20.0, load: None });
        let effort = Effort { rounds: 1, secs: 1 };
        let work = works::find("tls").unwrap();
        let done = [Outcome { work, effort, rows: vec![row], notes: Vec::new() }];
        assert_eq!(capacity(&PACED, Subject::plain(Proxy::Nginx), &done), Ok(50_000.0));
        assert!(capacity(&PACED, Subject::plain(Proxy::Envoy), &done).is_err());
        assert!(capacity(&PACED, Subject::plain(Proxy::Nginx), &[]).is_err());
    }

    #[test]
    fn the_command_is_the_one_of_the_table() {
        let words = arguments(&PACED, "PORT", "RATE", 2, "CERTIFICATE");
        assert_eq!(words.join(" "), "paced PORT RATE 2 --connections=64 --tls=CERTIFICATE");
    }
}
