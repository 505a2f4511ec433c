use super::*;
use crate::{
    http::RequestHead,
    jwt::{KeySet, Refusal, SharedSecrets, Terms, testing::Signer},
};
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: u64 = 1_000_000;

fn request(target: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut request = RequestHead {
        method: b"GET".to_vec(),
        target: target.as_bytes().to_vec(),
        path_len: target.find('?').unwrap_or(target.len()),
        ..RequestHead::default()
    };
    for (name, value) in fields {
        request.fields.push(name.as_bytes(), value.as_bytes());
    }
    request
}

fn header(name: &str, prefix: &str) -> Location {
    Location::Header { name: name.as_bytes().into(), prefix: prefix.as_bytes().into() }
}

fn usual() -> Vec<Location> {
    vec![header("authorization", "Bearer "), Location::Param(b"access_token"[..].into())]
}

/// Rules for issuers `a` and `b`, each with a key of its own and with these places.
struct Setup {
    authentication: Authentication,
    keys: Keys,
    signers: [Signer; 2],
}

impl Setup {
    fn new(places: [Vec<Location>; 2], change: impl Fn(&mut TokenRule)) -> Setup {
        let signers = ["a", "b"].map(|id| Signer::new("ES256", Some(id)));
        let mut authentication = Authentication::default();
        for ((signer, places), number) in signers.iter().zip(places).zip(0..) {
            let set = KeySet::parse(signer.set().as_bytes(), SharedSecrets::Used).unwrap();
            authentication.sources.push(KeySource::Local(Arc::new(set)));
            let mut rule = TokenRule {
                name: "rule".into(),
                terms: Terms::new(signer.id.unwrap(), []),
                keys: KeySourceId(number),
                forwards: false,
                payload_field: None,
                claim_fields: Vec::new(),
                lists: vec!["scope".into()],
            };
            change(&mut rule);
            authentication.add(rule, places);
        }
        Setup { keys: Keys::new(&authentication), authentication, signers }
    }

    fn usual() -> Setup {
        Setup::new([usual(), usual()], |_| {})
    }

    /// A token of the first or second issuer.
    fn token(&self, who: usize, more: Value) -> String {
        let mut claims = json!({"iss": self.signers[who].id.unwrap(), "sub": "me"});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.signers[who].token(&claims)
    }

    /// The issuer whose token counts.
    fn apply(&self, request: &mut RequestHead) -> Result<Option<String>, Refusal> {
        let verified = self.authentication.apply(request, &self.keys, NOW)?;
        Ok(verified.map(|verified| verified.claims.principal().unwrap()))
    }
}

fn of(who: &str) -> Result<Option<String>, Refusal> {
    Ok(Some(format!("{who}/me")))
}

#[test]
fn no_token_is_no_problem_and_a_bad_one_is() {
    let setup = Setup::usual();
    let bearer = |token: &str| request("/", &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(setup.apply(&mut request("/", &[])), Ok(None));
    assert_eq!(setup.apply(&mut request("/", &[("authorization", "Basic YTpi")])), Ok(None));
    for who in [0, 1] {
        let token = setup.token(who, json!({}));
        assert_eq!(setup.apply(&mut bearer(&token)), of(["a", "b"][who]));
    }
    let refused = |token: String| setup.apply(&mut bearer(&token)).unwrap_err();
    assert_eq!(refused("x".into()), Refusal::Form);
    assert_eq!(refused(String::new()), Refusal::Form);
    // The rule of the other issuer has nothing to say about these.
    assert_eq!(refused(setup.token(1, json!({"exp": NOW - 61}))), Refusal::Expired);
    assert_eq!(refused(setup.token(0, json!({"nbf": NOW + 61}))), Refusal::NotYetValid);
    assert_eq!(refused(setup.token(0, json!({"iss": "c"}))), Refusal::UnknownIssuer);
    assert_eq!(refused(setup.token(0, json!({"iss": "b"}))), Refusal::NoKey);
}

#[test]
fn every_token_must_be_good() {
    let setup = Setup::new([usual(), vec![header("x-b", "")]], |_| {});
    let (a, b) = (setup.token(0, json!({})), setup.token(1, json!({})));
    let with = |authorization: &str, other: &str| {
        let authorization = format!("Bearer {authorization}");
        setup.apply(&mut request("/", &[("x-b", other), ("authorization", &authorization)]))
    };
    assert_eq!(with(&a, &b), of("a"));
    assert_eq!(with(&a, "x"), Err(Refusal::Form));
    // Each is where only the other's rule looks.
    assert_eq!(with(&b, &a), Err(Refusal::UnknownIssuer));
    let twice = [("authorization", format!("Bearer {a}")), ("authorization", "Bearer x.y.z".to_owned())];
    let mut twice = request("/", &twice.each_ref().map(|(name, value)| (*name, value.as_str())));
    assert_eq!(setup.apply(&mut twice), Err(Refusal::HeaderBase64));
    let mut twice = request(&format!("/?access_token={a}&access_token=x"), &[]);
    assert_eq!(setup.apply(&mut twice), Err(Refusal::Form));
}

#[test]
fn places() {
    let cookie = || Location::Cookie(b"session"[..].into());
    let setup = Setup::new(
        [vec![header("x-a", "Token "), Location::Param(b"t"[..].into()), cookie()], usual()],
        |_| {},
    );
    let token = setup.token(0, json!({}));
    for (target, name, value) in [
        ("/", "x-a", format!("Token {token}")),
        ("/", "x-a", format!("My Token  {token}")),
        ("/", "cookie", format!("a=b; session={token}; c=d")),
        ("/", "cookie", format!("session=\"{token}\"")),
        (&*format!("/?a=b&t={token}"), "x", String::new()),
        (&*format!("/?%74={token}"), "x", String::new()),
        (&*format!("/?t={}", token.replace('.', "%2e")), "x", String::new()),
    ] {
        assert_eq!(setup.apply(&mut request(target, &[(name, &value)])), of("a"), "{target} {name}: {value}");
    }
    for (target, name, value) in [
        ("/", "x-a", token.clone()),
        ("/", "authorization", format!("Token {token}")),
        ("/", "cookie", format!("xsession={token}; sessionx={token}")),
        (&*format!("/?tt={token}&xt={token}&access_token"), "cookie", String::new()),
    ] {
        let found = setup.apply(&mut request(target, &[(name, &value)]));
        // The last has the other rule's parameter, empty.
        let expected = if target.contains("access_token") { Err(Refusal::Form) } else { Ok(None) };
        assert_eq!(found, expected, "{target} {name}: {value}");
    }
}

fn lines(request: &RequestHead) -> String {
    let mut out = Vec::new();
    request.fields.write_lines(&mut out);
    format!("{}\n{}", String::from_utf8_lossy(&request.target), String::from_utf8(out).unwrap())
        .replace('\r', "")
}

#[test]
fn the_origin_does_not_see_the_token() {
    let setup = Setup::usual();
    let token = setup.token(0, json!({}));
    let bearer = format!("Bearer {token}");
    let mut both =
        request(&format!("/p?a=1&access_token={token}&b=%20"), &[("authorization", &bearer), ("x", "y")]);
    assert_eq!(setup.apply(&mut both), of("a"));
    assert_eq!(lines(&both), "/p?a=1&b=%20\nx: y\n");
    let mut alone = request(&format!("/p?access%5Ftoken={token}"), &[]);
    assert_eq!(setup.apply(&mut alone), of("a"));
    assert_eq!((lines(&alone), alone.path()), ("/p\n".to_owned(), &b"/p"[..]));
    // What is no token is the origin's.
    let mut basic = request("/", &[("authorization", "Basic YTpi")]);
    assert_eq!(setup.apply(&mut basic), Ok(None));
    assert_eq!(lines(&basic), "/\nauthorization: Basic YTpi\n");
    let forwarding = Setup::new([usual(), usual()], |rule| rule.forwards = true);
    let bearer = format!("Bearer {}", forwarding.token(0, json!({})));
    let mut kept = request("/", &[("authorization", &bearer)]);
    assert_eq!(forwarding.apply(&mut kept), of("a"));
    assert_eq!(lines(&kept), format!("/\nauthorization: {bearer}\n"));
}

#[test]
fn what_the_origin_is_told() {
    let claim = |field: &str, path: &[&str]| ClaimField {
        field: field.as_bytes().into(),
        path: path.iter().map(|name| Box::from(*name)).collect(),
    };
    let setup = Setup::new([usual(), usual()], |rule| {
        rule.payload_field = Some(b"x-payload"[..].into());
        rule.claim_fields = vec![
            claim("x-sub", &["sub"]),
            claim("x-n", &["n"]),
            claim("x-deep", &["a", "b"]),
            claim("x-list", &["list"]),
            claim("x-bad", &["bad"]),
            claim("x-scope", &["scope"]),
            claim("x-absent", &["absent"]),
        ];
    });
    let more = json!({"n": -5, "a": {"b": true}, "list": ["x"], "bad": "a\r\nx-admin: 1", "scope": "r w"});
    let token = setup.token(0, more);
    let payload = token.split('.').nth(1).unwrap().to_owned();
    let own = [("x-sub", "admin"), ("X-Payload", "e30"), ("x-absent", "1"), ("x-list", "1")];
    let bearer = format!("Bearer {token}");
    let mut with = own.to_vec();
    with.push(("authorization", &bearer));
    let mut good = request("/", &with);
    // The second time it comes out of the cache.
    for _ in 0..2 {
        assert_eq!(setup.apply(&mut good), of("a"));
        let expected = format!("/\nx-payload: {payload}\nx-sub: me\nx-n: -5\nx-deep: true\nx-scope: r w\n");
        assert_eq!(lines(&good), expected);
        good = request("/", &with);
    }
    // Nobody without a token says who he is, nor does a preflight.
    let mut none = request("/", &own);
    assert_eq!(setup.apply(&mut none), Ok(None));
    assert_eq!(lines(&none), "/\n");
}

#[test]
fn preflights_pass() {
    let setup = Setup::usual();
    let fields =
        [("origin", "https://a"), ("access-control-request-method", "PUT"), ("authorization", "Bearer x")];
    let mut preflight = request("/", &fields);
    assert_eq!(setup.apply(&mut preflight), Err(Refusal::Form));
    preflight.method = b"OPTIONS".to_vec();
    assert_eq!(setup.apply(&mut preflight), Ok(None));
}

#[test]
fn verified_tokens_are_remembered_until_they_expire_or_keys_change() {
    let setup = Setup::usual();
    let token = setup.token(0, json!({"exp": NOW + 10}));
    let bearer = format!("Bearer {token}");
    let at = |now: u64| {
        let mut request = request("/", &[("authorization", &bearer)]);
        setup.authentication.apply(&mut request, &setup.keys, now).map(|verified| verified.is_some())
    };
    assert_eq!((at(NOW), setup.keys.remembered()), (Ok(true), 1));
    assert_eq!((at(NOW + 70), setup.keys.remembered()), (Ok(true), 1));
    assert_eq!((at(NOW + 71), setup.keys.remembered()), (Err(Refusal::Expired), 0));
    assert_eq!((at(NOW), setup.keys.remembered()), (Ok(true), 1));
    let other = Signer::new("ES256", Some("a"));
    let set = KeySet::parse(other.set().as_bytes(), SharedSecrets::Skipped).unwrap();
    setup.keys.set(KeySourceId(0), Arc::new(set));
    assert_eq!((at(NOW), setup.keys.remembered()), (Err(Refusal::Verification), 0));
}

/// Two rules of one issuer read claims differently. Which of them takes a token is a matter of where it stands, not of where
/// it has been before.
#[test]
fn a_token_seen_elsewhere_does_not_choose_the_rule() {
    let signer = Signer::new("ES256", Some("a"));
    let setup = || {
        let mut authentication = Authentication::default();
        let set = KeySet::parse(signer.set().as_bytes(), SharedSecrets::Used).unwrap();
        authentication.sources.push(KeySource::Local(Arc::new(set)));
        let places = [vec![header("x-a", "")], vec![header("x-b", ""), header("x-a", "")]];
        for (places, lists) in places.into_iter().zip([vec!["roles".into()], Vec::new()]) {
            let rule = TokenRule {
                name: "rule".into(),
                terms: Terms::new("a", []),
                keys: KeySourceId(0),
                forwards: false,
                payload_field: None,
                claim_fields: Vec::new(),
                lists,
            };
            authentication.add(rule, places);
        }
        (Keys::new(&authentication), authentication)
    };
    let token = signer.token(&json!({"iss": "a", "sub": "me", "roles": "user suspended"}));
    for order in ["abab", "baba", "bbaa", "aabb"] {
        let (keys, authentication) = setup();
        for place in order.chars() {
            let mut request = request("/", &[(&format!("x-{place}"), &token)]);
            let verified = authentication.apply(&mut request, &keys, NOW).unwrap().unwrap();
            let is_list = verified.claims.find(&["roles"]).unwrap().is_array();
            assert_eq!(
                (verified.rule, is_list),
                if place == 'a' { (0, true) } else { (1, false) },
                "{order}"
            );
        }
    }
}

#[test]
fn without_keys_nobody_gets_in() {
    let setup = Setup::usual();
    let mut authentication = setup.authentication;
    authentication.sources = vec![
        KeySource::Remote { url: "https://a/".into(), timeout: std::time::Duration::from_secs(5) },
        KeySource::Local(Arc::new(KeySet::default())),
    ];
    let setup = Setup { keys: Keys::new(&authentication), authentication, signers: setup.signers };
    for (who, refusal) in [(0, Refusal::NotFetched), (1, Refusal::NoValidKeys)] {
        let bearer = format!("Bearer {}", setup.token(who, json!({})));
        assert_eq!(setup.apply(&mut request("/", &[("authorization", &bearer)])), Err(refusal));
    }
}

#[test]
fn the_cache_is_bounded_and_keeps_what_is_used() {
    let setup = Setup::usual();
    let bearer = format!("Bearer {}", setup.token(0, json!({})));
    let mut request = request("/", &[("authorization", &bearer)]);
    let verified = setup.authentication.apply(&mut request, &setup.keys, NOW).unwrap().unwrap();
    let mut cache = TokenCache::default();
    cache.insert(b"used"[..].into(), std::rc::Rc::clone(&verified));
    for number in 0..5 * CACHE_TOKENS_MAX {
        cache.insert(number.to_string().into_bytes().into(), std::rc::Rc::clone(&verified));
        if number % 1000 == 0 {
            assert!(cache.get(b"used").is_some());
        }
    }
    assert!(cache.count() <= 2 * CACHE_TOKENS_MAX);
    assert!(cache.get(b"0").is_none() && cache.get(b"used").is_some());
    let large = vec![b'a'; CACHE_BYTES_MAX / 4];
    for number in 0..20u8 {
        let mut token = large.clone();
        token[0] = number;
        cache.insert(token.into(), std::rc::Rc::clone(&verified));
    }
    assert!(cache.get(&large).is_none());
    let count = cache.count();
    assert!(count <= 10, "{count}");
}
