//! A story for people and for tools.

use super::{
    action::Percent,
    request::Asked,
    story::{Closing, Detail, Failure, Outcome, Reply, Story, Target},
};
use crate::{config::Sources, explain::place::line_of, http::Version, table::Source};
use serde_json::{Value, json};
use std::fmt::Write;

/// Where the texts begin, behind the names of the steps.
const COLUMN: usize = 18;

/// For people: every step with what decided it, then the answer.
pub(super) fn text(asked: &Asked, story: &Story, sources: &Sources) -> String {
    let what = if asked.spoken.is_http() { &asked.method } else { "connection to" };
    let version = if asked.version == Some(Version::Http2) { ", in HTTP/2" } else { "" };
    let mut text = format!("{what} {} from {}{version}\n\n", asked.url, asked.from);
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
        Outcome::Forward(targets) => shares("forwarded to", targets),
        Outcome::Connect(targets) => shares("connected to", targets),
        Outcome::Closed(closing) => closed(closing),
    }
}

fn shares(verb: &str, targets: &[Target]) -> String {
    match targets {
        [only] => share(verb, only),
        several => {
            let each =
                several.iter().map(|target| format!("{} {}", Percent(target.percent), share(verb, target)));
            each.collect::<Vec<_>>().join(", or ")
        }
    }
}

fn share(verb: &str, target: &Target) -> String {
    match &target.failure {
        Some(Failure::Reply(reply)) => answer_here(reply),
        Some(Failure::Closed(closing)) => closed(closing),
        None => format!("{verb} {} at {}", target.cluster, addresses(target)),
    }
}

fn closed(closing: &Closing) -> String {
    let flag = closing.flag.map_or(String::new(), |flag| format!("; in the access log {flag}"));
    format!("the connection is closed: {}{flag}", closing.reason)
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
    if let Some(status) = reply.grpc {
        let _ = write!(text, " with grpc-status {} ({})", status.code, status.name);
    }
    if let Some(location) = &reply.location {
        let _ = write!(text, " to {location}");
    } else if !reply.body.is_empty() {
        let _ = write!(text, " `{}`", reply.body);
    } else if reply.grpc.is_none() {
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
    let method = asked.spoken.is_http().then_some(&asked.method);
    let request = json!({
        "method": method,
        "url": asked.url,
        "version": asked.version.map(|version| if version == Version::Http2 { "HTTP/2" } else { "HTTP/1.1" }),
        "from": asked.from.to_string(),
    });
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
pub fn source_value(source: &Source) -> Value {
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
        Outcome::Forward(targets) => json!({ "kind": "forward", "clusters": targets_value(targets) }),
        Outcome::Connect(targets) => json!({ "kind": "connect", "clusters": targets_value(targets) }),
        Outcome::Closed(closing) => closing_value(closing),
    }
}

fn targets_value(targets: &[Target]) -> Vec<Value> {
    let value = |target: &Target| {
        json!({
            "cluster": target.cluster,
            "percent": target.percent,
            "endpoints": target.endpoints,
            "failure": target.failure.as_ref().map(|failure| match failure {
                Failure::Reply(reply) => reply_value(reply),
                Failure::Closed(closing) => closing_value(closing),
            }),
        })
    };
    targets.iter().map(value).collect()
}

fn closing_value(closing: &Closing) -> Value {
    json!({ "kind": "closed", "reason": closing.reason, "flag": closing.flag })
}

fn reply_value(reply: &Reply) -> Value {
    json!({
        "kind": "reply",
        "status": reply.status,
        "grpc_status": reply.grpc.map(|status| status.code),
        "flag": reply.flag,
        "details": reply.details,
        "location": reply.location,
        "body": reply.body,
    })
}
