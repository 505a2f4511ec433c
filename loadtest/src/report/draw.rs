//! Draws on paper of a fixed width: lines, boxes, words and marks, in the colours of a style sheet with a light and a dark half.

use super::xml::Xml;

/// The width of the picture, in its own units, which are pixels where it is shown in its own size.
pub(super) const WIDTH: f64 = 980.0;
/// Free space at the edges.
pub(super) const MARGIN: f64 = 24.0;

/// Colours that people with any kind of colour blindness tell apart (those of Okabe and Ito), for white and for black paper.
/// A program that is not here is grey.
const COLOURS: [(&str, &str, &str); 6] = [
    ("sluicegate", "#0072b2", "#56b4e9"),
    ("nginx", "#009e73", "#2cc397"),
    ("haproxy", "#e69f00", "#f0b429"),
    ("envoy", "#cc79a7", "#e3a3c6"),
    ("caddy", "#d55e00", "#f5853f"),
    ("before", "#6a5acd", "#b0a6f5"),
];
/// Of what has no colour of its own.
const GREY: (&str, &str) = ("#7b8791", "#98a4ae");

/// What tells the lines of two programs apart without their colours, in the order of [`COLOURS`]: dashes and a mark.
const DASHES: [&str; 7] = ["none", "7 3", "2 3", "9 3 2 3", "5 5", "1 4", "12 4"];

/// A drawing under way.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    xml: Xml,
}

/// Which side of a place words are on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Side {
    /// They begin there.
    After,
    /// They end there.
    Before,
    /// They are centred on it.
    Around,
}

impl Drawing {
    /// Paper of that height, with what it shows in words for those who cannot see it.
    pub(super) fn begin(height: f64, title: &str) -> Drawing {
        let mut xml = Xml::default();
        xml.begin(
            "svg",
            &[
                ("xmlns", "http://www.w3.org/2000/svg".to_owned()),
                ("viewBox", format!("0 0 {} {}", number(WIDTH), number(height))),
                ("width", number(WIDTH)),
                ("height", number(height)),
                ("role", "img".to_owned()),
                (
                    "font-family",
                    "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif".to_owned(),
                ),
            ],
        );
        xml.words("title", &[], title);
        xml.words("style", &[], &style());
        let mut drawing = Drawing { xml };
        drawing.rect("paper", (0.0, 0.0), (WIDTH, height));
        drawing
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.xml.finish()
    }

    /// A line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.xml.empty(
            "line",
            &[
                ("class", class.to_owned()),
                ("x1", number(from.0)),
                ("y1", number(from.1)),
                ("x2", number(to.0)),
                ("y2", number(to.1)),
            ],
        );
    }

    /// A box: its corner at the top left, its width and height.
    pub(super) fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64)) {
        self.xml.empty(
            "rect",
            &[
                ("class", class.to_owned()),
                ("x", number(corner.0)),
                ("y", number(corner.1)),
                ("width", number(size.0)),
                ("height", number(size.1)),
            ],
        );
    }

    /// Words, their foot at that place.
    pub(super) fn words(&mut self, class: &str, place: (f64, f64), side: Side, words: &str) {
        let anchor = match side {
            Side::After => "start",
            Side::Before => "end",
            Side::Around => "middle",
        };
        let attributes = [
            ("class", class.to_owned()),
            ("x", number(place.0)),
            ("y", number(place.1)),
            ("text-anchor", anchor.to_owned()),
        ];
        self.xml.words("text", &attributes, words);
    }

    /// A closed shape through these places.
    pub(super) fn shape(&mut self, class: &str, places: &[(f64, f64)]) {
        self.xml.empty("polygon", &[("class", class.to_owned()), ("points", points(places))]);
    }

    /// A program's line through these places.
    pub(super) fn curve(&mut self, program: &str, faint: bool, places: &[(f64, f64)]) {
        let class = format!("curve {}{}", class_of(program), if faint { " weak" } else { "" });
        let dashes = DASHES.get(index_of(program)).copied().unwrap_or("none");
        self.xml.empty(
            "polyline",
            &[("class", class), ("stroke-dasharray", dashes.to_owned()), ("points", points(places))],
        );
    }

    /// A program's mark.
    pub(super) fn mark(&mut self, program: &str, faint: bool, (x, y): (f64, f64)) {
        let class = format!("{}{}", class_of(program), if faint { " weak" } else { "" });
        let r = 3.4;
        match index_of(program) {
            0 => self
                .xml
                .empty("circle", &[("class", class), ("cx", number(x)), ("cy", number(y)), ("r", number(r))]),
            1 => self.rect(&class, (x - 3.0, y - 3.0), (6.0, 6.0)),
            2 => self.shape(&class, &[(x, y - r), (x + r, y + 3.0), (x - r, y + 3.0)]),
            3 => self.shape(&class, &[(x, y - 4.0), (x + 4.0, y), (x, y + 4.0), (x - 4.0, y)]),
            4 => self.shape(&class, &[(x, y + r), (x + r, y - 3.0), (x - r, y - 3.0)]),
            _ => self.rect(&class, (x - 1.5, y - 4.0), (3.0, 8.0)),
        }
    }
}

/// The class of the style sheet that has a program's colour; a name never gets into the sheet or a class by itself.
pub(super) fn class_of(program: &str) -> String {
    COLOURS
        .iter()
        .find(|(name, _, _)| *name == program)
        .map_or("of-other".to_owned(), |(name, _, _)| format!("of-{name}"))
}

/// Words cut after so many characters, with a sign that they are.
pub(super) fn cut(words: &str, characters: usize) -> String {
    if words.chars().count() <= characters {
        return words.to_owned();
    }
    let kept: String = words.chars().take(characters.saturating_sub(1)).collect();
    format!("{}\u{2026}", kept.trim_end())
}

/// Words in lines of so many characters at most, but for words that are longer by themselves.
pub(super) fn wrapped(words: &str, characters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= characters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn index_of(program: &str) -> usize {
    COLOURS.iter().position(|(name, _, _)| *name == program).unwrap_or(COLOURS.len())
}

fn style() -> String {
    let half = |dark: bool| {
        let pick = |light: &str, black: &str| if dark { black.to_owned() } else { light.to_owned() };
        let (paper, ink, soft, grid) = (
            pick("#ffffff", "#12161b"),
            pick("#1b2127", "#e8edf2"),
            pick("#56616b", "#a3afba"),
            pick("#dfe4e8", "#2c343c"),
        );
        let colours = COLOURS.iter().map(|(name, light, black)| (*name, *light, *black));
        let programs: String = colours
            .chain([("other", GREY.0, GREY.1)])
            .map(|(name, light, black)| {
                let colour = pick(light, black);
                format!(".of-{name}{{fill:{colour};stroke:{colour}}}")
            })
            .collect();
        format!(
            ".paper{{fill:{paper}}}text{{fill:{ink}}}.soft{{fill:{soft}}}.grid{{stroke:{grid}}}.axis{{stroke:{soft}}}\
             .whisker,.aim{{stroke:{ink}}}{programs}.curve{{fill:none}}"
        )
    };
    format!(
        "{}text{{font-size:11px}}.head{{font-size:19px;font-weight:600}}.name{{font-size:13px;font-weight:600}}\
         .own{{font-weight:700}}.tick{{font-size:9.5px}}rect,polygon{{stroke-width:0}}line{{stroke-width:1}}\
         .whisker{{stroke-width:1.2}}.aim{{stroke-width:1.6;stroke-dasharray:4 2.5}}.curve{{stroke-width:1.8}}.weak{{opacity:.35}}\
         @media (prefers-color-scheme:dark){{{}}}",
        half(false),
        half(true)
    )
}

fn points(places: &[(f64, f64)]) -> String {
    let places: Vec<String> = places.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
    places.join(" ")
}

fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_xml_whatever_the_words_are() {
        let mut drawing = Drawing::begin(50.0, "a < b");
        drawing.words("\"><script>", (1.0, 2.0), Side::Around, "<script>alert(1)</script> & more");
        drawing.curve("nginx", true, &[(0.0, 0.0), (10.25, 3.0)]);
        for program in ["sluicegate", "nginx", "haproxy", "envoy", "caddy", "floor", "</svg>"] {
            drawing.mark(program, false, (5.0, 5.0));
        }
        let text = drawing.finish();
        let document = roxmltree::Document::parse(&text).unwrap();
        assert!(document.descendants().all(|node| node.tag_name().name() != "script"), "{text}");
        assert!(text.contains("points=\"0,0 10.2,3\""), "{text}");
    }

    #[test]
    fn programs_have_colours_of_their_own() {
        assert_eq!(class_of("envoy"), "of-envoy");
        assert_eq!(class_of("floor"), "of-other");
        for (at, (name, light, black)) in COLOURS.iter().enumerate() {
            let same =
                |other: &(&str, &str, &str)| other.0 == *name || other.1 == *light || other.2 == *black;
            assert!(!COLOURS[at + 1..].iter().any(same), "{name}");
        }
        assert_eq!(DASHES.len(), COLOURS.len() + 1, "one for each, and one for all others");
    }

    #[test]
    fn words_are_cut_and_wrapped_at_the_last_that_fits() {
        assert_eq!([cut("abcd", 4), cut("abcde", 4)], ["abcd", "abc\u{2026}"]);
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("aa bb cc", 4), ["aa", "bb", "cc"]);
        assert_eq!(wrapped("", 4), [""; 0]);
    }
}
