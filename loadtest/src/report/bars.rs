//! The bars: a group for each work, a bar for each proxy, as shares of the best peer's figure.

use super::data::{Row, Work};
use super::draw::{Drawing, MARGIN, Side, WIDTH, class_of, cut, wrapped};
use super::scale::Linear;
use super::words;

/// Two groups stand beside each other, with this between them.
const BETWEEN: f64 = 32.0;
/// From the left end of a group: where names end, where bars begin and end, where figures and ratios end.
const NAMES_END: f64 = 114.0;
const BARS_BEGIN: f64 = 120.0;
const BARS_END: f64 = 342.0;
const FIGURES_END: f64 = 405.0;
/// From one bar to the next, and the height of one.
const PITCH: f64 = 15.0;
const THICKNESS: f64 = 10.0;
/// The first line of a group, each line of what it is about, what is free before the bars, the ticks beneath, and what is
/// free beneath them.
const TITLE: f64 = 19.0;
const ABOUT: f64 = 13.0;
const BEFORE_BARS: f64 = 6.0;
const TICKS: f64 = 14.0;
const FREE: f64 = 22.0;
/// Characters that fit into a line of a group in the size of what it is about.
const LINE_CHARACTERS: usize = 72;
/// Where the bars end, as a share of the best peer's figure: most proxies are within it, and differences are still seen.
const USUAL_END: f64 = 2.5;

/// Draws all groups beneath `top`, in two columns.
pub(super) fn draw(drawing: &mut Drawing, works: &[Work], top: f64) {
    let (left, right) = works.split_at(split(works));
    let second = MARGIN + group_width() + BETWEEN;
    column(drawing, left, MARGIN, top);
    column(drawing, right, second, top);
}

/// Where the bars of all these works end, without drawing them.
pub(super) fn bottom(works: &[Work], top: f64) -> f64 {
    let (left, right) = works.split_at(split(works));
    top + heights(left).max(heights(right))
}

/// How many works go into the first column, so that the two are as equal as may be.
fn split(works: &[Work]) -> usize {
    let worse = |at: &usize| {
        let (left, right) = works.split_at(*at);
        heights(left).max(heights(right))
    };
    // Of two that are equal the one with more on the left.
    (0..=works.len()).rev().min_by(|one, other| worse(one).total_cmp(&worse(other))).unwrap_or_default()
}

fn heights(works: &[Work]) -> f64 {
    works.iter().map(height).sum()
}

fn height(work: &Work) -> f64 {
    let about = wrapped(&work.about, LINE_CHARACTERS).len() as f64;
    TITLE + ABOUT * about + BEFORE_BARS + PITCH * work.rows.len() as f64 + TICKS + FREE
}

fn group_width() -> f64 {
    (WIDTH - 2.0 * MARGIN - BETWEEN) / 2.0
}

fn column(drawing: &mut Drawing, works: &[Work], left: f64, top: f64) {
    let mut y = top;
    for work in works {
        group(drawing, work, left, y);
        y += height(work);
    }
}

fn group(drawing: &mut Drawing, work: &Work, left: f64, top: f64) {
    drawing.words("name", (left, top + 12.0), Side::After, &work.name);
    drawing.words("soft", (left + group_width(), top + 12.0), Side::Before, &verdict(work));
    let mut y = top + TITLE;
    for line in wrapped(&work.about, LINE_CHARACTERS) {
        drawing.words("soft", (left, y + 9.0), Side::After, &line);
        y += ABOUT;
    }
    y += BEFORE_BARS;
    let foot = y + PITCH * work.rows.len() as f64;
    let base = work.base().and_then(Row::figure).map(|(figure, _, _)| figure).filter(|base| *base > 0.0);
    let measure = base.map(|base| Measure { base, axis: axis(work, base, left) });
    if let Some(measure) = measure {
        grid(drawing, measure.axis, y - 2.0, foot);
    }
    for (at, row) in work.rows.iter().enumerate() {
        let y = y + PITCH * at as f64;
        let class = if row.is_gateway() { "own" } else { "soft" };
        drawing.words(class, (left + NAMES_END, y + 9.0), Side::Before, &cut(name(row), 17));
        match measure.zip(row.figure()) {
            Some((measure, figure)) => {
                measure.bar(drawing, row, figure, y);
                figures(drawing, work, row, (left, y));
            }
            None => no_figure(drawing, row, (left + BARS_BEGIN, y)),
        }
    }
    if let Some(measure) = measure {
        let best = measure.axis.place(1.0);
        drawing.line("axis", (best, y - 2.0), (best, foot));
        for aim in work.aims() {
            let x = measure.axis.place(aim / measure.base);
            drawing.line("aim", (x, y - 2.0), (x, foot));
        }
    }
}

/// A setup of the project goes by what it adds, for the whole name is longer than the place that it has.
fn name(row: &Row) -> &str {
    let setup = row.proxy.find('+').filter(|_| row.is_gateway());
    setup.and_then(|at| row.proxy.get(at..)).unwrap_or(&row.proxy)
}

/// What the bars of a group are measured by.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// The figure whose share is 1.
    base: f64,
    /// Of shares.
    axis: Linear,
}

impl Measure {
    fn bar(&self, drawing: &mut Drawing, row: &Row, (median, min, max): (f64, f64, f64), y: f64) {
        let Measure { base, axis } = *self;
        let width = (axis.place(median / base) - axis.from).max(0.5);
        drawing.rect(&class_of(row.program()), (axis.from, y), (width, THICKNESS));
        if axis.is_beyond(median / base) {
            // A gap says that the bar is longer than the paper.
            let x = axis.to - 16.0;
            let gap = [(x + 3.0, y - 1.0), (x + 7.0, y - 1.0), (x + 3.0, y + 11.0), (x - 1.0, y + 11.0)];
            drawing.shape("paper", &gap);
            return;
        }
        let middle = y + THICKNESS / 2.0;
        let (low, high) = (axis.place(min / base), axis.place(max / base));
        drawing.line("whisker", (low, middle), (high, middle));
        for x in [low, high] {
            drawing.line("whisker", (x, middle - 3.0), (x, middle + 3.0));
        }
    }
}

/// The usual end, or one farther off where the project's own bar or what it is to reach would be beyond.
fn axis(work: &Work, base: f64, left: f64) -> Linear {
    let own = work.rows.iter().filter(|row| row.is_gateway()).filter_map(Row::figure).map(|(_, _, max)| max);
    let farthest = own.chain(work.aims()).fold(0.0_f64, f64::max) / base;
    let last = if farthest <= USUAL_END { USUAL_END } else { farthest.ceil() };
    Linear { from: left + BARS_BEGIN, to: left + BARS_END, last }
}

fn grid(drawing: &mut Drawing, axis: Linear, top: f64, foot: f64) {
    let step = match axis.last {
        last if last <= USUAL_END => 0.5,
        last if last <= 6.0 => 1.0,
        last => (last / 5.0).ceil(),
    };
    let mut value = 0.0;
    while value <= axis.last {
        let x = axis.place(value);
        drawing.line("grid", (x, top), (x, foot));
        drawing.words("soft tick", (x, foot + 10.0), Side::Around, &format!("{value}"));
        value += step;
    }
}

fn no_figure(drawing: &mut Drawing, row: &Row, (x, y): (f64, f64)) {
    let why = row.errors.first().map_or("not measured", String::as_str);
    drawing.words("soft", (x, y + 9.0), Side::After, &cut(&format!("no figure: {why}"), 58));
}

fn figures(drawing: &mut Drawing, work: &Work, row: &Row, (left, y): (f64, f64)) {
    let class = if row.is_gateway() { "own" } else { "" };
    let figure = row.figure().map(|(median, _, _)| words::with_unit(median, &work.unit)).unwrap_or_default();
    drawing.words(class, (left + FIGURES_END, y + 9.0), Side::Before, &figure);
    let ratio = work.ratio(row).map(|ratio| format!("{}\u{d7}", words::figure(ratio))).unwrap_or_default();
    drawing.words("soft", (left + group_width(), y + 9.0), Side::Before, &ratio);
}

/// The first comparison that has a target, in a few words.
fn verdict(work: &Work) -> String {
    let Some((told, at_most)) = work.targeted().find_map(|told| Some((told, told.at_most?))) else {
        return String::new();
    };
    // The other's name is in what was reached already.
    let target = match told.other {
        Some(_) if !told.is_difference => format!("{at_most:.2}"),
        _ => words::with_unit(at_most, &work.unit),
    };
    let result = told.result(&work.unit).map(|result| format!("{result}, ")).unwrap_or_default();
    format!("{result}target {target}: {}", told.verdict())
}

#[cfg(test)]
mod tests {
    use super::super::data::Comparison;
    use super::super::data::samples;
    use super::super::data::samples::work;
    use super::*;

    fn drawn(work: &Work) -> String {
        let mut drawing = Drawing::begin(200.0, "t");
        draw(&mut drawing, std::slice::from_ref(work), 0.0);
        drawing.finish()
    }

    /// The widths of the boxes of a program's class.
    fn widths(text: &str, class: &str) -> Vec<f64> {
        let document = roxmltree::Document::parse(text).unwrap();
        let own = |node: &roxmltree::Node<'_, '_>| {
            node.tag_name().name() == "rect" && node.attribute("class") == Some(class)
        };
        document
            .descendants()
            .filter(own)
            .map(|node| node.attribute("width").unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn bars_are_as_long_as_their_shares() {
        let text = drawn(&work("h1", &[("nginx", 12.0), ("haproxy", 24.0), ("sluicegate", 6.0)]));
        let one = (BARS_END - BARS_BEGIN) / USUAL_END;
        for (class, share) in [("of-nginx", 1.0), ("of-haproxy", 2.0), ("of-sluicegate", 0.5)] {
            let widths = widths(&text, class);
            assert_eq!(widths.len(), 1, "{class}");
            assert!((widths[0] - share * one).abs() <= 0.05, "{class}: {widths:?}");
        }
    }

    #[test]
    fn a_bar_that_is_longer_than_the_paper_ends_there_with_a_gap() {
        let text = drawn(&work("h1", &[("nginx", 1.0), ("envoy", 2.6), ("sluicegate", 1.0)]));
        assert_eq!(widths(&text, "of-envoy"), [BARS_END - BARS_BEGIN]);
        assert_eq!(text.matches("<polygon").count(), 1);
        assert!(text.contains(">2.60\u{d7}<"), "{text}");
        let text = drawn(&work("h1", &[("nginx", 1.0), ("envoy", 2.5), ("sluicegate", 1.0)]));
        assert_eq!(text.matches("<polygon").count(), 0, "it just fits");
    }

    #[test]
    fn the_projects_own_bar_always_fits() {
        let text = drawn(&work("idle", &[("nginx", 0.5), ("sluicegate", 3.5)]));
        assert_eq!(text.matches("<polygon").count(), 0);
        assert!(widths(&text, "of-sluicegate")[0] < BARS_END - BARS_BEGIN);
        assert!(text.contains(">6<"), "ticks of 2 up to 8: {text}");
    }

    #[test]
    fn rows_without_figures_and_works_without_rows_are_drawn() {
        let mut failed = work("h1", &[("nginx", 1.0)]);
        failed.rows[0].median = None;
        failed.rows[0].errors.push("round 1: <closed>".to_owned());
        let text = drawn(&failed);
        assert!(text.contains("no figure: round 1: &lt;closed&gt;"), "{text}");
        assert_eq!(widths(&text, "of-nginx"), [0.0; 0]);
        assert!(drawn(&work("empty", &[])).contains("about empty"));
    }

    #[test]
    fn every_target_is_a_line() {
        let mut work = work("h1", &[("floor", 10.0), ("nginx", 12.0), ("sluicegate", 11.0)]);
        let compared = |other: &str, value, limit, reached| Comparison {
            value: Some(value),
            reached: Some(reached),
            ..samples::compared("sluicegate", Some(other), limit)
        };
        work.comparisons = vec![compared("floor", 1.1, 1.08, false), compared("nginx", 0.92, 1.0, true)];
        let text = drawn(&work);
        assert_eq!(text.matches("class=\"aim\"").count(), 2);
        assert!(text.contains("1.10 of floor, target 1.08: missed"), "{text}");
    }

    #[test]
    fn columns_are_balanced_and_keep_their_order() {
        let works: Vec<Work> = (0..5).map(|_| work("h1", &[("nginx", 1.0)])).collect();
        assert_eq!(split(&works), 3);
        assert_eq!(split(&works[..1]), 1);
        assert_eq!(split(&[]), 0);
        assert_eq!(bottom(&works, 10.0), 10.0 + 3.0 * height(&works[0]));
    }
}
