//! JSON as lines for people: names and values, indented, as YAML has them.

use serde_json::Value;

/// All of it. Lists have dashes; empty ones, and what is not there, are left out where they are a field's value.
pub(super) fn readable(value: &Value) -> String {
    let mut text = String::new();
    append(value, 0, &mut text);
    text
}

/// Appends a value whose lines begin at this column.
fn append(value: &Value, column: usize, text: &mut String) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(_, value)| !is_nothing(value)) {
                field(name, value, column, text);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| self::item(item, column, text)),
        scalar => {
            indent(column, text);
            append_scalar(scalar, text);
            text.push('\n');
        }
    }
}

/// Appends one item of a list.
pub(super) fn item(item: &Value, column: usize, text: &mut String) {
    let begins = text.len();
    append(item, column + 2, text);
    match text.get(begins + column..begins + column + 2) {
        // The item's first line gets the dash.
        Some("  ") => text.replace_range(begins + column..begins + column + 2, "- "),
        _ => {
            indent(column, text);
            text.push_str("-\n");
        }
    }
}

/// Appends a field of an object whose lines begin at this column.
pub(super) fn field(name: &str, value: &Value, column: usize, text: &mut String) {
    indent(column, text);
    text.push_str(name);
    text.push(':');
    match value {
        Value::Array(items) if items.iter().all(is_scalar) => {
            text.push(' ');
            for (position, item) in items.iter().enumerate() {
                text.push_str(if position > 0 { ", " } else { "" });
                append_scalar(item, text);
            }
            text.push('\n');
        }
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            append(value, column + 2, text);
        }
        scalar => {
            text.push(' ');
            append_scalar(scalar, text);
            text.push('\n');
        }
    }
}

/// Whether there is nothing in it to read.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        _ => false,
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// A text stands as it is. One that would end the line, or move the terminal's cursor, is escaped as in JSON.
fn append_scalar(value: &Value, text: &mut String) {
    match value {
        Value::String(plain) if !plain.is_empty() && !plain.contains(char::is_control) => {
            text.push_str(plain);
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Appends blanks.
pub(super) fn indent(column: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', column));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_in_lines() {
        let value = json!({
            "a": 1,
            "b": {"c": "d e", "none": null, "empty": [], "of_nothing": {"x": null}},
            "f": ["x", "y"],
            "g": [{"h": true, "i": [{"j": 2}]}, {"h": false}, {}],
            "k": "two\nlines",
            "l": "",
        });
        assert_eq!(
            readable(&value),
            "a: 1\nb:\n  c: d e\nf: x, y\ng:\n  - h: true\n    i:\n      - j: 2\n  - h: false\n  -\nk: \"two\\nlines\"\nl: \"\"\n"
        );
        assert_eq!(readable(&json!("a")), "a\n");
        assert_eq!(readable(&json!([1, [2]])), "- 1\n- - 2\n");
    }
}
