//! The screen as a terminal shows it.

use super::{
    model::{Model, Sums, list, number, text},
    panes,
    screen::{Pane, Screen},
    words::{clean, plural, span},
};
use ratatui::{
    Frame,
    layout::{Constraint, Flex, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Clear, Paragraph, Tabs, Wrap},
};

/// Where the pages are, and since when nobody answers there.
pub(super) struct Asked<'a> {
    pub(super) address: &'a str,
    /// Why there was no answer to the last question, and for how many milliseconds there was none.
    pub(super) lost: Option<(&'a str, u64)>,
}

/// Without colours nothing is lost: what is bad is also said.
pub(super) const GOOD: Style = Style::new().fg(Color::Green);
pub(super) const WARN: Style = Style::new().fg(Color::Yellow);
pub(super) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
pub(super) const QUIET: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const HEAD: Style = Style::new().fg(Color::Cyan);

const KEYS: &[(&str, &str)] = &[
    ("1 to 5, Tab, ←, →", "summary, routes, workers, clusters, reloads"),
    ("s, r", "sort by the next column, the other way round"),
    ("/", "only routes and clusters with this in them; Enter keeps it, Esc takes it away"),
    ("↑, ↓, j, k, Home, End", "choose a cluster or a reload: what is known of it is below"),
    ("p", "pause"),
    ("?", "this"),
    ("q, Ctrl-C", "end"),
];

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, screen: &Screen, asked: &Asked<'_>) {
    let areas = [Constraint::Length(2), Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [top, tabs, body, foot] = Layout::vertical(areas).areas(frame.area());
    frame.render_widget(Paragraph::new(vec![title(model, asked), standing(model, screen, asked)]), top);
    let names = Pane::ALL.iter().zip(1..).map(|(pane, number)| format!("{number} {}", pane.name()));
    let chosen = Pane::ALL.iter().position(|pane| *pane == screen.pane);
    let tabs_widget = Tabs::new(names).select(chosen).highlight_style(HEAD.add_modifier(Modifier::REVERSED));
    frame.render_widget(tabs_widget.divider(""), tabs);
    if model.has_answer() {
        match screen.pane {
            Pane::Summary => panes::summary(frame, body, model),
            Pane::Routes => panes::routes(frame, body, model, screen),
            Pane::Workers => panes::workers(frame, body, model),
            Pane::Clusters => panes::clusters(frame, body, model, screen),
            Pane::Reloads => panes::reloads(frame, body, model, screen),
        }
    }
    frame.render_widget(footer(screen), foot);
    if screen.has_help {
        help(frame);
    }
}

fn title(model: &Model, asked: &Asked<'_>) -> Line<'static> {
    let process = &model.last["process"];
    let version = text(process, "version").to_owned();
    let up = number(process, "uptime_ms");
    let mut line = vec!["sluicegate".bold(), format!(" {version}  ").into()];
    if model.has_answer() {
        line.push(format!("up {}  process {}  ", span(up), number(process, "id")).into());
    }
    line.push(Span::styled(asked.address.to_owned(), QUIET));
    Line::from(line)
}

/// How the gateway stands, in a style that says it at a glance.
pub(super) fn standing(model: &Model, screen: &Screen, asked: &Asked<'_>) -> Line<'static> {
    let (style, mark, said) = state(model, asked);
    let mut line = vec![Span::styled(format!("{mark} {said}"), style)];
    if screen.is_paused {
        line.push(Span::styled("  paused", WARN));
    }
    Line::from(line)
}

/// Style, sign and words.
pub(super) fn state(model: &Model, asked: &Asked<'_>) -> (Style, &'static str, String) {
    if let Some((why, ms)) = asked.lost {
        return (BAD, "■", format!("not reachable for {}: {}", span(ms), clean(why)));
    }
    if !model.has_answer() {
        return (QUIET, "·", "asking".to_owned());
    }
    let answer = &model.last;
    let now = number(answer, "now_ms");
    let ago = |at: u64| span(now.saturating_sub(at));
    let configuration = &answer["configuration"];
    let generation = number(configuration, "generation");
    let since = configuration["serving_since_ms"].as_u64();
    let since = since.unwrap_or_else(|| number(&answer["process"], "started_ms"));
    match (text(answer, "state"), configuration["failing_since_ms"].as_u64()) {
        ("ready", None) => (GOOD, "●", format!("ready, serving generation {generation} for {}", ago(since))),
        ("ready", Some(failing)) => {
            let errors = model.loads.last().map_or(0, |load| number(load, "errors"));
            let errors = if errors > 0 { format!(" ({})", plural(errors, "error")) } else { String::new() };
            let said = format!(
                "the reload {} ago failed{errors}: generation {generation} from {} ago is still served",
                ago(failing),
                ago(since)
            );
            (BAD, "■", said)
        }
        ("draining", _) => (WARN, "▲", "draining: it takes no new connections".to_owned()),
        (other, _) => (WARN, "▲", clean(&format!("{other}: {}", text(answer, "not_ready_because")))),
    }
}

fn footer(screen: &Screen) -> Line<'static> {
    if screen.is_filtering {
        return Line::from(vec![Span::styled("/", HEAD), clean(&screen.filter).into(), "█".into()]);
    }
    let mut line: Vec<Span<'_>> = Vec::new();
    if !screen.filter.is_empty() {
        line.push(Span::styled(format!("only with “{}” (Esc: all)  ", clean(&screen.filter)), WARN));
    }
    for (key, what) in [("q", "quit"), ("s", "sort"), ("r", "reverse"), ("/", "filter"), ("?", "help")] {
        line.push(Span::styled(key, HEAD));
        line.push(Span::styled(format!(" {what}  "), QUIET));
    }
    Line::from(line)
}

fn help(frame: &mut Frame<'_>) {
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(key, what)| Line::from(vec![Span::styled(format!("{key:22}"), HEAD), Span::from(*what)]))
        .collect();
    let area = frame.area();
    let [area] = Layout::horizontal([Constraint::Max(100)]).flex(Flex::Center).areas(area);
    let [area] = Layout::vertical([Constraint::Max(lines.len() as u16 + 3)]).flex(Flex::Center).areas(area);
    frame.render_widget(Clear, area);
    frame.render_widget(
        Paragraph::new(lines).wrap(Wrap { trim: false }).block(Block::bordered().title(" Keys ")),
        area,
    );
}

/// A part of the screen with a title, and what is inside of it.
pub(super) fn boxed(frame: &mut Frame<'_>, area: Rect, title: impl Into<String>) -> Rect {
    let title = Line::styled(format!(" {} ", title.into()), Style::new().bold());
    let block = Block::bordered().border_style(QUIET).title(title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    inside
}

/// How many rows there are, for a title.
pub(super) fn how_many(rows: &serde_json::Value) -> String {
    let (total, matching, shown) =
        (number(rows, "total"), number(rows, "matching"), list(rows, "rows").len() as u64);
    match (matching < total, shown < matching) {
        (false, false) => format!("{total}"),
        (true, false) => format!("{matching} of {total}"),
        (_, true) => format!("{shown} of {matching}, those with the most requests"),
    }
}

/// A sum of everything, a second.
pub(super) fn a_second(model: &Model, name: &str) -> Option<f64> {
    model.rate_of(2000, |sums: &Sums| sums.total(name))
}
