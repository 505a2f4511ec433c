use super::{
    super::{FileId, build::parsed, chunks},
    *,
};

/// What people write, and what stands at the edge of it.
const SAMPLES: &[&str] = &[
    "a: b\nc:\n- d: 'e'\n  f: \"g\"\n-   h: [i, {j: k}]\n",
    "apiVersion: v1\nkind: VirtualService\nmetadata: {name: a-b, namespace: default}\nspec:\n  hosts: [x.test, '*.y']\n  http:\n  - match: [{uri: {prefix: /a/}}]\n    route: [{destination: {host: o.b, port: {number: 80}}}]\n  - route:\n    - destination:\n        host: x\n        port:\n          number: 9001\n      weight: 10\n",
    "--- # begin\n# note\na:\n  - b\n  -   c: 1\n      d: 2 # two\n\n  - - e\n    - f: g\n      h: i\nj: -5\nk: 1.5s\nl: http://a:80/b#c\n",
    "- a\n- b: c\n  d:\n  - e\n  - f\n- [g, 'h i', {j: k l}]\n-\n  m: n\n",
    "a:\n    b:\n        c: d e  f\n    'g h': \"i: j\"\n    k.l/m: {}\n    n: []\no: ~\np: 'x\\y'\n",
    "a: b\nc: d\na: e\nf: {g: 1, g: 2}\n",
    "a: &x {b: 1}\nc: *x\nd: {<<: *x}\ne: |\n  text\nf: >-\n  more\n  text\ng: 'it''s'\nh: \"a\\n\"\ni:\nj: a\n  b\n",
    "a:  \n- b  \n-  'c'   # d\n- e#f\n- g:h\n- (i)\n- $j\n- <k>\n- +l\n- \\m\n- =n\n- ;o\n- _p\n",
    "a: {b: c, d: [e, f, ], g: {h: i}}\nj: [k: l]\nm: {\"n\":1}\no: [p,q]\nr: {s:t}\nu: {v}\n",
];

/// What people may have put in by mistake, or on purpose.
const PIECES: &[&str] = &[
    " ", "  ", "\n", "\n\n", "- ", "-", ":", ": ", ":\n", "#", " #", " # x\n", ",", ", ", "[", "]", "{", "}",
    "'", "\"", "''", "~", "|", ">", "&a ", "*a", "!", "!!str ", "?", "? ", "%", "@", "`", "---\n", "--- ",
    "...\n", "... ", "...", "<<", "<<: ", "a", "a: b", "\na: b", "\n  a: b", "\n- a", "\n  - a", "\\", "\t",
    "\r\n", "é", "0", "null", "{}", "[]", "{a: b}", "[a, b]", "\n#\n", "\n    ", "=", "(", ";",
];

/// The tree with every place, as both make it; the second is nothing where it is not plain.
fn both(text: &str) -> Vec<(String, Option<String>)> {
    let shown = |root: &Option<Node<'_>>, problems: &[Diagnostic]| format!("{root:?} {problems:?}");
    let mut chunks_problems = Vec::new();
    let mut all = Vec::new();
    for chunk in chunks(text, FileId(3), &mut chunks_problems) {
        let (mut problems, mut of_plain) = (Vec::new(), Vec::new());
        let document = parsed(&chunk, &mut problems);
        let plain = tree(&chunk, &mut of_plain).map(|root| shown(&Some(root), &of_plain));
        assert!(plain.is_none() || document.complete, "{text:?}: {problems:?}");
        all.push((shown(&document.root, &problems), plain));
    }
    all
}

/// How many documents of the text were plain.
fn compare(text: &str) -> usize {
    let all = both(text);
    for (expected, plain) in &all {
        assert!(plain.as_ref().is_none_or(|plain| plain == expected), "{text:?}\n{expected}\n{plain:?}");
    }
    all.iter().filter(|(_, plain)| plain.is_some()).count()
}

#[test]
fn what_people_write_is_plain() {
    for text in SAMPLES.iter().take(6) {
        assert_eq!(compare(text), 1, "{text}");
    }
    let two = format!("{}---\n{}", SAMPLES[0], SAMPLES[1]);
    assert_eq!(compare(&two), 2);
    assert_eq!(compare("a:\n- b\n\n# end\n  "), 1);
}

#[test]
fn what_is_not_plain_is_left_to_others() {
    for text in [
        "",
        "# nothing\n",
        "a",
        "- ",
        "a:\n",
        "a: &x b\n",
        "a: *x\n",
        "a: !x b\n",
        "a: |\n  b\n",
        "a: b\n  c\n",
        "a: 'b\n  c'\n",
        "a: \"\\n\"\n",
        "a: 'b''c'\n",
        "a: [b,\n c]\n",
        "a: {<<: b}\n",
        "<<: b\n",
        "? a\n: b\n",
        "a: b: c\n",
        "a: b\n... c: d\n",
        "... a: b\n",
        "a\n",
        "a: @b\n",
        "a: é\n",
        "a:\tb\n",
        "a: b\r\n",
        "%YAML 1.2\n---\na: b\n",
        "--- a\n",
        "a: b\n...\n",
        "{a: b}\n",
        "a: [b c: d]\n",
        "a: 'b' c\n",
        "a: [b] c\n",
        "a: {b: c}: d\n",
        "a: b\n c: d\n",
        "- a\nb: c\n",
        "a: {b: c,}\n",
        "a: {\"b\":c}\n",
    ] {
        assert_eq!(compare(text), 0, "{text:?}");
    }
    let deep = |open: &str, close: &str| format!("a: {}b{}\n", open.repeat(120), close.repeat(120));
    assert_eq!(compare(&deep("[", "]")), 0);
    assert_eq!(compare(&format!("{}: b\n", "a".repeat(1100))), 0);
    let levels: String = (0..120).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert_eq!(compare(&format!("{levels}{}a: b\n", " ".repeat(120))), 0);
}

/// Whatever the samples are turned into, what is read here is what all of YAML makes of it.
#[test]
fn plain_trees_are_those_of_the_parser() {
    let rounds = std::env::var("SLUICEGATE_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let (mut plain, mut total) = (0, 0);
    for _ in 0..rounds {
        let mut text: Vec<char> = SAMPLES[random(SAMPLES.len())].chars().collect();
        for _ in 0..=random(4) {
            let at = random(text.len());
            let removed = if random(2) == 0 { random(4) } else { 0 };
            let end = (at + removed).min(text.len());
            let piece = if random(3) == 0 { "" } else { PIECES[random(PIECES.len())] };
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        total += 1;
        plain += compare(&text);
    }
    assert!(plain * 10 > total, "only {plain} of {total} were plain");
}
