//! The picture: bars above, latency curves beneath, one document of SVG.

use super::bars;
use super::curves;
use super::data::{Report, Work};
use super::draw::{Drawing, MARGIN, Side, WIDTH};

/// What the words above the bars take.
const HEAD: f64 = 86.0;
/// What the words above the curves take.
const CURVES_HEAD: f64 = 46.0;

/// The document.
pub(super) fn svg(report: &Report) -> String {
    let works: Vec<Work> = report.works.iter().filter(|work| !work.is_latency()).cloned().collect();
    let families = curves::families(&report.works);
    let curves_top = bars::bottom(&works, HEAD) + 8.0;
    let curves_head = if families.is_empty() { 0.0 } else { CURVES_HEAD };
    let height = curves_top + curves_head + curves::height(&families);
    let mut drawing = Drawing::begin(height, "What sluicegate and its peers spend on the same work");
    head(&mut drawing, report);
    bars::draw(&mut drawing, &works, HEAD);
    if !families.is_empty() {
        drawing.words("head", (MARGIN, curves_top + 18.0), Side::After, "Latency at fixed rates");
        let words = "From the moment at which a request was due. Every nine of the percentiles is the same distance; \
            milliseconds are logarithmic.";
        drawing.words("soft", (MARGIN, curves_top + 36.0), Side::After, words);
        curves::draw(&mut drawing, &families, curves_top + curves_head);
    }
    drawing.finish()
}

fn head(drawing: &mut Drawing, report: &Report) {
    let title = "What the same work costs, as a share of the best peer's figure";
    drawing.words("head", (MARGIN, 32.0), Side::After, title);
    let words = format!(
        "Shorter is better. Median of up to {} rounds; the figure stands at the bar, then its share.",
        report.rounds
    );
    drawing.words("soft", (MARGIN, 50.0), Side::After, &words);
    let mut x = MARGIN;
    let foot = 70.0;
    drawing.line("axis", (x + 4.0, foot - 12.0), (x + 4.0, foot));
    drawing.words("soft", (x + 12.0, foot - 2.0), Side::After, "the best peer (of setups, the first)");
    x += 212.0;
    drawing.line("aim", (x, foot - 12.0), (x, foot));
    drawing.words("soft", (x + 8.0, foot - 2.0), Side::After, "to be reached");
    x += 108.0;
    drawing.line("whisker", (x, foot - 6.0), (x + 18.0, foot - 6.0));
    for end in [x, x + 18.0] {
        drawing.line("whisker", (end, foot - 9.0), (end, foot - 3.0));
    }
    drawing.words("soft", (x + 25.0, foot - 2.0), Side::After, "smallest and largest round");
    let machine = format!("{}, Linux {}", report.cpu, report.release());
    drawing.words("soft", (WIDTH - MARGIN, foot - 2.0), Side::Before, &machine);
}

#[cfg(test)]
mod tests {
    use super::super::data::samples::{report, work};
    use super::super::data::{Latency, Row};
    use super::*;

    fn whole() -> Report {
        let mut asked = work("tls@70", &[("nginx", 1.0)]);
        asked.load_share = Some(0.7);
        asked.rows = vec![Row {
            proxy: "nginx".to_owned(),
            latency: Some(Latency { curve: vec![(0.5, 1.0), (1.0, 2.0)], ..Latency::default() }),
            ..Row::default()
        }];
        let mut report = report(vec![work("h1", &[("nginx", 12.0), ("sluicegate", 11.0)]), asked]);
        report.cpu = "A < B & \"C\"".to_owned();
        report
    }

    #[test]
    fn a_picture_is_valid_and_all_of_it_is_on_the_paper() {
        let text = svg(&whole());
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
        let height: f64 = root.attribute("height").unwrap().parse().unwrap();
        for node in document.descendants() {
            assert!(!matches!(node.tag_name().name(), "script" | "image" | "foreignObject"), "{text}");
            for (name, limit) in [("x", WIDTH), ("x2", WIDTH), ("y", height), ("y2", height)] {
                let place: Option<f64> = node.attribute(name).and_then(|value| value.parse().ok());
                assert!(place.is_none_or(|place| (0.0..=limit).contains(&place)), "{name} of {node:?}");
            }
        }
        let names: Vec<&str> = document
            .descendants()
            .filter(|node| node.attribute("class") == Some("name"))
            .filter_map(|node| node.text())
            .collect();
        assert_eq!(names, ["h1", "tls"], "asked at a fixed rate, a work has curves and no bars");
    }

    #[test]
    fn a_report_without_works_is_a_picture_too() {
        for report in [Report::default(), report(vec![work("h1", &[])])] {
            assert!(roxmltree::Document::parse(&svg(&report)).is_ok());
        }
    }
}
