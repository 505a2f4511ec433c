use super::*;

/// Every document in a short form, `...` after a broken one, and every problem as `code line:column`.
fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let mut trees = Vec::new();
    for chunk in chunks(text, FileId(0), &mut problems) {
        let document = document(&chunk, &mut problems);
        let tree = document.root.as_ref().map(short).unwrap_or_default();
        trees.push(if document.complete { tree } else { tree + "..." });
    }
    let place =
        |span: Option<Span>| span.map_or("?".to_owned(), |span| format!("{}:{}", span.line, span.column));
    (trees, problems.iter().map(|problem| format!("{} {}", problem.code, place(problem.span))).collect())
}

fn good(text: &str) -> Vec<String> {
    let (trees, problems) = read(text);
    assert!(problems.is_empty(), "{text:?}: {problems:?}");
    trees
}

fn problems(text: &str) -> Vec<String> {
    read(text).1
}

fn short(node: &Node<'_>) -> String {
    match node.value() {
        Value::List(items) => format!("[{}]", items.iter().map(short).collect::<Vec<_>>().join(" ")),
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}={}", key.text, short(value))).collect();
            format!("{{{}}}", entries.join(" "))
        }
        Value::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => "null".to_owned(),
            Resolved::Bool(value) => value.to_string(),
            Resolved::Int(number) => number.to_string(),
            Resolved::Float(number) => format!("{number:?}"),
            Resolved::Text => format!("{:?}", scalar.text()),
        },
        Value::Shared(_) => "shared".to_owned(),
    }
}

/// Checks every key, and every string that is written as it is, against the text at its place.
fn check_places(node: &Node<'_>, text: &str, lines: &[&str]) -> usize {
    let at = |span: Span| text.get(span.start as usize..span.end as usize).unwrap_or("(no text)");
    let by_line = |span: Span| -> String {
        let line = lines.get(span.line as usize - 1).copied().unwrap_or("");
        line.chars().skip(span.column as usize - 1).collect()
    };
    match node.value() {
        Value::List(items) => items.iter().map(|item| check_places(item, text, lines)).sum(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                assert_eq!(at(key.span).trim_matches('"'), key.text);
                assert!(by_line(key.span).trim_start_matches('"').starts_with(&*key.text), "{key:?}");
                assert!(value.span.start >= key.span.end || at(value.span).is_empty());
                1 + check_places(value, text, lines)
            })
            .sum(),
        Value::Scalar(scalar) => {
            assert_eq!(at(node.span).trim_matches(['"', '\'']), scalar.text());
            1
        }
        Value::Shared(_) => 0,
    }
}

#[test]
fn scalars() {
    let cases = [
        ("", "null"),
        ("~", "null"),
        ("null", "null"),
        ("Null", "null"),
        ("'null'", "\"null\""),
        ("true", "true"),
        ("False", "false"),
        ("yes", "\"yes\""),
        ("'true'", "\"true\""),
        ("0", "0"),
        ("80", "80"),
        ("-5", "-5"),
        ("+5", "5"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("010", "\"010\""),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.5", "1.5"),
        ("1e3", "1000.0"),
        (".inf", "inf"),
        ("-.inf", "-inf"),
        (".nan", "NaN"),
        ("1.5s", "\"1.5s\""),
        ("10.0.0.1", "\"10.0.0.1\""),
        ("1_000", "\"1_000\""),
        ("2026-08-22T10:00:00Z", "\"2026-08-22T10:00:00Z\""),
        ("fe80::1", "\"fe80::1\""),
        ("dead", "\"dead\""),
        ("!!str 5", "\"5\""),
        ("!!int '5'", "5"),
        ("! 5", "\"5\""),
        ("|\n a\n b\n", "\"a\\nb\\n\""),
        (">-\n a\n b\n", "\"a b\""),
        ("\"\\u00e9\\x41\"", "\"éA\""),
        ("'it''s'", "\"it's\""),
    ];
    for (text, expected) in cases {
        let trees = good(&format!("a: {text}"));
        assert_eq!(trees, [format!("{{a={expected}}}")], "{text:?}");
    }
}

/// The short cuts must agree with the crate that decides.
#[test]
fn short_cuts_agree() {
    let words = "0 1 80 007 10. .5 1e5 -0 +1 0x 0xg 0b11 ~ ~x n nu null nul NULL t tru true TRUE f false .inf .Inf +.inf .NaN \
        inf nan infinity e5 1e 1.2.3 1-2 1_0 0o8 a.b x-y 12345678901234567890 99999999999999999999999 - . .. +";
    for word in words.split_whitespace() {
        let expected = match serde_yaml::from_str::<serde_yaml::Value>(word) {
            Ok(serde_yaml::Value::Null) => Resolved::Null,
            Ok(serde_yaml::Value::Bool(value)) => Resolved::Bool(value),
            Ok(serde_yaml::Value::Number(number)) if number.is_f64() => {
                Resolved::Float(number.as_f64().unwrap())
            }
            Ok(serde_yaml::Value::Number(number)) => Resolved::Int(number.to_string().parse().unwrap()),
            _ => Resolved::Text,
        };
        assert_eq!(format!("{:?}", scalar::resolve(word)), format!("{expected:?}"), "{word}");
    }
}

#[test]
fn documents_are_apart() {
    assert_eq!(good(""), Vec::<String>::new());
    assert_eq!(good("\n  \n"), Vec::<String>::new());
    assert_eq!(good("# nothing\n"), [""]);
    assert_eq!(good("---\n---\na: 1\n---\n# x\n"), ["null", "{a=1}", "null"]);
    assert_eq!(good("a: 1\n...\nb: 2\n"), ["{a=1}", "{b=2}"]);
    assert_eq!(good("%YAML 1.2\n---\na: 1\n---\nb: 2\n"), ["{a=1}", "{b=2}"]);
    assert_eq!(good("--- # x\na: 1\n--- {b: 2}\n"), ["{a=1}", "{b=2}"]);
    assert_eq!(good("a: ---\nb: --- x\nc:\n  ---x\n"), ["{a=\"---\" b=\"--- x\" c=\"---x\"}"]);
    assert_eq!(good("a: |\n  ---\n  -----BEGIN\n  ---\nb: 1\n"), ["{a=\"---\\n-----BEGIN\\n---\\n\" b=1}"]);
    assert_eq!(good("\u{feff}a: 1\n"), ["{a=1}"]);
    assert_eq!(good("  a: 1\n  b: 2\n"), ["{a=1 b=2}"]);
    assert_eq!(good("a: 1\r\nb:\r\n- c\r\n---\r\nd: |\r\n  x\r\n"), ["{a=1 b=[\"c\"]}", "{d=\"x\\n\"}"]);
}

#[test]
fn a_broken_document_hides_no_other() {
    let (trees, problems) = read("a: 1\n---\nb: [1\n---\nc: 'x\n---\nd:\n\te: 1\n---\nf: 1\n");
    assert_eq!(trees[0], "{a=1}");
    assert_eq!(trees[4], "{f=1}");
    assert_eq!(problems, ["bad-yaml 4:1", "bad-yaml 5:4", "bad-yaml 8:2"]);
    // What was read before the problem says what the document is about.
    assert_eq!(
        read("kind: A\nmetadata: {name: b, x: [1, {y: 2\n").0,
        ["{kind=\"A\" metadata={name=\"b\" x=[1 {y=2}]}}..."]
    );
}

#[test]
fn aliases_and_merges() {
    assert_eq!(good("a: &x {b: 1}\nc: *x\nd: &y [*x]\ne: *y"), ["{a={b=1} c={b=1} d=[{b=1}] e=[{b=1}]}"]);
    assert_eq!(good("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n"), ["{a={b=1 c=2} d={c=3 b=1}}"]);
    assert_eq!(
        good("a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n"),
        ["{a={b=1} c={b=2 d=3} e={b=1 d=3}}"]
    );
    assert_eq!(good("a: {'<<': 1}"), ["{a={<<=1}}"]);
    assert_eq!(problems("a: {<<: 1}"), ["bad-merge 1:5"]);
    assert_eq!(problems("a: *x"), ["bad-yaml 1:4"]);
    assert_eq!(problems("a: &x [*x]"), ["bad-alias 1:8"]);
}

#[test]
fn bombs_do_not_go_off() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    let mut merges = String::from("a0: &a0 {x: 1, y: 2}\n");
    for i in 1..100 {
        let before = i - 1;
        laughs += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{before}"); 10].join(","));
        merges += &format!("a{i}: &a{i} {{<<: *a{before}, k{i}: *a{before}, l{i}: *a{before}}}\n");
    }
    assert_eq!(problems(&laughs), ["too-many-aliases 5:5"]);
    assert!(problems(&merges)[0].starts_with("too-many-aliases"));
    let chain: String = (0..99).map(|i| format!("a{}: &a{} [[*a{i}]]\n", i + 1, i + 1)).collect();
    assert!(problems(&format!("a0: &a0 x\n{chain}"))[0].starts_with("too-deep"));
    for open in ["[", "{a: ", "- ", "{a: [", "? "] {
        let codes = problems(&open.repeat(100_000));
        assert!(codes[0].starts_with("too-deep") || codes[0].starts_with("bad-yaml"), "{open}: {codes:?}");
    }
    assert!(problems(&"[".repeat(DEPTH_TESTED)).iter().all(|problem| problem.starts_with("bad-yaml")));
    assert_eq!(read(&"---\n".repeat(DOCUMENTS_MAX + 10)).1.len(), 1);
}

const DEPTH_TESTED: usize = 90;

#[test]
fn keys() {
    assert_eq!(good("80: a\ntrue: b\n'': c\n? d\n: e\n"), ["{80=\"a\" true=\"b\" =\"c\" d=\"e\"}"]);
    assert_eq!(problems("a: 1\nb: 2\na: 3\n"), ["duplicate-key 3:1"]);
    let many: String = (0..100).map(|i| format!("k{i}: {i}\n")).collect();
    assert_eq!(problems(&(many + "k50: x\n")), ["duplicate-key 101:1"]);
    assert_eq!(
        read("a: {{ .Values.x }}\nb: 1\n"),
        (vec!["{a={} b=1}".to_owned()], vec!["bad-key 1:5".to_owned()])
    );
    assert_eq!(problems("a: !foo 1"), ["unknown-tag 1:4"]);
}

#[test]
fn json() {
    assert_eq!(
        good("{\n\t\"a\": [1, -2.5e3, true, null],\n\t\"b\": {}}"),
        ["{a=[1 -2500.0 true null] b={}}"]
    );
    assert_eq!(good(r#"{"a": "\ud83d\ude00 \/\n\"é"}"#), ["{a=\"😀 /\\n\\\"é\"}"]);
    assert_eq!(good("[]"), ["[]"]);
    assert_eq!(
        good("{\"a\":1}{\"b\":2}\n  {\"c\":\"}{\"}\n---\n{\"d\":4}"),
        ["{a=1}", "{b=2}", "{c=\"}{\"}", "{d=4}"]
    );
    assert_eq!(problems("{\"a\": 1,\n \"a\": 2}"), ["duplicate-key 2:2"]);
    // What is not JSON is YAML.
    assert_eq!(good("{a: 1, b: '} {'}"), ["{a=1 b=\"} {\"}"]);
    assert_eq!(good("[a, b]\n"), ["[\"a\" \"b\"]"]);
    for broken in [
        "{\"a\": \"\\ud83d\"}",
        "{\"a\": \"\\ud83dx\"}",
        "{\"a\"",
        "{\"a\": 1",
        "[1 2",
        "{\"a\": \"x",
        "{\"a\": \"\n",
    ] {
        assert!(problems(broken)[0].starts_with("bad-yaml"), "{broken}");
    }
}

#[test]
fn places() {
    let texts = [
        "a: b\nc:\n- d: 'e'\n  f: \"g\"\n-   h: [i, {j: k}]\n",
        "ä: ö\nß:\n- ü: '😀'\n  f: \"g\"\n-   😀: [i, {j: é}]\n",
        "a: b\r\nc:\r\n  d: e\r\n",
        "a: 'b' # x\nc: \"d#\"   \ne: ['f'  , \"g\" #'\n ]\n",
        "a: b # é\n# éé\nc: 'é' #é\nd: [é, # é\n  f]\n",
        "{\"a\": {\"b\": [1, 2]}, \"é\":\n \"c\"}",
        "\u{feff}# x\n\na: b\n",
        "a: 1\n---\nb: 2\n...\n%YAML 1.2\n---\nc: 3\n",
        "{\"a\": 1} {\"b\": 2}\n {\"é\": 3} {\"d\": 4}",
    ];
    for text in texts {
        let shown = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines: Vec<&str> = shown.split('\n').collect();
        let mut problems = Vec::new();
        let mut count = 0;
        for chunk in chunks(text, FileId(0), &mut problems) {
            let document = document(&chunk, &mut problems);
            count += document.root.as_ref().map_or(0, |root| check_places(root, text, &lines));
        }
        assert!(count >= 2 && problems.is_empty(), "{text:?} {problems:?}");
    }
    // Long texts with wide characters go through the table of positions.
    let long: String = (0..1_000).map(|i| format!("é{i}: 'ü{i}😀'\n")).collect();
    let lines: Vec<&str> = long.split('\n').collect();
    let chunk = &chunks(&long, FileId(0), &mut Vec::new())[0];
    let root = document(chunk, &mut Vec::new()).root.unwrap();
    assert_eq!(check_places(&root, &long, &lines), 2_000);
}
