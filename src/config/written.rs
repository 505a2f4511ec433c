//! Files as their users wrote them, object by object, for those who show a configuration. There are secrets in it.

use super::{FileId, SourceFile, yaml};
use serde_json::{Map, Number, Value};
use std::sync::Arc;
use yaml::{Node, Resolved};

/// Values of one object. More are what aliases of aliases make of a short text.
const VALUES_MAX: usize = 1_000_000;

/// An object of a file.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub file: Arc<str>,
    /// The line that it begins on, from 1.
    pub line: u32,
    /// All of it.
    pub value: Value,
}

/// Calls `each` with every document of a file, as long as it returns `true`.
pub fn written(file: &SourceFile, mut each: impl FnMut(Written) -> bool) {
    let mut problems = Vec::new();
    for chunk in yaml::chunks(&file.text, FileId(0), &mut problems) {
        let Some(root) = yaml::document(&chunk, &mut problems).root.filter(|root| !root.is_null()) else {
            continue;
        };
        let mut left = VALUES_MAX;
        let value = value(&root, &mut left);
        if !each(Written { file: Arc::clone(&file.name), line: root.span.line, value }) {
            return;
        }
    }
}

fn value(node: &Node<'_>, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    if *left == 0 {
        return Value::String("...".to_owned());
    }
    match node.value() {
        yaml::Value::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| (key.text.to_string(), value(node, left)));
            Value::Object(entries.collect::<Map<String, Value>>())
        }
        yaml::Value::List(items) => items.iter().map(|item| value(item, left)).collect(),
        yaml::Value::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => value.into(),
            Resolved::Int(number) => whole(number).unwrap_or_else(|| scalar.text().into()),
            Resolved::Float(number) => {
                Number::from_f64(number).map_or_else(|| scalar.text().into(), Value::Number)
            }
            Resolved::Text => scalar.text().into(),
        },
        // What is shared has been looked through.
        yaml::Value::Shared(_) => Value::Null,
    }
}

fn whole(number: i128) -> Option<Value> {
    let signed = i64::try_from(number).map(Value::from).ok();
    signed.or_else(|| u64::try_from(number).map(Value::from).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_as_they_are_written() {
        let text =
            "a: &x {b: 1, c: 'true', d: true, e: ~, f: 1.5}\ng: [*x, text]\n---\n# nothing\n---\nkind: K\n";
        let file = SourceFile { name: "f.yaml".into(), text: text.into() };
        let mut all = Vec::new();
        written(&file, |written| {
            all.push((written.line, written.value));
            true
        });
        let x = json!({"b": 1, "c": "true", "d": true, "e": null, "f": 1.5});
        assert_eq!(all, [(1, json!({"a": x, "g": [x, "text"]})), (6, json!({"kind": "K"}))]);
    }
}
