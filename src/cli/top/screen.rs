//! What is on the screen, and what keys change of it.

use super::{
    model::{Counted, MINUTE_MS, Model, Percentiles, RATE_MS, Sums, list, number, text},
    words::clean,
};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;
use std::cmp::Ordering;

/// Letters of a filter; more find nothing that fewer would not.
const FILTER_MAX: usize = 100;

/// A part of the screen below its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Summary,
    Routes,
    Workers,
    Clusters,
    Reloads,
}

/// What rows of routes and clusters are sorted by; the largest first, but for names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Rate,
    Name,
    ClientErrors,
    ServerErrors,
    Median,
    Slow,
    Slowest,
    Total,
}

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct Screen {
    pub(super) pane: Pane,
    pub(super) sort_by: SortBy,
    pub(super) is_reversed: bool,
    /// What rows of routes and clusters must have in them.
    pub(super) filter: String,
    /// It is being typed.
    pub(super) is_filtering: bool,
    pub(super) has_help: bool,
    pub(super) is_paused: bool,
    /// The row that is chosen, of clusters and loads.
    pub(super) chosen: usize,
}

/// What follows from a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Draw,
    /// Another question has to be asked.
    Ask,
    Quit,
}

/// A route or a cluster with what follows from its numbers.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    /// The host of a route, the source of a cluster.
    pub(super) more: String,
    pub(super) total: u64,
    /// A second, lately.
    pub(super) rate: Option<f64>,
    /// A second, in the last minute.
    pub(super) minute: Option<f64>,
    pub(super) client_errors: Option<f64>,
    pub(super) server_errors: Option<f64>,
    pub(super) latency: Percentiles,
    /// As the gateway tells it.
    pub(super) value: Value,
}

impl Pane {
    pub(super) const ALL: [Pane; 5] =
        [Pane::Summary, Pane::Routes, Pane::Workers, Pane::Clusters, Pane::Reloads];

    pub(super) fn name(self) -> &'static str {
        match self {
            Pane::Summary => "Summary",
            Pane::Routes => "Routes",
            Pane::Workers => "Workers",
            Pane::Clusters => "Clusters",
            Pane::Reloads => "Reloads",
        }
    }

    /// The one so many places to the right, in a circle.
    fn beside(self, step: usize) -> Pane {
        let at = Pane::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Pane::ALL[(at + step) % Pane::ALL.len()]
    }
}

impl SortBy {
    const ALL: [SortBy; 8] = [
        SortBy::Rate,
        SortBy::Total,
        SortBy::ClientErrors,
        SortBy::ServerErrors,
        SortBy::Median,
        SortBy::Slow,
        SortBy::Slowest,
        SortBy::Name,
    ];

    /// As its column is headed.
    pub(super) fn name(self) -> &'static str {
        match self {
            SortBy::Rate => "REQ/S",
            SortBy::Name => "NAME",
            SortBy::ClientErrors => "4XX",
            SortBy::ServerErrors => "5XX",
            SortBy::Median => "P50",
            SortBy::Slow => "P90",
            SortBy::Slowest => "P99",
            SortBy::Total => "TOTAL",
        }
    }

    fn next(self) -> SortBy {
        let at = SortBy::ALL.iter().position(|column| *column == self).unwrap_or(0);
        SortBy::ALL[(at + 1) % SortBy::ALL.len()]
    }

    /// The larger comes first.
    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let percent =
            |part: Option<f64>, row: &Row| part.unwrap_or(0.0) / row.minute.unwrap_or(0.0).max(1e-9);
        let by = |value: fn(&Row) -> f64| value(b).total_cmp(&value(a));
        match self {
            SortBy::Rate => by(|row| row.rate.unwrap_or(-1.0)),
            SortBy::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
            SortBy::ClientErrors => percent(b.client_errors, b).total_cmp(&percent(a.client_errors, a)),
            SortBy::ServerErrors => percent(b.server_errors, b).total_cmp(&percent(a.server_errors, a)),
            SortBy::Median => b.latency.micros[0].cmp(&a.latency.micros[0]),
            SortBy::Slow => b.latency.micros[1].cmp(&a.latency.micros[1]),
            SortBy::Slowest => b.latency.micros[2].cmp(&a.latency.micros[2]),
            SortBy::Total => b.total.cmp(&a.total),
        }
    }
}

impl Screen {
    /// Follows a key. `rows` is how many rows may be chosen.
    pub(super) fn press(&mut self, key: KeyEvent, rows: usize) -> Next {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Next::Quit;
        }
        if self.has_help {
            self.has_help = false;
            return Next::Draw;
        }
        if self.is_filtering {
            return self.type_filter(key.code);
        }
        let last = rows.saturating_sub(1);
        match key.code {
            KeyCode::Char('q') => return Next::Quit,
            KeyCode::Esc if self.filter.is_empty() => return Next::Quit,
            KeyCode::Esc => {
                self.filter.clear();
                return Next::Ask;
            }
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.has_help = true,
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Char('s') => self.sort_by = self.sort_by.next(),
            KeyCode::Char('r') => self.is_reversed = !self.is_reversed,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char(digit @ '1'..='5') => self.go((digit as usize) - ('1' as usize)),
            KeyCode::Tab | KeyCode::Right => self.show(self.pane.beside(1)),
            KeyCode::BackTab | KeyCode::Left => self.show(self.pane.beside(Pane::ALL.len() - 1)),
            KeyCode::Down | KeyCode::Char('j') => self.chosen = (self.chosen + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Home => self.chosen = 0,
            KeyCode::End => self.chosen = last,
            _ => return Next::Nothing,
        }
        Next::Draw
    }

    fn go(&mut self, place: usize) {
        if let Some(pane) = Pane::ALL.get(place) {
            self.show(*pane);
        }
    }

    fn show(&mut self, pane: Pane) {
        self.pane = pane;
        self.chosen = 0;
    }

    fn type_filter(&mut self, key: KeyCode) -> Next {
        match key {
            KeyCode::Enter => {
                self.is_filtering = false;
                return Next::Draw;
            }
            KeyCode::Esc => {
                self.is_filtering = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) if self.filter.chars().count() < FILTER_MAX => self.filter.push(letter),
            _ => return Next::Nothing,
        }
        self.chosen = 0;
        Next::Ask
    }

    /// How many rows may be chosen.
    pub(super) fn rows(&self, model: &Model) -> usize {
        match self.pane {
            Pane::Routes => list(&model.last["routes"], "rows").len(),
            Pane::Clusters => list(&model.last["clusters"], "rows").len(),
            Pane::Reloads => model.loads.len(),
            Pane::Summary | Pane::Workers => 0,
        }
    }

    /// The routes, sorted.
    pub(super) fn routes(&self, model: &Model) -> Vec<Row> {
        let row = |value: &Value| {
            let (name, host) = (text(value, "name"), text(value, "host"));
            let mut row = Row::new(model, value, |sums| sums.route(name, host));
            if name.is_empty() {
                row.name = "no route".to_owned();
            }
            row.more = clean(host);
            row
        };
        self.sorted(list(&model.last["routes"], "rows").iter().map(row).collect())
    }

    /// The clusters, sorted; as long as nothing else is asked for, those with trouble come first.
    pub(super) fn clusters(&self, model: &Model) -> Vec<Row> {
        let row = |value: &Value| {
            let mut row = Row::new(model, value, |sums| sums.cluster(text(value, "name")));
            row.more = clean(text(value, "source"));
            row
        };
        let rows = self.sorted(list(&model.last["clusters"], "rows").iter().map(row).collect());
        let (bad, good): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(Row::is_bad);
        bad.into_iter().chain(good).collect()
    }

    fn sorted(&self, mut rows: Vec<Row>) -> Vec<Row> {
        // Rows that are equal stay in the gateway's order.
        rows.sort_by(|a, b| self.sort_by.compare(a, b));
        if self.is_reversed {
            rows.reverse();
        }
        rows
    }
}

impl Row {
    fn new(model: &Model, value: &Value, of: impl for<'s> Fn(&'s Sums) -> Option<&'s Counted> + Copy) -> Row {
        let rate =
            |span_ms, number: fn(&Counted) -> u64| model.rate_of(span_ms, |sums| Some(number(of(sums)?)));
        Row {
            name: clean(text(value, "name")),
            more: String::new(),
            total: number(value, "requests"),
            rate: rate(RATE_MS, |counted| counted.requests),
            minute: rate(MINUTE_MS, |counted| counted.requests),
            client_errors: rate(MINUTE_MS, |counted| counted.client_errors),
            server_errors: rate(MINUTE_MS, |counted| counted.server_errors),
            latency: model.percentiles(of),
            value: value.clone(),
        }
    }

    /// Of a cluster: whether somebody should look at it.
    pub(super) fn is_bad(&self) -> bool {
        let endpoints = number(&self.value["endpoints"], "total");
        endpoints == 0 || number(&self.value, "good") < endpoints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn press(screen: &mut Screen, code: KeyCode) -> Next {
        screen.press(KeyEvent::from(code), 3)
    }

    fn row(name: &str, requests: u64, endpoints: u64) -> Value {
        json!({"name": name, "host": "h", "source": "s", "requests": requests, "good": 1,
               "endpoints": {"total": endpoints}, "latency": []})
    }

    #[test]
    fn keys_go_from_pane_to_pane() {
        let mut screen = Screen::default();
        assert_eq!(press(&mut screen, KeyCode::Char('4')), Next::Draw);
        assert_eq!(screen.pane, Pane::Clusters);
        press(&mut screen, KeyCode::Tab);
        press(&mut screen, KeyCode::Tab);
        assert_eq!(screen.pane, Pane::Summary);
        press(&mut screen, KeyCode::Left);
        assert_eq!(screen.pane, Pane::Reloads);
        (0..9).for_each(|_| {
            press(&mut screen, KeyCode::Down);
        });
        assert_eq!(screen.chosen, 2);
        assert_eq!(press(&mut screen, KeyCode::Char('x')), Next::Nothing);
        assert_eq!(press(&mut screen, KeyCode::Char('q')), Next::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(screen.press(control_c, 0), Next::Quit);
    }

    #[test]
    fn a_filter_is_typed_and_taken_away() {
        let mut screen = Screen::default();
        press(&mut screen, KeyCode::Char('/'));
        assert_eq!(press(&mut screen, KeyCode::Char('q')), Next::Ask);
        press(&mut screen, KeyCode::Char('s'));
        press(&mut screen, KeyCode::Backspace);
        press(&mut screen, KeyCode::Enter);
        assert_eq!((screen.filter.as_str(), screen.is_filtering), ("q", false));
        // The first takes the filter away, the second ends.
        assert_eq!(press(&mut screen, KeyCode::Esc), Next::Ask);
        assert_eq!(press(&mut screen, KeyCode::Esc), Next::Quit);
    }

    #[test]
    fn help_goes_with_any_key() {
        let mut screen = Screen::default();
        press(&mut screen, KeyCode::Char('?'));
        assert!(screen.has_help);
        assert_eq!(press(&mut screen, KeyCode::Char('q')), Next::Draw);
        assert!(!screen.has_help);
    }

    #[test]
    fn rows_are_sorted_and_trouble_comes_first() {
        let mut model = Model::default();
        let rows = [row("b", 5, 1), row("A", 7, 1), row("c\u{1b}", 1, 2), row("", 2, 1)];
        model.take(json!({"routes": {"rows": rows}, "clusters": {"rows": rows}}));
        let names = |rows: Vec<Row>| rows.into_iter().map(|row| row.name).collect::<Vec<_>>();
        let mut screen = Screen { sort_by: SortBy::Total, ..Screen::default() };
        assert_eq!(names(screen.routes(&model)), ["A", "b", "no route", "c\u{fffd}"]);
        assert_eq!(names(screen.clusters(&model)), ["c\u{fffd}", "A", "b", ""]);
        (screen.sort_by, screen.is_reversed) = (SortBy::Name, true);
        assert_eq!(names(screen.routes(&model)), ["no route", "c\u{fffd}", "b", "A"]);
    }
}
