//! One look, as plain text: for scripts, and where there is no terminal.

use super::{
    model::{Model, Sums, list, number, text},
    panes::{all_certificates, endpoint_lines},
    view::{Asked, how_many, state},
    words::{clean, count, latency, plural, rate, share},
};
use serde_json::Value;
use std::fmt::Write;

/// The rate is that of so many of the gateway's last samples, one a second.
const SAMPLES: usize = 10;
/// Rows of a list; the document has more.
const ROWS_MAX: usize = 20;

/// All panes, one below the other.
pub(super) fn snapshot(model: &Model, address: &str) -> String {
    let answer = &model.last;
    let (_, _, standing) = state(model, &Asked { address, lost: None });
    let mut out = String::new();
    // Writing to memory can't fail, here and below.
    let _ = writeln!(out, "sluicegate {} on {address}: {standing}", text(&answer["process"], "version"));
    numbers(&mut out, model);
    let _ = writeln!(out, "\nERRORS BY RESPONSE FLAG");
    if list(answer, "flags").is_empty() {
        let _ = writeln!(out, "none since the start");
    }
    for row in list(answer, "flags") {
        let flag = clean(text(row, "flag"));
        let _ =
            writeln!(out, "{flag:8} {:>9}  {}", count(number(row, "requests")), clean(text(row, "meaning")));
    }
    routes(&mut out, model);
    let _ = writeln!(out, "\nWORKERS");
    for worker in list(answer, "workers") {
        let cpu = worker["cpu"].as_u64().map_or(String::new(), |cpu| format!(", CPU {cpu}"));
        let (connections, requests) = (number(worker, "connections"), number(worker, "requests"));
        let id = number(worker, "id");
        let _ = writeln!(
            out,
            "{id:<4} {}, {} since the start, {}{cpu}",
            plural(connections, "connection"),
            plural(requests, "request"),
            clean(text(worker, "driver"))
        );
    }
    clusters(&mut out, answer);
    let _ = writeln!(out, "\nCERTIFICATES");
    for line in all_certificates(model) {
        let _ = writeln!(out, "{}", line.to_string().trim_end());
    }
    loads(&mut out, model);
    out
}

fn numbers(out: &mut String, model: &Model) {
    let totals = &model.last["totals"];
    let history = model.history();
    let lately: Vec<f64> = history.iter().rev().take(SAMPLES).copied().collect();
    let mean = (!lately.is_empty()).then(|| lately.iter().sum::<f64>() / lately.len() as f64);
    let [median, slow, slowest] = model.percentiles(Sums::all).micros.map(latency);
    let get = |name: &str| number(totals, name);
    let all = Some(get("requests") as f64);
    let _ = writeln!(out, "\nrequests     {}/s, {} since the start", rate(mean), count(get("requests")));
    let errors = |name: &str| format!("{} ({})", count(get(name)), share(Some(get(name) as f64), all));
    let _ = writeln!(
        out,
        "errors       {} with 5xx, {} with 4xx",
        errors("responses_5xx"),
        errors("responses_4xx")
    );
    let _ = writeln!(out, "latency      p50 {median}, p90 {slow}, p99 {slowest} since the start");
    let (open, new) = (get("connections_active"), get("connections"));
    let _ = writeln!(out, "connections  {} open, {} since the start", count(open), count(new));
    let (active, upstream) = (get("requests_active"), get("upstream_connections_active"));
    let _ = writeln!(
        out,
        "in flight    {}, {}",
        plural(active, "request"),
        plural(upstream, "upstream connection")
    );
}

fn routes(out: &mut String, model: &Model) {
    let _ = writeln!(out, "\nROUTES ({})", how_many(&model.last["routes"]));
    let _ = writeln!(out, "{:>9} {:>8} {:>8} {:>8} {:>8}  ROUTE", "REQUESTS", "4XX", "5XX", "P50", "P99");
    for row in list(&model.last["routes"], "rows").iter().take(ROWS_MAX) {
        let (name, host) = (text(row, "name"), text(row, "host"));
        let [median, _, slowest] = model.percentiles(|sums| sums.route(name, host)).micros.map(latency);
        let all = number(row, "requests");
        let part = |name: &str| share(Some(number(row, name) as f64), Some(all as f64));
        let (client, server) = (part("client_errors"), part("server_errors"));
        let name =
            if name.is_empty() { "no route".to_owned() } else { format!("{} {}", clean(name), clean(host)) };
        let _ = writeln!(out, "{:>9} {client:>8} {server:>8} {median:>8} {slowest:>8}  {name}", count(all));
    }
}

fn clusters(out: &mut String, answer: &Value) {
    let _ = writeln!(out, "\nCLUSTERS ({})", how_many(&answer["clusters"]));
    for row in list(&answer["clusters"], "rows").iter().take(ROWS_MAX) {
        let endpoints = &row["endpoints"];
        let (good, total) = (number(row, "good"), number(endpoints, "total"));
        let _ = writeln!(
            out,
            "{}: {good} of {} good, {}",
            clean(text(row, "name")),
            plural(total, "endpoint"),
            plural(number(row, "requests"), "request")
        );
        if good < total || total == 0 {
            for line in endpoint_lines(endpoints) {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
}

fn loads(out: &mut String, model: &Model) {
    let _ = writeln!(out, "\nLOADS OF THE CONFIGURATION");
    let now = number(&model.last, "now_ms");
    for load in model.loads.iter().rev() {
        let became = load["generation"].as_u64();
        let became = became.map_or("failed".to_owned(), |generation| format!("generation {generation}"));
        let _ = writeln!(
            out,
            "{} ago, {}: {became} in {} ms, {}, {}",
            super::words::span(now.saturating_sub(number(load, "at_ms"))),
            clean(text(load, "why")),
            number(load, "took_ms"),
            plural(number(load, "errors"), "error"),
            plural(number(load, "warnings"), "warning")
        );
    }
    // Those of the last one: what is wrong now.
    let said = model.loads.last().map(|load| list(load, "diagnostics")).unwrap_or_default();
    for line in said.iter().filter_map(Value::as_str).flat_map(str::lines) {
        let _ = writeln!(out, "    {}", clean(line));
    }
}
