use super::*;
use crate::config::{FileId, Label, Span, parse};
use serde_json::{Value, json};

const GATEWAY: &str = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: public
spec:
  servers:
  - ports: {number: 80}
  servers: []
";

fn rendered(text: &str, format: Format) -> String {
    let (resources, diagnostics) = parse(vec![("a,b.yaml".to_owned(), text.as_bytes().to_vec())]);
    render(&diagnostics, &resources.sources, format)
}

#[test]
fn for_people() {
    let expected = "\
error[unknown-field]: unknown field `ports`
 --> a,b.yaml:7:5
  |
7 |   - ports: {number: 80}
  |     ^^^^^
  |
  = in: Gateway default/public: spec.servers[0].ports
  = help: did you mean `port`? The fields here are: port, bind, hosts, tls, defaultEndpoint, name

error[duplicate-key]: `servers` is written twice
 --> a,b.yaml:8:3
  |
6 |   servers:
  |   ------- first written here
7 |   - ports: {number: 80}
8 |   servers: []
  |   ^^^^^^^
  |
  = in: Gateway default/public

";
    assert_eq!(rendered(GATEWAY, Format::Human(Color::None)), expected);
    assert!(!rendered(GATEWAY, Format::Human(Color::None)).contains('\u{1b}'));
    assert!(rendered(GATEWAY, Format::Human(Color::Ansi)).contains('\u{1b}'));
}

#[test]
fn for_tools() {
    let text = rendered(GATEWAY, Format::Json);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let expected = json!({
        "severity": "error", "code": "duplicate-key", "file": "a,b.yaml",
        "line": 8, "column": 3, "end_line": 8, "end_column": 10,
        "object": {"kind": "Gateway", "namespace": "default", "name": "public"},
        "field": null, "message": "`servers` is written twice", "help": null,
        "labels": [{
            "file": "a,b.yaml", "line": 6, "column": 3, "end_line": 6, "end_column": 10, "text": "first written here",
        }],
    });
    assert_eq!(lines[1], expected);
}

#[test]
fn for_code_review() {
    let text = rendered(GATEWAY, Format::Github);
    let last = text.lines().last().unwrap();
    let expected = "::error file=a%2Cb.yaml,line=8,col=3,endLine=8,endColumn=10,title=duplicate-key\
        ::`servers` is written twice%0AGateway default/public";
    assert_eq!(last, expected);
    let (resources, _) = parse(Vec::new());
    let percent = Diagnostic::warning("code", "100%\r\n::error::x").help("a: b, c");
    let text = render(&[percent], &resources.sources, Format::Github);
    assert_eq!(text, "::warning title=code::100%25\u{fffd}\u{fffd}::error::x%0Aa: b, c\n");
}

#[test]
fn what_is_in_a_secret_is_not_shown() {
    let secrets = [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {tls.key: 'hunter2!'}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: 47110815}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: {hunter2: x}}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: !hunter2 x\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringDate: {a: hunter2}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2: x}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  a: hunter2\n  a: hunter2\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: [hunter2]\n",
        "apiVersion: v1\nkind: Secrets\nmetadata: {name: s}\nstringData: {a: hunter2}\n",
        "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"s\"},\
         \"stringData\":{\"a\":\"hunter2\"}},{\"kind\":\"Gateway\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"g\"}}]}",
    ];
    for secret in secrets {
        for format in [Format::Human(Color::None), Format::Json, Format::Github] {
            let text = rendered(secret, format);
            assert!(text.contains("b.yaml"), "a problem with its place: {text}");
            assert!(!text.contains("hunter2") && !text.contains("47110815"), "{secret}\n{text}");
        }
    }
}

#[test]
fn odd_places_are_no_reason_to_fail() {
    let (resources, _) = parse(vec![("a".to_owned(), "ä: b\r\nc".as_bytes().to_vec())]);
    let long = parse(vec![("a".to_owned(), vec![b'['; 5_000])]);
    for sources in [&resources.sources, &long.0.sources, &Sources::default()] {
        for (start, end) in [(0, 0), (1, 2), (2, 1), (0, 900), (900, 1_000), (6, 7), (u32::MAX, u32::MAX)] {
            let span = Span { file: FileId(0), start, end, line: 0, column: 0 };
            let label = Label { span, text: "la\nbel\u{7}".to_owned() };
            let diagnostic =
                Diagnostic { labels: vec![label], ..Diagnostic::note("code", "x\u{1b}[31m\ny").at(span) };
            for format in [Format::Human(Color::None), Format::Json, Format::Github] {
                let text = render(std::slice::from_ref(&diagnostic), sources, format);
                assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
            }
        }
    }
}

#[test]
fn counting() {
    let error = || Diagnostic::error("e", "");
    let counts = |diagnostics: &[Diagnostic]| Counts::of(diagnostics).to_string();
    assert_eq!(counts(&[]), "no problems");
    assert_eq!(counts(&[Diagnostic::note("n", "")]), "no problems");
    assert_eq!(counts(&[error(), error(), Diagnostic::warning("w", "")]), "2 errors, 1 warning");
}
