#![allow(unreachable_pub, reason = "the macros define types for everybody")]

use super::{scalars::parse_duration, *};
use crate::config::{FileId, Spanned};
use std::time::Duration;

choice! {
    /// A colour.
    pub enum Colour {
        /// Zero.
        Red = "RED" (0),
        /// Not one.
        Blue = "BLUE" (5),
    }
}

object! {
    /// Everything that a field may be.
    pub struct Everything {
        /// text
        text: Option<Spanned<String>> = "text",
        /// flag
        is_set: Option<Spanned<bool>> = "isSet",
        /// u32
        small: Option<Spanned<u32>> = "small",
        /// i32
        signed: Option<Spanned<i32>> = "signed",
        /// u64
        large: Option<Spanned<u64>> = "large",
        /// i64
        large_signed: Option<Spanned<i64>> = "largeSigned",
        /// f64
        share: Option<Spanned<f64>> = "share",
        /// duration
        time: Option<Spanned<Duration>> = "time",
        /// bytes
        bytes: Option<Spanned<Bytes>> = "bytes",
        /// enum
        colour: Option<Spanned<Colour>> = "colour",
        /// number or name
        port: Option<Spanned<IntOrString>> = "port",
        /// moment
        moment: Option<Spanned<Timestamp>> = "moment",
        /// anything
        anything: Option<Spanned<Opaque>> = "anything",
        /// list
        list: Vec<Spanned<String>> = "list",
        /// list of messages
        children: Vec<Spanned<Child>> = "children",
        /// map
        labels: Map<String> = "labels",
        /// map of messages
        by_name: Map<Child> = "byName",
        /// message
        child: Option<Spanned<Child>> = "child",
    }
}

object! {
    /// A message.
    pub struct Child {
        /// a
        a: Option<Spanned<u32>> = "a",
        /// b
        b: Option<Spanned<u32>> = "b",
        /// snake
        http2_max_requests: Option<Spanned<u32>> = "http2MaxRequests",
    }
    one_of ["a", "b"]
}

object! {
    /// A message that may have more.
    pub struct Open {
        /// a
        a: Option<Spanned<u32>> = "a",
    }
    others accepted
}

fn decode<T: Decode>(text: &str, dialect: Dialect) -> (Option<T>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let chunk = yaml::chunks(text, FileId(0), &mut problems).remove(0);
    let root = yaml::document(&chunk, &mut problems).root.unwrap();
    assert_eq!(problems, []);
    let value = T::decode(&root, &mut Decoder::new(&mut problems, None, dialect));
    (value, problems)
}

fn good(text: &str) -> Everything {
    let (value, problems) = decode(text, Dialect::Proto);
    assert_eq!(problems, [], "{text}");
    value.unwrap()
}

/// `code field` of each problem.
fn problems(text: &str) -> Vec<String> {
    let (_, problems) = decode::<Everything>(text, Dialect::Proto);
    problems.iter().map(|problem| format!("{} {}", problem.code, problem.field)).collect()
}

fn first_problem(text: &str, dialect: Dialect) -> Diagnostic {
    decode::<Everything>(text, dialect).1.remove(0)
}

fn value<T>(field: Option<Spanned<T>>) -> Option<T> {
    field.map(|field| field.value)
}

#[test]
fn strings() {
    assert_eq!(value(good("text: a b").text).unwrap(), "a b");
    assert_eq!(value(good("text: '80'").text).unwrap(), "80");
    assert_eq!(value(good("text: ''").text).unwrap(), "");
    assert_eq!(good("text: null").text, None);
    assert_eq!(good("text:").text, None);
    let problem = first_problem("text: 80", Dialect::Proto);
    assert_eq!(problem.message, "expected a string, found the number 80");
    assert_eq!(problem.help.as_deref(), Some("put it in quotes: \"80\""));
    for wrong in ["text: true", "text: 1.5", "text: [a]", "text: {a: b}"] {
        assert_eq!(problems(wrong), ["wrong-type text"], "{wrong}");
    }
}

#[test]
fn booleans() {
    assert_eq!(value(good("isSet: true").is_set), Some(true));
    assert_eq!(value(good("is_set: false").is_set), Some(false));
    let problem = first_problem("isSet: yes", Dialect::Proto);
    assert_eq!(problem.help.as_deref(), Some("write true, without quotes"));
    for wrong in ["isSet: 'true'", "isSet: 1", "isSet: no", "isSet: []"] {
        assert_eq!(problems(wrong), ["wrong-type isSet"], "{wrong}");
    }
}

#[test]
fn whole_numbers() {
    assert_eq!(value(good("small: 4294967295").small), Some(u32::MAX));
    assert_eq!(value(good("small: '80'").small), Some(80));
    assert_eq!(value(good("small: 8e1").small), Some(80));
    assert_eq!(value(good("small: 80.0").small), Some(80));
    assert_eq!(value(good("signed: -2147483648").signed), Some(i32::MIN));
    assert_eq!(value(good("large: 18446744073709551615").large), Some(u64::MAX));
    assert_eq!(value(good("large: '18446744073709551615'").large), Some(u64::MAX));
    assert_eq!(value(good("largeSigned: '-9223372036854775808'").large_signed), Some(i64::MIN));
    let wrong = [
        "small: -1",
        "small: 4294967296",
        "small: 1.5",
        "small: a",
        "small: ''",
        "small: true",
        "small: .inf",
    ];
    for wrong in wrong {
        assert_eq!(problems(wrong), ["wrong-type small"], "{wrong}");
    }
    assert_eq!(problems("large: 18446744073709551616"), ["wrong-type large"]);
    assert_eq!(problems("large: -1"), ["wrong-type large"]);
    // Kubernetes takes no numbers in quotes.
    assert_eq!(first_problem("small: '80'", Dialect::Kubernetes).field, "small");
}

#[test]
fn other_numbers() {
    assert_eq!(value(good("share: 0.1").share), Some(0.1));
    assert_eq!(value(good("share: 5").share), Some(5.0));
    assert_eq!(value(good("share: '1e2'").share), Some(100.0));
    for wrong in ["share: .nan", "share: .inf", "share: 'inf'", "share: a", "share: 'NaN'"] {
        assert_eq!(problems(wrong), ["wrong-type share"], "{wrong}");
    }
}

#[test]
fn durations() {
    let cases = [
        ("1.5s", Some(1_500_000_000)),
        ("100ms", Some(100_000_000)),
        ("1h2m3s", Some(3_723_000_000_000)),
        ("0s", Some(0)),
        ("0", Some(0)),
        ("24h", Some(86_400_000_000_000)),
        ("1.000000001s", Some(1_000_000_001)),
        ("5ns", Some(5)),
        ("1us", Some(1_000)),
        ("1µs", Some(1_000)),
        ("1μs", Some(1_000)),
        (".5s", Some(500_000_000)),
        ("1.s", Some(1_000_000_000)),
        ("+1s", Some(1_000_000_000)),
        ("0.0000000001s", Some(0)),
        ("2562047h", Some(9_223_369_200_000_000_000)),
        ("", None),
        ("1", None),
        ("s", None),
        ("-1s", None),
        ("1 s", None),
        (".s", None),
        ("1d", None),
        ("1s1", None),
        ("1S", None),
        ("2562048h", None),
        ("99999999999999999999999999999999999999999999h", None),
        ("1e3s", None),
        ("1m30", None),
    ];
    for (text, nanoseconds) in cases {
        assert_eq!(parse_duration(text).map(|duration| duration.as_nanos()), nanoseconds, "{text:?}");
    }
    assert_eq!(value(good("time: 1.5s").time), Some(Duration::from_millis(1_500)));
    let problem = first_problem("time: 5", Dialect::Proto);
    assert_eq!(
        (problem.code, problem.help.as_deref()),
        ("bad-duration", Some("a unit is needed: h, m, s, ms, us or ns"))
    );
}

#[test]
fn bytes() {
    let decoded = |text: &str| value(good(&format!("bytes: '{text}'")).bytes).map(|bytes| bytes.0);
    let cases: [(&str, &[u8]); 8] = [
        ("", b""),
        ("Zg==", b"f"),
        ("Zg", b"f"),
        ("Zm8=", b"fo"),
        ("Zm9v", b"foo"),
        ("Zm9vYmFy", b"foobar"),
        ("-_-_", &[0xfb, 0xff, 0xbf]),
        ("+/+/", &[0xfb, 0xff, 0xbf]),
    ];
    for (text, expected) in cases {
        assert_eq!(decoded(text).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(value(good("bytes: |\n  Zm9v\n  YmFy\n").bytes), Some(Bytes(b"foobar".to_vec())));
    for wrong in ["'Z'", "'Zg='", "'Zg==='", "'Z=g='", "'Zm9v='", "'a!b='", "'Zgé'"] {
        assert_eq!(problems(&format!("bytes: {wrong}")), ["bad-base64 bytes"], "{wrong}");
    }
    assert_eq!(problems("bytes: [a]"), ["wrong-type bytes"]);
}

#[test]
fn enums() {
    assert_eq!(value(good("colour: BLUE").colour), Some(Colour::Blue));
    assert_eq!(value(good("colour: 5").colour), Some(Colour::Blue));
    assert_eq!((Colour::default(), Colour::Blue.name()), (Colour::Red, "BLUE"));
    let problem = first_problem("colour: blue", Dialect::Proto);
    assert_eq!(problem.message, "expected one of RED, BLUE; found the string \"blue\"");
    assert_eq!(problem.help.as_deref(), Some("did you mean BLUE?"));
    for wrong in ["colour: GREEN", "colour: 1", "colour: ''", "colour: true", "colour: {}"] {
        assert_eq!(problems(wrong), ["unknown-value colour"], "{wrong}");
    }
}

#[test]
fn ports_and_moments() {
    assert_eq!(value(good("port: 80").port), Some(IntOrString::Int(80)));
    assert_eq!(value(good("port: http").port), Some(IntOrString::String("http".to_owned())));
    assert_eq!(problems("port: 1.5"), ["wrong-type port"]);
    assert_eq!(problems("port: 99999999999"), ["wrong-type port"]);
    let moment = |text: &str| {
        value(good(&format!("moment: {text}")).moment).map(|moment| (moment.seconds, moment.nanoseconds))
    };
    assert_eq!(moment("1970-01-01T00:00:00Z"), Some((0, 0)));
    assert_eq!(moment("2024-02-29T12:34:56Z"), Some((1_709_210_096, 0)));
    assert_eq!(moment("2024-02-29T12:34:56.5+01:30"), Some((1_709_204_696, 500_000_000)));
    assert_eq!(moment("1969-12-31T23:59:59Z"), Some((-1, 0)));
    assert_eq!(moment("null"), None);
    let wrong = [
        "2024",
        "'2024-02-29'",
        "2024-13-01T00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "'é024-01-01T00:00:00Z'",
    ];
    for wrong in wrong {
        assert_eq!(problems(&format!("moment: {wrong}")), ["wrong-type moment"], "{wrong}");
    }
}

#[test]
fn lists_and_maps() {
    let object = good(
        "list: [a, b]\nlabels: {x: y, 80: z}\nbyName: {n: {a: 1}, m: {}}\nchildren: [{a: 1}, {}]\nanything: [{x: 1}]",
    );
    assert_eq!(object.list.iter().map(|item| item.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(object.labels.get("80").map(|value| value.as_str()), Some("z"));
    assert_eq!(object.labels.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["x", "80"]);
    assert_eq!((object.by_name.len(), object.children.len(), object.anything.is_some()), (2, 2, true));
    assert_eq!(good("list: null\nlabels:\nchildren: ~"), Everything::default());
    assert_eq!(problems("list: a"), ["wrong-type list"]);
    assert_eq!(first_problem("list: a", Dialect::Proto).help.as_deref(), Some("write each item as `- item`"));
    assert_eq!(problems("list: [a, null, 1]"), ["null-value list[1]", "wrong-type list[2]"]);
    assert_eq!(problems("labels: [a]"), ["wrong-type labels"]);
    assert_eq!(
        problems("labels: {a: null, b.c/d: 1}"),
        ["null-value labels.a", "wrong-type labels[\"b.c/d\"]"]
    );
    assert_eq!(problems("byName: {x: null}"), ["null-value byName.x"]);
    assert_eq!(
        problems("children: [{a: x}, {}, {d: 1}]"),
        ["wrong-type children[0].a", "unknown-field children[2].d"]
    );
    assert_eq!(problems("child: x"), ["wrong-type child"]);
    assert_eq!(problems("x"), ["wrong-type "]);
}

#[test]
fn names() {
    assert_eq!(
        value(value(good("child: {http2_max_requests: 1}").child).unwrap().http2_max_requests),
        Some(1)
    );
    assert_eq!(problems("is_set: true\nisSet: true"), ["duplicate-key isSet"]);
    let problem = first_problem("childe: {}", Dialect::Proto);
    assert_eq!((problem.code, &*problem.field), ("unknown-field", "childe"));
    assert!(problem.help.unwrap().starts_with("did you mean `child`? The fields here are: text, isSet,"));
    assert!(first_problem("zzzzzzz: {}", Dialect::Proto).help.unwrap().starts_with("the fields here are:"));
    assert_eq!(first_problem("is_set: true", Dialect::Kubernetes).code, "unknown-field");
    assert_eq!(problems("Text: a\n_text: b"), ["unknown-field Text", "unknown-field _text"]);
    assert_eq!(problems("\"a\\nb\": 1"), ["unknown-field [\"a\\nb\"]"]);
    let (open, problems) = decode::<Open>("{a: 1, b: [2], c_d: 3}", Dialect::Proto);
    assert_eq!((open.unwrap().a.unwrap().value, problems), (1, Vec::new()));
}

#[test]
fn one_of_several() {
    assert_eq!(problems("child: {a: 1, b: 2}"), ["conflicting-fields child.b"]);
    assert_eq!(problems("child: {a: 1, b: null}"), Vec::<String>::new());
}

#[test]
fn places() {
    let text = "child:\n  a: 1\nchildren:\n- a: 2\nlabels:\n  x:\n    y\ntext: z\n";
    let object = good(text);
    let at = |span: Span| (span.line, span.column, &text[span.start as usize..span.end as usize]);
    // A message begins at its key, an item and a scalar at the value.
    assert_eq!(at(object.child.unwrap().span), (1, 1, "child:\n  a: 1"));
    assert_eq!(at(object.children[0].span), (4, 3, "a: 2"));
    assert_eq!(at(object.labels[0].1.span), (7, 5, "y"));
    assert_eq!(at(object.text.unwrap().span), (8, 7, "z"));
}

#[test]
fn suggestions() {
    let names = ["prefix", "exact", "regex", "perTryTimeout", "x"];
    let cases = [
        ("prefx", Some("prefix")),
        ("per_try_timeout", Some("perTryTimeout")),
        ("rgeex", Some("regex")),
        ("EXACT", Some("exact")),
        ("suffix", None),
        ("banana", None),
        ("", None),
        ("y", None),
    ];
    for (written, expected) in cases {
        assert_eq!(suggestion(written, &names), expected, "{written}");
    }
    assert_eq!(suggestion(&"prefix".repeat(1_000), &names), None);
}
