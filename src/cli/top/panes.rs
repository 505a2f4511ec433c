//! The panes of the screen.

use super::{
    model::{Model, Sums, list, number, text},
    screen::{Row, Screen, SortBy},
    view::{BAD, GOOD, HEAD, QUIET, WARN, a_second, boxed, how_many},
    words::{bytes, clean, count, latency, plural, rate, share, span},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span, Text},
    widgets::{Cell, Paragraph, RenderDirection, Row as TableRow, Sparkline, Table, TableState, Wrap},
};
use serde_json::Value;

/// Days that a certificate holds below which somebody should look after it, and below which he has to.
const DAYS_SOON: i64 = 30;
const DAYS_NOW: i64 = 7;

/// The most important of everything.
pub(super) fn summary(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let [numbers, chart, flags, certificates] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Max(2 + list(&model.last["certificates"], "rows").len().clamp(1, 4) as u16),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(glance(model)), numbers);
    let inside = boxed(frame, chart, "Requests a second");
    let history: Vec<u64> = model.history().iter().rev().map(|rate| rate.round() as u64).collect();
    let line = Sparkline::default().data(&history).direction(RenderDirection::RightToLeft).style(HEAD);
    frame.render_widget(line, inside);
    let inside = boxed(frame, flags, "Errors by response flag");
    frame.render_widget(errors(model), inside);
    let inside = boxed(frame, certificates, "Certificates that end first");
    frame.render_widget(Paragraph::new(all_certificates(model)), inside);
}

/// Names and numbers.
fn glance(model: &Model) -> Vec<Line<'static>> {
    let totals = &model.last["totals"];
    let per_second = |name| a_second(model, name);
    let (requests, errors) = (per_second("requests"), per_second("responses_5xx"));
    let all = model.percentiles(Sums::all);
    let [median, slow, slowest] = all.micros.map(latency);
    let old = if all.is_old { " since the start" } else { "" };
    let line = |parts: [(&'static str, String, Style); 3]| {
        let spans = parts.into_iter().flat_map(|(name, text, style)| {
            [Span::styled(format!("{name:13}"), QUIET), Span::styled(format!("{text:24}"), style)]
        });
        Line::from(spans.collect::<Vec<_>>())
    };
    let plain = Style::new();
    let error_style = if errors.unwrap_or(0.0) > 0.0 { BAD } else { plain };
    vec![
        Line::default(),
        line([
            ("requests", format!("{}/s", rate(requests)), plain.bold()),
            ("5xx", format!("{}/s  {}", rate(errors), share(errors, requests)), error_style),
            ("4xx", format!("{}/s", rate(per_second("responses_4xx"))), plain),
        ]),
        line([
            ("latency", format!("p50 {median}{old}"), plain),
            ("", format!("p90 {slow}"), plain),
            ("", format!("p99 {slowest}"), plain),
        ]),
        line([
            ("connections", count(number(totals, "connections_active")), plain),
            ("new", format!("{}/s", rate(per_second("connections"))), plain),
            ("in flight", count(number(totals, "requests_active")), plain),
        ]),
        line([
            ("out", format!("{}/s", bytes(per_second("bytes_sent"))), plain),
            ("in", format!("{}/s", bytes(per_second("bytes_received"))), plain),
            ("upstream", plural(number(totals, "upstream_connections_active"), "connection"), plain),
        ]),
    ]
}

fn errors(model: &Model) -> Table<'static> {
    let rows = list(&model.last, "flags").iter().map(|row| {
        let flag = text(row, "flag");
        let lately = model.rate_of(super::model::MINUTE_MS, |sums| sums.flag(flag));
        let style = if lately.unwrap_or(0.0) > 0.0 { BAD } else { Style::new() };
        TableRow::new([
            Cell::from(clean(flag)).style(style),
            right(format!("{}/s", rate(lately))),
            right(count(number(row, "requests"))),
            Cell::from(clean(text(row, "meaning"))),
        ])
    });
    let rows: Vec<_> = rows.collect();
    let widths = [Constraint::Length(7), Constraint::Length(9), Constraint::Length(9), Constraint::Fill(1)];
    if rows.is_empty() {
        let none = TableRow::new([Cell::from("none since the start").style(QUIET)]);
        return Table::new([none], [Constraint::Fill(1)]);
    }
    Table::new(rows, widths).column_spacing(2)
}

/// A certificate a line.
pub(super) fn all_certificates(model: &Model) -> Vec<Line<'static>> {
    let now = i64::try_from(number(&model.last, "now_ms")).unwrap_or(0);
    let line = |row: &Value| {
        let days = row["not_after_ms"].as_i64().map(|end| (end - now).div_euclid(86_400_000));
        let (style, left) = match days {
            None => (BAD, "none".to_owned()),
            Some(days) if days < 0 => (BAD, "expired".to_owned()),
            Some(days) if days < DAYS_NOW => (BAD, plural(days as u64, "day")),
            Some(days) if days < DAYS_SOON => (WARN, plural(days as u64, "day")),
            Some(days) => (GOOD, plural(days as u64, "day")),
        };
        let names = list(row, "names").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { text(row, "subject").to_owned() } else { names };
        let state = match text(row, "state") {
            "kept" => "  the one before is still used",
            "failed" => "  not usable",
            _ => "",
        };
        let problems = list(row, "problems").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
        Line::from(vec![
            Span::styled(format!("{left:>10}  "), style),
            Span::from(format!("{}  ", clean(&names))),
            Span::styled(clean(text(row, "name")), QUIET),
            Span::styled(format!("{state} {}", clean(&problems)), BAD),
        ])
    };
    let lines: Vec<_> = list(&model.last["certificates"], "rows").iter().map(line).collect();
    if lines.is_empty() { vec![Line::styled("no server or upstream has one", QUIET)] } else { lines }
}

/// A table of routes.
pub(super) fn routes(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let inside = boxed(frame, area, format!("Routes with traffic: {}", how_many(&model.last["routes"])));
    let rows = screen.routes(model);
    let mut state = TableState::new().with_selected(Some(screen.chosen));
    frame.render_stateful_widget(traffic(&rows, "HOST", screen), inside, &mut state);
}

fn traffic(rows: &[Row], more: &'static str, screen: &Screen) -> Table<'static> {
    let heading = |column: SortBy| {
        let arrow = if screen.is_reversed { "↑" } else { "↓" };
        let sorted =
            if screen.sort_by == column { format!("{arrow}{}", column.name()) } else { column.name().into() };
        let style = if screen.sort_by == column { HEAD.bold() } else { QUIET };
        (sorted, style)
    };
    let left = |(text, style)| Cell::from(Span::styled(text, style));
    let head = TableRow::new([
        left(heading(SortBy::Name)),
        left((more.to_owned(), QUIET)),
        at_right(heading(SortBy::Rate)),
        at_right(heading(SortBy::ClientErrors)),
        at_right(heading(SortBy::ServerErrors)),
        at_right(heading(SortBy::Median)),
        at_right(heading(SortBy::Slow)),
        at_right(heading(SortBy::Slowest)),
        at_right(heading(SortBy::Total)),
    ]);
    let body = rows.iter().map(|row| {
        let bad = if row.server_errors.unwrap_or(0.0) > 0.0 { BAD } else { Style::new() };
        let old = if row.latency.is_old { QUIET } else { Style::new() };
        let name = if row.value.get("endpoints").is_some() && row.is_bad() { WARN } else { Style::new() };
        let [median, slow, slowest] = row.latency.micros.map(|micros| at_right((latency(micros), old)));
        TableRow::new([
            Cell::from(row.name.clone()).style(name),
            Cell::from(row.more.clone()).style(QUIET),
            right(rate(row.rate)),
            right(share(row.client_errors, row.minute)),
            at_right((share(row.server_errors, row.minute), bad)),
            median,
            slow,
            slowest,
            right(count(row.total)),
        ])
    });
    let number = Constraint::Length(8);
    let widths =
        [Constraint::Fill(3), Constraint::Fill(2), number, number, number, number, number, number, number];
    Table::new(body, widths).header(head).row_highlight_style(Style::new().reversed())
}

/// What each worker does.
pub(super) fn workers(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let inside = boxed(frame, area, "Workers");
    let workers = list(&model.last, "workers");
    let numbers: Vec<_> = workers
        .iter()
        .enumerate()
        .map(|(place, worker)| {
            let requests = model.rate(|sums| Some(sums.worker(place)?.0));
            let busy = model.rate(|sums| sums.worker(place)?.1).map(|ms| ms / 1000.0);
            (number(worker, "connections") as f64, requests.unwrap_or(0.0), busy)
        })
        .collect();
    let most = |of: fn(&(f64, f64, Option<f64>)) -> f64| numbers.iter().map(of).fold(1e-9, f64::max);
    let (most_connections, most_requests) = (most(|all| all.0), most(|all| all.1));
    // What is beside the bars takes so much.
    let wide = (inside.width.saturating_sub(46) / 4).clamp(4, 24);
    let bar = |part| bar(part, wide);
    let rows = workers.iter().zip(&numbers).map(|(worker, (connections, requests, busy))| {
        let cpu = worker["cpu"].as_u64().map_or(String::new(), |cpu| format!("CPU {cpu}"));
        let ended = if worker["ended"] == true { ", ended" } else { "" };
        TableRow::new([
            Cell::from(format!("{}{ended}", number(worker, "id"))),
            Cell::from(cpu),
            bar(connections / most_connections),
            right(count(*connections as u64)),
            bar(requests / most_requests),
            right(rate(Some(*requests))),
            bar(busy.unwrap_or(0.0)),
            right(share(*busy, Some(1.0))),
            Cell::from(clean(text(worker, "driver"))).style(QUIET),
        ])
    });
    let names = ["WORKER", "", "CONNECTIONS", "", "REQ/S", "", "BUSY", "", "DRIVER"];
    let widths = [
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(wide),
        Constraint::Length(8),
        Constraint::Length(wide),
        Constraint::Length(8),
        Constraint::Length(wide),
        Constraint::Length(7),
        Constraint::Fill(1),
    ];
    frame.render_widget(Table::new(rows, widths).header(TableRow::new(names).style(QUIET)), inside);
}

/// A bar of blocks that fills a column of this width as far as its share says.
fn bar(part: f64, wide: u16) -> Cell<'static> {
    let filled = (part.clamp(0.0, 1.0) * f64::from(wide)).round() as usize;
    let rest = usize::from(wide).saturating_sub(filled);
    Cell::from(Line::from(vec![
        Span::styled("█".repeat(filled), HEAD),
        Span::styled("░".repeat(rest), QUIET),
    ]))
}

/// Clusters, and the endpoints of the one that is chosen.
pub(super) fn clusters(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let rows = screen.clusters(model);
    let [above, below] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
    let inside = boxed(frame, above, format!("Clusters: {}", how_many(&model.last["clusters"])));
    let mut state = TableState::new().with_selected(Some(screen.chosen));
    frame.render_stateful_widget(traffic(&rows, "SOURCE", screen), inside, &mut state);
    let Some(row) = rows.get(screen.chosen.min(rows.len().saturating_sub(1))) else { return };
    let endpoints = &row.value["endpoints"];
    let title = format!(
        "{}: {} of {} endpoints good",
        row.name,
        number(&row.value, "good"),
        number(endpoints, "total")
    );
    let inside = boxed(frame, below, title);
    frame.render_widget(Paragraph::new(endpoint_lines(endpoints)), inside);
}

/// An endpoint a line.
pub(super) fn endpoint_lines(endpoints: &Value) -> Vec<Line<'static>> {
    let line = |endpoint: &Value| {
        let (style, said) = health(endpoint);
        Line::from(vec![
            Span::from(format!("{:28}", clean(text(endpoint, "address")))),
            Span::styled(format!("weight {:<6}", number(endpoint, "weight")), QUIET),
            Span::styled(said, style),
        ])
    };
    let mut lines: Vec<_> = list(endpoints, "rows").iter().map(line).collect();
    let more = number(endpoints, "total").saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(Line::styled(format!("and {} more", count(more)), QUIET));
    } else if lines.is_empty() {
        lines.push(Line::styled("no endpoint is known: requests get 503", BAD));
    }
    lines
}

fn health(endpoint: &Value) -> (Style, String) {
    let mut said = Vec::new();
    if let Some(ejected) = endpoint.get("ejected").filter(|ejected| !ejected.is_null()) {
        let back = match number(ejected, "left_ms") {
            0 => "back any moment".to_owned(),
            left => format!("back in {}", span(left)),
        };
        said.push(format!("put out ({}), {back}", clean(text(ejected, "reason"))));
    }
    if endpoint["failing_checks"] == true {
        said.push("fails its health check".to_owned());
    }
    if said.is_empty() { (GOOD, "good".to_owned()) } else { (BAD, said.join("; ")) }
}

/// The last loads, and what was said of the one that is chosen.
pub(super) fn reloads(frame: &mut Frame<'_>, area: Rect, model: &Model, screen: &Screen) {
    let height = (model.loads.len() as u16 + 3).max(4).min(area.height / 2);
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(area);
    let inside = boxed(frame, above, "Loads of the configuration, the latest first");
    let now = number(&model.last, "now_ms");
    let loads: Vec<&Value> = model.loads.iter().rev().collect();
    let rows = loads.iter().map(|load| {
        let (style, became) = match load["generation"].as_u64() {
            Some(generation) => (GOOD, format!("generation {generation}")),
            None => (BAD, "failed".to_owned()),
        };
        TableRow::new([
            Cell::from(format!("{} ago", span(now.saturating_sub(number(load, "at_ms"))))),
            Cell::from(clean(text(load, "why"))),
            Cell::from(became).style(style),
            right(format!("{} ms", number(load, "took_ms"))),
            right(count(number(load, "errors"))),
            right(count(number(load, "warnings"))),
        ])
    });
    let head = TableRow::new([
        Cell::from("WHEN"),
        Cell::from("WHY"),
        Cell::from("BECAME"),
        right("TOOK".into()),
        right("ERRORS".into()),
        right("WARNINGS".into()),
    ]);
    let wide = Constraint::Fill(1);
    let widths = [wide, wide, wide, Constraint::Length(10), Constraint::Length(8), Constraint::Length(9)];
    let table =
        Table::new(rows, widths).header(head.style(QUIET)).row_highlight_style(Style::new().reversed());
    let mut state = TableState::new().with_selected(Some(screen.chosen));
    frame.render_stateful_widget(table, inside, &mut state);
    let inside = boxed(frame, below, "What was said");
    let said = loads.get(screen.chosen).map(|load| list(load, "diagnostics")).unwrap_or_default();
    let said: Vec<_> = said.iter().filter_map(Value::as_str).flat_map(str::lines).map(clean).collect();
    let said = if said.is_empty() { "nothing".to_owned() } else { said.join("\n") };
    frame.render_widget(Paragraph::new(said).wrap(Wrap { trim: false }), inside);
}

fn right(text: String) -> Cell<'static> {
    Cell::from(Text::from(text).right_aligned())
}

fn at_right((text, style): (String, Style)) -> Cell<'static> {
    Cell::from(Text::styled(text, style).right_aligned())
}
