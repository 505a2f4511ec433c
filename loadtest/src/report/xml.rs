//! Writes XML: elements, attributes, text, all of them escaped.

use std::fmt::Write;

/// A document that grows from its beginning to its end.
#[derive(Debug, Default)]
pub(super) struct Xml {
    text: String,
    open: Vec<&'static str>,
}

/// Attributes of an element, in their order.
pub(super) type Attributes<'a> = &'a [(&'static str, String)];

impl Xml {
    /// Begins an element, within those that are open.
    pub(super) fn begin(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.tag(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Ends the element that was begun last; without one nothing happens.
    pub(super) fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _infallible = writeln!(self.text, "</{name}>");
        }
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.tag(name, attributes);
        self.text.push_str("/>\n");
    }

    /// An element with nothing but text in it; without text there is none.
    pub(super) fn words(&mut self, name: &'static str, attributes: Attributes<'_>, words: &str) {
        if words.is_empty() {
            return;
        }
        self.tag(name, attributes);
        let _infallible = writeln!(self.text, ">{}</{name}>", escaped(words));
    }

    /// The whole document; what is open is ended.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.text
    }

    fn tag(&mut self, name: &str, attributes: Attributes<'_>) {
        self.indent();
        let _infallible = write!(self.text, "<{name}");
        for (name, value) in attributes {
            let _infallible = write!(self.text, " {name}=\"{}\"", escaped(value));
        }
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n(' ', self.open.len()));
    }
}

/// Text that means itself in content and in attributes. What XML 1.0 cannot hold at all (control characters, and the two
/// that are no characters) becomes U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_what_a_reader_of_xml_finds() {
        let odd = "a < b && \"c\" > 'd' ]]> é";
        let mut xml = Xml::default();
        xml.begin("svg", &[]);
        xml.begin("g", &[("class", odd.to_owned())]);
        xml.words("text", &[("x", "1".to_owned())], odd);
        xml.empty("rect", &[]);
        let text = xml.finish();
        let document = roxmltree::Document::parse(&text).unwrap();
        let group = document.root_element().first_element_child().unwrap();
        assert_eq!(group.attribute("class"), Some(odd));
        let names: Vec<&str> =
            group.children().filter(|node| node.is_element()).map(|node| node.tag_name().name()).collect();
        assert_eq!(names, ["text", "rect"]);
        assert_eq!(group.first_element_child().unwrap().text(), Some(odd));
    }

    #[test]
    fn what_no_xml_can_hold_is_replaced() {
        assert_eq!(escaped("a\u{0}b\u{1b}c\nd\u{ffff}"), "a\u{fffd}b\u{fffd}c d\u{fffd}");
    }

    #[test]
    fn without_words_there_is_no_element_and_ends_are_counted() {
        let mut xml = Xml::default();
        xml.end();
        xml.words("text", &[], "");
        assert_eq!(xml.finish(), "");
    }
}
