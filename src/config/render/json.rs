//! One JSON object a line.

use super::place::Place;
use crate::config::{Diagnostic, Sources, Span};
use serde_json::{Map, Value, json};

pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut object = place(diagnostic.span, sources);
    let labels = diagnostic.labels.iter().map(|label| {
        let mut object = place(Some(label.span), sources);
        object.insert("text".to_owned(), json!(label.text));
        Value::Object(object)
    });
    let about = diagnostic.object.as_ref().map(
        |object| json!({ "kind": &*object.kind, "namespace": &*object.namespace, "name": &*object.name }),
    );
    let members = [
        ("severity", json!(diagnostic.severity.to_string())),
        ("code", json!(diagnostic.code)),
        ("object", json!(about)),
        ("field", json!(Some(&diagnostic.field).filter(|field| !field.is_empty()))),
        ("message", json!(diagnostic.message)),
        ("help", json!(diagnostic.help)),
        ("labels", labels.collect()),
    ];
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(object).to_string()
}

fn place(span: Option<Span>, sources: &Sources) -> Map<String, Value> {
    let place = span.and_then(|span| Place::of(span, sources));
    let number = |of: fn(&Place<'_>) -> u32| json!(place.as_ref().map(of));
    let members = [
        ("file", json!(place.as_ref().map(|place| place.file))),
        ("line", number(|place| place.line)),
        ("column", number(|place| place.column)),
        ("end_line", number(|place| place.end_line)),
        ("end_column", number(|place| place.end_column)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
