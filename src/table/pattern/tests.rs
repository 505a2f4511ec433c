//! What RE2 and this engine read differently, what is refused, and literal prefixes.

use super::*;

fn matches(pattern: &str, value: &str) -> bool {
    match Pattern::new(pattern) {
        Ok(compiled) => compiled.is_match(value.as_bytes()),
        Err(error) => panic!("{pattern}: {error}"),
    }
}

#[track_caller]
fn yes(pattern: &str, values: &[&str]) {
    for value in values {
        assert!(matches(pattern, value), "{pattern} does not match {value:?}");
    }
}

#[track_caller]
fn no(pattern: &str, values: &[&str]) {
    for value in values {
        assert!(!matches(pattern, value), "{pattern} matches {value:?}");
    }
}

#[test]
fn the_whole_value_must_match() {
    yes("/api/v[0-9]+", &["/api/v1", "/api/v22"]);
    no("/api/v[0-9]+", &["/api/v", "/api/v1/", "x/api/v1", "/api/v1\n"]);
    yes("a|ab", &["a", "ab"]);
    no("a|ab", &["b", "aba"]);
    yes("^/a$", &["/a"]);
    yes("", &[""]);
    no("", &["x"]);
    yes(".*", &["", "/any thing"]);
    no(".*", &["a\nb"]);
    yes("(?s).*", &["a\nb"]);
    yes("(?i)/Abc", &["/aBC"]);
    yes("(?i:a)b", &["Ab"]);
    no("(?i:a)b", &["AB"]);
}

#[test]
fn braces_that_are_no_repetition_are_text() {
    yes("/users/{id}", &["/users/{id}"]);
    yes("a{,5}", &["a{,5}"]);
    no("a{,5}", &["aaa"]);
    yes("a{2}", &["aa"]);
    yes("a{2,}b{0,1}", &["aab", "aaaa"]);
    yes("{", &["{"]);
    yes("a}", &["a}"]);
    yes("]", &["]"]);
}

#[test]
fn escapes() {
    yes(r"\d+\.\w+", &["12.a_Z"]);
    no(r"\d", &["\u{0663}"]);
    no(r"\w", &["é"]);
    yes(r"\s\s\s\s\s", &["\t\n\x0C\r "]);
    no(r"\s", &["\x0B"]);
    yes(r"\v\a\f\t\n\r", &["\x0B\x07\x0C\t\n\r"]);
    yes(r"\x41\x{42}\103\07", &["ABC\x07"]);
    yes(r"\Qa.b*\E+", &["a.b*", "a.b**"]);
    no(r"\Qa.b*\E", &["axb"]);
    yes(r"\Qopen[", &["open["]);
    yes(r"a\bc*", &["a"]);
    no(r"a\bc", &["ac"]);
    yes(r"\pL\p{Greek}\PN\p{^L}", &["aαx1"]);
    yes(r"\-\/\_\@", &["-/_@"]);
}

#[test]
fn classes() {
    yes("[[a]", &["[", "a"]);
    yes("[a&&b]", &["a", "&", "b"]);
    yes("[a~~b]", &["~"]);
    yes("[]a]", &["]", "a"]);
    yes("[^]a]", &["b"]);
    no("[^]a]", &["]"]);
    yes("[a-]", &["-"]);
    yes("[+--]", &["+", ",", "-"]);
    no("[+--]", &["."]);
    yes(r"[\d-z]", &["5", "-", "z"]);
    yes(r"[\D]", &["x"]);
    no(r"[\D]", &["5"]);
    yes(r"[^\s/]+", &["abc"]);
    yes("[[:alpha:]-_]", &["q", "-", "_"]);
    no("[[:^alpha:]]", &["q"]);
    yes("[[:]", &["[", ":"]);
    yes("[α-ω]+x", &["αβγx"]);
    yes(r"[\p{Lu}\d]+", &["ÄB3"]);
    yes(r"[\x{1F600}]", &["\u{1F600}"]);
}

#[test]
fn text_beyond_ascii() {
    yes("é+", &["éé"]);
    yes("(?i)É", &["é"]);
    let any = Pattern::new("a.*").unwrap();
    assert!(any.is_match(b"a\xFF"), "a value that is not UTF-8 can match");
    assert!(Pattern::new("a[^/]b").unwrap().is_match(b"a\xE9b"));
}

#[test]
fn what_re2_refuses_is_refused() {
    for (pattern, reason) in [
        ("(?=x)", "look-around"),
        ("(?!x)", "look-around"),
        ("(?<=x)", "look-around"),
        ("(?<!x)", "look-around"),
        (r"(a)\1", "back-references"),
        (r"\C", "`\\C`"),
        (r"\Z", "unknown escape"),
        (r"\h", "unknown escape"),
        (r"\E", "without"),
        ("\\", "backslash"),
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("(+)", "nothing to repeat"),
        ("a**", "repetition of a repetition"),
        ("a{2}{3}", "repetition of a repetition"),
        ("a*+", "repetition of a repetition"),
        ("a{1001}", "1000"),
        ("a{3,2}", "end is before"),
        ("(a", "missing `)`"),
        ("a)", "unexpected `)`"),
        ("[a", "missing `]`"),
        ("[b-a]", "end is before"),
        (r"[a-\d]", "ends with a class"),
        ("[[:nope:]]", "unknown class"),
        (r"\p{", "missing `}`"),
        (r"\p{Nope}", "Unicode"),
        (r"\x{110000}", "hexadecimal"),
        (r"\xg1", "hexadecimal"),
        ("(?x)a", "unknown kind"),
        ("(?)", "unknown kind"),
        ("(?#c)", "unknown kind"),
        ("(?P=n)", "unknown kind"),
        ("(?P<1>a)", "name of a group"),
        ("(?P<a>x)(?P<a>y)", "duplicate"),
        ("(((a{1000}){1000}){1000})", "too large"),
    ] {
        let error = Pattern::new(pattern).expect_err(pattern).to_string();
        assert!(error.contains(reason), "{pattern}: {error}");
    }
    let long = "a".repeat(PATTERN_LENGTH_MAX + 1);
    assert_eq!(Pattern::new(&long).unwrap_err(), PatternError::TooLong { length: PATTERN_LENGTH_MAX + 1 });
    assert!(Pattern::new(&long[1..]).is_ok());
}

#[test]
fn a_place_is_named() {
    let error = Pattern::new("/a/(?!b)").unwrap_err();
    assert_eq!(error.to_string(), "look-around is not supported (character 6 of the expression)");
}

#[test]
fn literal_prefixes() {
    for (pattern, prefix) in [
        ("/api/v[0-9]+", "/api/v"),
        ("^/api/.*$", "/api/"),
        (r"\A/a\.b\d", "/a.b"),
        ("/ab*", "/a"),
        ("/ab?c", "/a"),
        ("/ab{0,2}", "/a"),
        ("/ab+c", "/a"),
        ("/ab{2}", "/a"),
        ("/a|/b", ""),
        ("/a(b|c)", "/a"),
        ("(/a)", ""),
        ("(?i)/a", ""),
        (".*", ""),
        ("/a", "/a"),
        (r"/\Qx*\Ey", "/x*y"),
        ("/é*", "/"),
        ("/users/{id}/x.", "/users/{id}/x"),
        ("a^b*", "a"),
    ] {
        let compiled = Pattern::new(pattern).unwrap();
        assert_eq!(compiled.literal_prefix(), prefix.as_bytes(), "{pattern}");
    }
}

#[test]
fn assertions_see_what_is_before_the_rest() {
    yes(r"ab\b-", &["ab-"]);
    no(r"ab\bc", &["abc"]);
    no("ab^c", &["abc", "ab"]);
    yes(r"a\B(b|c)", &["ab", "ac"]);
    no(r"a-\B(b|c)", &["a-b"]);
    yes("(?m)a\n^b", &["a\nb"]);
    yes("ab+", &["abbb"]);
    no("ab+", &["a"]);
}

#[test]
fn an_expression_with_many_states_falls_back() {
    let pattern = Pattern::new(".*a.{24}").unwrap();
    assert!(matches!(pattern.0.engine, Engine::Lazy(_)));
    assert!(pattern.is_match(b"xxa123456789012345678901234"));
    assert!(!pattern.is_match(b"xxa12345678901234567890123"));
    assert!(matches!(Pattern::new("/api/v[0-9]+/.*").unwrap().0.engine, Engine::Table(_)));
}

/// Whatever the text is, compiling it ends, and what compiles matches as the plain engine does.
#[test]
fn no_text_makes_it_panic() {
    const PIECES: [&str; 40] = [
        "a", "b", "/", ".", "*", "+", "?", "(", ")", "[", "]", "{", "}", "|", "^", "$", "\\", "-", ",", "2",
        "9", "P", "<", ">", ":", "=", "!", "i", "x", "Q", "E", "p", "L", "d", "W", "0", "é", "&", "[:",
        "{2}",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let (mut compiled, mut hits) = (0, 0);
    for _ in 0..4000 {
        let text: String = (0..1 + random(9)).map(|_| PIECES[random(PIECES.len())]).collect();
        if let Ok(pattern) = Pattern::new(&text) {
            compiled += 1;
            let value: String = (0..random(6)).map(|_| PIECES[random(12)]).collect();
            let whole = compile(&format!(r"\A(?:{})\z", re2::translate(&text).unwrap().source)).unwrap();
            // A value that begins as it must has the better chance to match.
            for value in [value.clone().into_bytes(), [pattern.literal_prefix(), value.as_bytes()].concat()] {
                let matched = pattern.is_match(&value);
                assert_eq!(matched, whole.is_match(&value), "{text:?} {value:?}");
                hits += usize::from(matched);
            }
        }
    }
    assert!(compiled > 200 && hits > 100, "{compiled} {hits}");
}
