//! The latency curves: a row of panels for each work that was asked at fixed rates, a panel for each share of the capacity.

use super::data::{Row, Work};
use super::draw::{Drawing, MARGIN, Side, WIDTH};
use super::scale::{Logarithmic, Percentiles};
use super::words;

/// Free space between panels, and the panels of a row.
const BETWEEN: f64 = 22.0;
const PER_ROW: usize = 3;
/// Within a panel: what the words above take, the height of the axes, and what the words beneath take.
const ABOVE: f64 = 20.0;
const AXES: f64 = 170.0;
const BENEATH: f64 = 44.0;
/// From the left edge of a panel to its axes: room for milliseconds.
const MILLISECONDS: f64 = 36.0;
/// What a row of panels takes above them.
const TITLE: f64 = 24.0;
/// The legend above all.
const LEGEND: f64 = 22.0;
/// Percentiles that have a line, and a mark on every curve.
const MARKED: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
/// What is drawn; the largest value stands at the end. Below its middle a curve says nothing that matters.
const FIRST: f64 = 50.0;
const LAST: f64 = 99.99;

/// Percentile and milliseconds, ascending.
type Points = Vec<(f64, f64)>;

/// Works that were asked at fixed rates, those of the same name but for the share together.
pub(super) fn families(works: &[Work]) -> Vec<Vec<&Work>> {
    let mut families: Vec<Vec<&Work>> = Vec::new();
    for work in works.iter().filter(|work| work.is_latency()) {
        match families.iter_mut().find(|family| family.iter().any(|other| stem(other) == stem(work))) {
            Some(family) => family.push(work),
            None => families.push(vec![work]),
        }
    }
    families
}

/// The name without the share at its end: `h1` of `h1@70`.
fn stem(work: &Work) -> &str {
    work.name.split('@').next().unwrap_or_default()
}

/// What all panels take, the legend included; nothing without any.
pub(super) fn height(families: &[Vec<&Work>]) -> f64 {
    if families.is_empty() {
        return 0.0;
    }
    let rows: usize = families.iter().map(|family| family.len().div_ceil(PER_ROW)).sum();
    LEGEND + TITLE * families.len() as f64 + rows as f64 * panel_height()
}

fn panel_height() -> f64 {
    ABOVE + AXES + BENEATH
}

/// Draws all panels beneath `top`.
pub(super) fn draw(drawing: &mut Drawing, families: &[Vec<&Work>], top: f64) {
    legend(drawing, families, top);
    let width = (WIDTH - 2.0 * MARGIN - BETWEEN * (PER_ROW as f64 - 1.0)) / PER_ROW as f64;
    let mut y = top + LEGEND;
    for family in families {
        // What follows is the share, which every panel tells.
        let about = family.first().and_then(|work| work.about.split(", at ").next()).unwrap_or_default();
        let name = family.first().map(|work| stem(work)).unwrap_or_default();
        drawing.words("name", (MARGIN, y + 14.0), Side::After, name);
        drawing.words(
            "soft",
            (MARGIN + 9.0 * name.chars().count() as f64 + 12.0, y + 14.0),
            Side::After,
            about,
        );
        y += TITLE;
        // One scale for all of the row: the panels are there to be compared.
        let values = family.iter().flat_map(|work| &work.rows).flat_map(points).map(|(_, ms)| ms);
        let scale = Logarithmic::around(values, AXES, 0.0);
        for row in family.chunks(PER_ROW) {
            for (at, work) in row.iter().enumerate() {
                let x = MARGIN + (width + BETWEEN) * at as f64;
                Panel { x, y, width, scale }.draw(drawing, work);
            }
            y += panel_height();
        }
    }
}

/// Every program that has a curve, in the order in which they come first.
fn programs<'a>(families: &[Vec<&'a Work>]) -> Vec<&'a str> {
    let mut programs: Vec<&str> = Vec::new();
    let rows = families.iter().flatten().flat_map(|work| &work.rows);
    for row in rows.filter(|row| !points(row).is_empty()) {
        if !programs.contains(&row.program()) {
            programs.push(row.program());
        }
    }
    programs
}

fn legend(drawing: &mut Drawing, families: &[Vec<&Work>], top: f64) {
    let mut x = MARGIN;
    for program in programs(families) {
        drawing.curve(program, false, &[(x, top + 8.0), (x + 30.0, top + 8.0)]);
        drawing.mark(program, false, (x + 15.0, top + 8.0));
        drawing.words("", (x + 36.0, top + 12.0), Side::After, program);
        x += 36.0 + 7.0 * program.chars().count() as f64 + 22.0;
    }
}

struct Panel {
    x: f64,
    y: f64,
    width: f64,
    scale: Option<Logarithmic>,
}

impl Panel {
    fn draw(&self, drawing: &mut Drawing, work: &Work) {
        let title = match work.load_share {
            Some(share) => format!("at {} of each proxy's capacity", words::percent(share)),
            None => work.name.clone(),
        };
        let (left, top) = (self.x + MILLISECONDS, self.y + ABOVE);
        drawing.words("", (left, self.y + 12.0), Side::After, &title);
        let percentiles = Percentiles { from: left, to: self.x + self.width, first: FIRST, last: LAST };
        let Some(scale) = self.scale else {
            drawing.words("soft", (left, top + AXES / 2.0), Side::After, "no figure");
            return;
        };
        self.axes(drawing, percentiles, scale);
        let mut limited = Vec::new();
        for row in &work.rows {
            let points = points(row);
            let places: Vec<(f64, f64)> =
                points.iter().map(|(p, ms)| (percentiles.place(*p), top + scale.place(*ms))).collect();
            let faint = row.limited.is_some();
            drawing.curve(row.program(), faint, &places);
            for ((percentile, _), place) in points.iter().zip(&places) {
                if MARKED.iter().any(|marked| (marked - percentile).abs() < 1e-6) {
                    drawing.mark(row.program(), faint, *place);
                }
            }
            if faint {
                limited.push(row.proxy.as_str());
            }
        }
        if !limited.is_empty() {
            let words = format!("faint, and no verdict: {}", limited.join(", "));
            drawing.words("soft", (left, top + AXES + 34.0), Side::After, &words);
        }
    }

    fn axes(&self, drawing: &mut Drawing, percentiles: Percentiles, scale: Logarithmic) {
        let (left, right, top) = (percentiles.from, percentiles.to, self.y + ABOVE);
        for tick in scale.ticks() {
            let y = top + scale.place(tick);
            drawing.line("grid", (left, y), (right, y));
            let label = if tick >= 1.0 { format!("{tick:.0}") } else { short(tick) };
            drawing.words("soft tick", (left - 5.0, y + 3.0), Side::Before, &label);
        }
        drawing.words("soft tick", (left - 5.0, top - 9.0), Side::Before, "ms");
        for percentile in MARKED {
            let x = percentiles.place(percentile);
            drawing.line("grid", (x, top), (x, top + AXES));
            drawing.words("soft tick", (x, top + AXES + 13.0), Side::Around, &words::percentile(percentile));
        }
        drawing.words("soft tick", (right, top + AXES + 13.0), Side::Before, "max");
        drawing.line("axis", (left, top + AXES), (right, top + AXES));
    }
}

/// `0.05` without zeros at its end.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is drawn of a row's curve; nothing where errors cost it its figure.
fn points(row: &Row) -> Points {
    let Some(latency) = row.latency.as_ref().filter(|_| row.errors.is_empty()) else {
        return Vec::new();
    };
    let mut points: Points = latency.curve.iter().map(|(quantile, ms)| (100.0 * quantile, *ms)).collect();
    points.retain(|(percentile, ms)| (FIRST..=100.0).contains(percentile) && ms.is_finite() && *ms > 0.0);
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

#[cfg(test)]
mod tests {
    use super::super::data::Latency;
    use super::super::data::samples::{row, work};
    use super::*;

    fn asked(name: &str, share: f64, curves: &[(&str, &[(f64, f64)])]) -> Work {
        let rows = curves.iter().map(|(proxy, curve)| Row {
            latency: Some(Latency { curve: curve.to_vec(), ..Latency::default() }),
            ..row(proxy, 1.0)
        });
        Work { load_share: Some(share), rows: rows.collect(), ..work(name, &[]) }
    }

    #[test]
    fn shares_of_one_work_are_a_family() {
        let works = [
            asked("h1@50", 0.5, &[]),
            work("h1", &[("nginx", 1.0)]),
            asked("tls@50", 0.5, &[]),
            asked("h1@70", 0.7, &[]),
        ];
        let names: Vec<Vec<&str>> = families(&works)
            .iter()
            .map(|family| family.iter().map(|work| work.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["h1@50", "h1@70"], vec!["tls@50"]]);
        assert_eq!(height(&families(&works)), LEGEND + 2.0 * (TITLE + panel_height()));
        assert_eq!(height(&[]), 0.0);
    }

    #[test]
    fn curves_rise_to_the_right_and_marks_are_where_percentiles_are() {
        let curve: &[(f64, f64)] = &[(0.0, 0.01), (0.5, 0.1), (0.9, 0.4), (0.999, 1.0), (1.0, 1.0)];
        let works = [asked("h1@70", 0.7, &[("nginx", curve)])];
        let mut drawing = Drawing::begin(500.0, "t");
        draw(&mut drawing, &families(&works), 0.0);
        let text = drawing.finish();
        let document = roxmltree::Document::parse(&text).unwrap();
        let lines: Vec<Vec<(f64, f64)>> = document
            .descendants()
            .filter_map(|node| node.attribute("points"))
            .map(|points| {
                let pairs = points.split(' ').map(|pair| pair.split_once(',').unwrap());
                pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
            })
            .collect();
        assert_eq!(lines.len(), 2, "the legend's and the curve's");
        assert_eq!(lines[1].len(), 4, "all from the middle on");
        assert!(
            lines[1].windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 >= pair[1].1),
            "{lines:?}"
        );
        let (first, last) = (lines[1][0], lines[1][3]);
        assert_eq!(first.0, MARGIN + MILLISECONDS);
        let foot = LEGEND + TITLE + ABOVE;
        assert_eq!((first.1, last.1), (foot + AXES, foot), "0.1 ms and 1 ms are the ends of the axis");
        assert_eq!(text.matches("class=\"of-nginx\"").count(), 4, "the legend's, p50, p90, p99.9: {text}");
    }

    #[test]
    fn what_was_limited_is_faint_and_named() {
        let mut work = asked("h1@90", 0.9, &[("envoy", &[(0.5, 1.0), (1.0, 2.0)])]);
        work.rows[0].limited = Some("the load generator's core was busy".to_owned());
        let works = [work];
        let mut drawing = Drawing::begin(500.0, "t");
        draw(&mut drawing, &families(&works), 0.0);
        let text = drawing.finish();
        assert!(
            text.contains("curve of-envoy weak") && text.contains("faint, and no verdict: envoy"),
            "{text}"
        );
    }

    #[test]
    fn of_a_curve_its_slower_half_is_drawn_and_with_errors_nothing() {
        let latency = Latency { curve: vec![(0.25, 0.5), (0.5, 1.0), (0.999, 3.0)], ..Latency::default() };
        let mut row = Row { latency: Some(latency), ..row("nginx", 1.0) };
        assert_eq!(points(&row), [(50.0, 1.0), (99.9, 3.0)]);
        row.errors.push("closed".to_owned());
        assert_eq!(points(&row), []);
    }

    #[test]
    fn small_milliseconds_have_no_zeros_at_their_end() {
        assert_eq!([0.05, 0.5, 0.0002].map(short), ["0.05", "0.5", "0.0002"]);
    }
}
