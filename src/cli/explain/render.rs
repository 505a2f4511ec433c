//! A story for people and for tools.

use super::{
    action::Percent,
    request::Asked,
    story::{Detail, Outcome, Reply, Story, Target},
};
use crate::{cli::place::line_of, config::Sources, table::Source};
use serde_json::{Value, json};
use std::fmt::Write;

/// Where the texts begin, behind the names of the steps.
const COLUMN: usize = 18;

/// For people: every step with what decided it, then the answer.
pub(super) fn text(asked: &Asked, story: &Story, sources: &Sources) -> String {
    let mut text = format!("{} {} from {}\n\n", asked.method, asked.url, asked.from);
    for step in &story.steps {
        line(&mut text, step.name, &step.text);
        if let Some(source) = &step.source {
            line(&mut text, "", &source.to_string());
            if let Some(written) = line_of(source, sources) {
                line(&mut text, "", &format!("{} | {written}", source.line));
            }
        }
        for detail in &step.details {
            let source = detail.source.as_ref().map_or(String::new(), |source| format!(", {source}"));
            line(&mut text, "", &format!("- {}{source}", detail.text));
            detail.lines.iter().for_each(|reason| line(&mut text, "", &format!("  {reason}")));
        }
    }
    text.push('\n');
    line(&mut text, "answer", &answer(&story.outcome));
    text
}

fn line(text: &mut String, name: &str, rest: &str) {
    let rest: String = rest.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    // Writing to a String does not fail.
    let _ = writeln!(text, "{name:COLUMN$}{rest}");
}

fn answer(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NoConnection { reason } => format!("the connection is refused: {reason}"),
        Outcome::Reply(reply) => answer_here(reply),
        Outcome::Forward(targets) => match targets.as_slice() {
            [only] => forwarded(only),
            several => several.iter().map(share).collect::<Vec<_>>().join(", or "),
        },
    }
}

fn share(target: &Target) -> String {
    let percent = Percent(target.percent);
    match &target.failure {
        Some(reply) => format!("{percent} {}", answer_here(reply)),
        None => format!("{percent} {}", forwarded(target)),
    }
}

fn forwarded(target: &Target) -> String {
    format!("forwarded to {} at {}", target.cluster, addresses(target))
}

fn addresses(target: &Target) -> String {
    match target.endpoints.as_slice() {
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        [] => "no address".to_owned(),
    }
}

fn answer_here(reply: &Reply) -> String {
    let mut text = reply.status.to_string();
    if let Some(location) = &reply.location {
        let _ = write!(text, " to {location}");
    } else if !reply.body.is_empty() {
        let _ = write!(text, " `{}`", reply.body);
    } else {
        text.push_str(" with an empty body");
    }
    if let Some(flag) = reply.flag {
        let _ = write!(text, "; in the access log {flag}, {}", reply.details);
    }
    text
}

/// For tools: one object.
pub(super) fn json(asked: &Asked, story: &Story) -> String {
    let steps = story.steps.iter().map(|step| {
        json!({
            "step": step.name,
            "text": step.text,
            "source": step.source.as_ref().map(source_value),
            "details": step.details.iter().map(detail).collect::<Vec<_>>(),
        })
    });
    let request = json!({ "method": asked.method, "url": asked.url, "from": asked.from.to_string() });
    let story = json!({
        "request": request,
        "steps": steps.collect::<Vec<_>>(),
        "outcome": outcome(&story.outcome),
    });
    format!("{story:#}\n")
}

fn detail(detail: &Detail) -> Value {
    json!({ "text": detail.text, "source": detail.source.as_ref().map(source_value), "reasons": detail.lines })
}

/// Where a thing comes from; file and line are `null` where no file says it.
pub(in crate::cli) fn source_value(source: &Source) -> Value {
    let is_written = source.line > 0;
    json!({
        "object": &*source.object,
        "file": is_written.then_some(&*source.file),
        "line": is_written.then_some(source.line),
        "column": is_written.then_some(source.column),
    })
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::NoConnection { reason } => json!({ "kind": "no-connection", "reason": reason }),
        Outcome::Reply(reply) => reply_value(reply),
        Outcome::Forward(targets) => {
            let targets = targets.iter().map(|target| {
                json!({
                    "cluster": target.cluster,
                    "percent": target.percent,
                    "endpoints": target.endpoints,
                    "failure": target.failure.as_ref().map(reply_value),
                })
            });
            json!({ "kind": "forward", "clusters": targets.collect::<Vec<_>>() })
        }
    }
}

fn reply_value(reply: &Reply) -> Value {
    json!({
        "kind": "reply",
        "status": reply.status,
        "flag": reply.flag,
        "details": reply.details,
        "location": reply.location,
        "body": reply.body,
    })
}
