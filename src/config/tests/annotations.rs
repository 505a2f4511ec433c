//! The gateway's own annotations: which names, on which kinds, and where in the file their problems are.

use super::*;
use std::time::Duration;

/// An object of a kind with these annotations; the first is in line 6.
fn object(kind: &str, annotations: &str) -> String {
    let annotations: Vec<String> = annotations.lines().map(|line| format!("    {line}")).collect();
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata:\n  name: x\n  annotations:\n{}\nspec: {{}}\n",
        annotations.join("\n")
    )
}

/// `code field line:column` of each problem, with the help.
fn found(text: &str) -> Vec<(String, String)> {
    let (_, diagnostics) = parse_one(text);
    let place =
        |d: &Diagnostic| d.span.map_or_else(String::new, |span| format!("{}:{}", span.line, span.column));
    let line = |d: &Diagnostic| {
        let field = d.field.replace("metadata.annotations", "@").replace("sluicegate.io/", "");
        (format!("{} {field} {}", d.code, place(d)), d.help.clone().unwrap_or_default())
    };
    diagnostics.iter().map(line).collect()
}

fn codes(text: &str) -> Vec<String> {
    found(text).into_iter().map(|(line, _)| line).collect()
}

#[test]
fn yaml_in_a_string_however_it_is_written() {
    for value in [
        "|\n  requests: 10 # so many\n\n  per: 1s\n",
        "|-\n  # a note first\n  requests: 10\n  per: 1s",
        "'{requests: 10, per: 1s}'",
        "\"{requests: 10, per: '1s'}\"",
        ">\n  {requests: 10,\n  per: 1s}",
        "'{\"requests\": 10, \"per\": \"1s\"}'",
        "\"requests: 10\\nper: 1s\"",
        "|2\n  requests: 10\n  per: 1s",
        "|\n  - requests: 10\n    per: 1s",
    ] {
        let text = object("VirtualService", &format!("other.io/x: y\nsluicegate.io/rate-limit: {value}"));
        let resources = good(&text);
        let own = resources.virtual_services[0].meta.own.as_ref().unwrap();
        let limit = &own.rate_limit[0];
        assert_eq!(limit.requests.as_ref().unwrap().value, 10, "{text}");
        assert_eq!(limit.per.as_ref().unwrap().value, Duration::from_secs(1));
        assert_eq!(own.rate_limit.is_list, value.contains("- r"));
    }
    assert!(good(&object("VirtualService", "other.io/x: y")).virtual_services[0].meta.own.is_none());
}

#[test]
fn sizes_and_shorthands() {
    for (value, bytes) in
        [("10MiB", 10 << 20), ("'65536'", 65_536), ("'{max: 3 kB}'", 3_000), ("2GiB", 2 << 30), ("'0'", 0)]
    {
        let resources = good(&object("VirtualService", &format!("sluicegate.io/body-limit: {value}")));
        let own = resources.virtual_services[0].meta.own.as_ref().unwrap();
        assert_eq!(own.body_limit[0].max.as_ref().unwrap().value.0, bytes, "{value}");
    }
    for value in ["10M", "1.5MiB", "MiB", "'-1'", "99999999999GiB"] {
        let text = object("VirtualService", &format!("sluicegate.io/body-limit: {value}"));
        assert_eq!(codes(&text).len(), 1, "{value}");
        assert!(codes(&text)[0].starts_with("bad-size @[\"body-limit\"] 6:"), "{:?}", codes(&text));
    }
}

#[test]
fn problems_point_into_the_string() {
    let service = |value: &str| object("VirtualService", value);
    for (annotation, expected) in [
        (
            "sluicegate.io/rate-limit: |\n  requests: 10\n  per: 1s\n  bust: 3",
            "unknown-field @[\"rate-limit\"].bust 9:7",
        ),
        (
            "sluicegate.io/rate-limit: |\n\n  # why\n  requests: ten",
            "wrong-type @[\"rate-limit\"].requests 9:17",
        ),
        (
            "sluicegate.io/rate-limit: |\n  - requests: 1\n    per: 1",
            "bad-duration @[\"rate-limit\"][0].per 8:14",
        ),
        ("sluicegate.io/rate-limit: '{requests: x}'", "wrong-type @[\"rate-limit\"].requests 6:43"),
        (
            "sluicegate.io/rate-limit: '{requests: 1, key: client-adress}'",
            "unknown-value @[\"rate-limit\"].key 6:51",
        ),
        ("sluicegate.io/rate-limit: |\n  requests: 1\n  requests: 2", "duplicate-key @[\"rate-limit\"] 8:7"),
        (
            "sluicegate.io/rate-limit: |\n  key: {header: a, cookie: b}",
            "conflicting-fields @[\"rate-limit\"].key.cookie 7:24",
        ),
        // The place in a text that is not written as it is would be wrong, so it is that of the whole.
        ("sluicegate.io/rate-limit: \"requests: 1\\nper: x\"", "bad-duration @[\"rate-limit\"].per 6:31"),
        ("sluicegate.io/rate-limit: \"a: 1\\n---\\nb: 2\"", "bad-yaml @[\"rate-limit\"] 6:31"),
        ("sluicegate.io/rate-limit: ''", "null-value @[\"rate-limit\"] 6:31"),
        ("sluicegate.io/rate-limit: 'ten a second'", "wrong-type @[\"rate-limit\"] 6:32"),
    ] {
        assert_eq!(codes(&service(annotation)), [expected], "{annotation}");
    }
    // Not YAML: where the parser stopped.
    assert!(
        codes(&service("sluicegate.io/rate-limit: |\n  requests: [1"))[0]
            .starts_with("bad-yaml @[\"rate-limit\"] ")
    );
}

#[test]
fn names_that_do_not_exist_or_are_elsewhere() {
    let (line, help) = &found(&object("VirtualService", "sluicegate.io/ratelimit: x"))[0];
    assert_eq!(line, "unknown-annotation @[\"ratelimit\"] 6:5");
    assert!(help.starts_with("did you mean `sluicegate.io/rate-limit`? A VirtualService may have"), "{help}");
    let (line, help) = &found(&object("Gateway", "sluicegate.io/rate-limit: '{requests: 1, per: 1s}'"))[0];
    assert_eq!(line, "misplaced-annotation @[\"rate-limit\"] 6:5");
    assert_eq!(help, "it belongs on a VirtualService; a Gateway may have sluicegate.io/max-connection-age");
    let (line, help) = &found(&object("WorkloadEntry", "sluicegate.io/x: y"))[0];
    assert_eq!(
        (line.as_str(), help.as_str()),
        ("unknown-annotation @[\"x\"] 6:5", "a WorkloadEntry has none of the gateway's own")
    );
}

#[test]
fn an_object_with_a_bad_annotation_is_left_out() {
    let (resources, _) =
        parse_one(&object("VirtualService", "sluicegate.io/networks: '{alow: [10.0.0.0/8]}'"));
    assert!(resources.virtual_services.is_empty() && resources.is_broken("VirtualService", "default", "x"));
}
