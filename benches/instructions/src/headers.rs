//! The rules for headers, their templates, and paths made normal.

use crate::harness::{Harness, counted};
use sluicegate::{
    filter::{Context, HeaderOps, Template},
    http::{Fields, PathNormalization, normalize_path},
};
use std::hint::black_box;

const ROUNDS: usize = 200;

pub(crate) fn run(harness: &Harness) {
    let template = |text| Template::parse(text).unwrap_or_default();
    let none = HeaderOps::default();
    let add = HeaderOps::new([], [], [("x-add", template("2"))]);
    let set = HeaderOps::new([], [("x-a", template("1"))], []);
    let remove = HeaderOps::new(["x-gone"], [], []);
    let all = HeaderOps::new(["x-gone"], [("x-set", template("1"))], [("x-add", template("2"))]);
    let templates = HeaderOps::new([], [("x-set", template("%PROTOCOL% %REQ(x-a):8%"))], []);
    let context = Context::default();
    for (name, ops) in [
        ("none", &none),
        ("add", &add),
        ("set", &set),
        ("remove", &remove),
        ("remove_set_add", &all),
        ("templates", &templates),
    ] {
        let mut fields = Fields::default();
        harness.prepared(&format!("headers.request.{name}"), ROUNDS, |_| {
            fill(&mut fields);
            counted(&mut || ops.apply_to_request(black_box(&mut fields), &context));
        });
    }
    let mut fields = Fields::default();
    harness.prepared("headers.response.remove_set_add", ROUNDS, |_| {
        fill(&mut fields);
        counted(&mut || all.apply_to_response(black_box(&mut fields), &context));
    });
    for (name, target) in [("plain", "/api/v1/resource-7/items?id=4711"), ("slashes", "/api//v1/./items")] {
        let mut path = Vec::new();
        harness.prepared(&format!("path.normalize.{name}"), ROUNDS, |_| {
            path.clear();
            path.extend_from_slice(target.as_bytes());
            let mut path_len = target.find('?').unwrap_or(target.len());
            counted(&mut || {
                let mode = PathNormalization::MergeSlashes;
                assert!(normalize_path(black_box(&mut path), &mut path_len, mode).is_ok());
            });
        });
    }
}

/// As many fields as a small client sends, and those that the rules are about.
fn fill(fields: &mut Fields) {
    fields.clear();
    for (name, value) in
        [("user-agent", "curl/7.88.1"), ("accept", "*/*"), ("x-a", "some value"), ("x-gone", "0")]
    {
        fields.push(name.as_bytes(), value.as_bytes());
    }
}
