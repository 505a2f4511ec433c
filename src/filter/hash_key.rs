//! What of a request decides where it goes (`consistentHash`), hashed as Envoy hashes it: a fleet that changes over from
//! Istio's gateway finds its sessions where they were.

use crate::http::RequestHead;
use twox_hash::XxHash64;

/// The hash of a text: xxHash64 with a seed, 0 for keys.
pub fn hash_text(text: &[u8], seed: u64) -> u64 {
    XxHash64::oneshot(seed, text)
}

/// What of a request decides (specification section 4.3). A request without it goes anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// `httpHeaderName`, in lower case. Several fields of this name count in the order of their values, whatever order they
    /// came in.
    Header(Box<str>),
    /// `httpCookie`
    Cookie(Box<HashCookie>),
    /// `useSourceIp`: the client's address, without its port.
    SourceIp,
    /// `httpQueryParameterName`: the first parameter of this name. Name and value count as they were sent, without decoding
    /// them.
    QueryParameter(Box<str>),
}

/// `httpCookie`: a cookie that decides.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HashCookie {
    /// Its name.
    pub name: Box<str>,
    /// `ttl`, in whole seconds: a client without the cookie gets one that lives for so long; 0: until the browser is closed.
    /// `None`: no cookie is given, and a request without one goes anywhere.
    pub ttl: Option<u64>,
    /// Its `Path`; empty: none is said.
    pub path: Box<str>,
    /// Further attributes, with an empty value for those that have none.
    pub attributes: Box<[(Box<str>, Box<str>)]>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The client's address, without its port; empty if it has none.
    pub ip: &'a [u8],
    /// The other end of the connection: address and port.
    pub peer: &'a [u8],
    /// This end of the connection: address and port.
    pub local: &'a [u8],
}

/// What became of a request's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashed {
    /// The hash; nothing where the request has no key.
    pub hash: Option<u64>,
    /// The value of the cookie that the client is to be given.
    pub given: Option<GivenCookie>,
}

/// The value of a cookie that a client is given: sixteen hexadecimal digits. It is the same for all requests of a
/// connection, so that those that are under way at the same time get one cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenCookie([u8; 16]);

impl HashKey {
    /// The hash of a request, as it is when it leaves.
    pub fn of(&self, request: &RequestHead, asking: Asking<'_>) -> Hashed {
        let only = |hash| Hashed { hash, given: None };
        match self {
            HashKey::Header(name) => only(of_header(request, name.as_bytes())),
            HashKey::SourceIp => only(Some(asking.ip).filter(|ip| !ip.is_empty()).map(|ip| hash_text(ip, 0))),
            HashKey::QueryParameter(name) => only(of_parameter(request.query(), name.as_bytes())),
            HashKey::Cookie(cookie) => {
                let own = value_of(request, cookie.name.as_bytes()).filter(|value| !value.is_empty());
                match (own, cookie.ttl) {
                    (Some(value), _) => only(Some(hash_text(value, 0))),
                    (None, None) => only(None),
                    (None, Some(_)) => {
                        let given = GivenCookie::of(asking);
                        Hashed { hash: Some(hash_text(&given.0, 0)), given: Some(given) }
                    }
                }
            }
        }
    }
}

impl HashCookie {
    /// Writes the value of `set-cookie`, as Envoy does.
    pub fn set_cookie(&self, given: GivenCookie, out: &mut Vec<u8>) {
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        put(&[self.name.as_bytes(), b"=\"", &given.0, b"\""]);
        if let Some(ttl) = self.ttl.filter(|ttl| *ttl != 0) {
            put(&[b"; Max-Age=", itoa::Buffer::new().format(ttl).as_bytes()]);
        }
        if !self.path.is_empty() {
            put(&[b"; Path=", self.path.as_bytes()]);
        }
        for (name, value) in &self.attributes {
            put(&[b"; ", name.as_bytes()]);
            if !value.is_empty() {
                put(&[b"=", value.as_bytes()]);
            }
        }
        put(&[b"; HttpOnly"]);
    }
}

impl GivenCookie {
    fn of(asking: Asking<'_>) -> GivenCookie {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let hash = hash_text(&[asking.peer, asking.local].concat(), 0);
        GivenCookie(std::array::from_fn(|at| DIGITS[(hash >> (60 - 4 * at)) as usize & 15]))
    }
}

/// The hash of each value is the seed for the next one's.
fn of_header(request: &RequestHead, name: &[u8]) -> Option<u64> {
    // Envoy keeps `host` as `:authority`, and finds it by either name.
    if name == b"host" {
        return Some(hash_text(&request.authority, 0));
    }
    let mut values = request.fields.get_all(name);
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(hash_text(first, 0)) };
    let mut all: Vec<&[u8]> = [first, second].into_iter().chain(values).collect();
    all.sort_unstable();
    Some(all.into_iter().fold(0, |seed, value| hash_text(value, seed)))
}

fn of_parameter(query: &[u8], name: &[u8]) -> Option<u64> {
    let query = query.strip_prefix(b"?")?;
    query.split(|byte| *byte == b'&').find_map(|parameter| {
        let rest = parameter.strip_prefix(name)?;
        let value = if rest.is_empty() { rest } else { rest.strip_prefix(b"=")? };
        Some(hash_text(value, 0))
    })
}

/// The value of the first cookie with a name, without the quotes around it. White space before a cookie's name does not
/// count, that behind its value does, as in Envoy.
fn value_of<'a>(request: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let mut pairs = request.fields.get_all(b"cookie").flat_map(|field| field.split(|byte| *byte == b';'));
    pairs.find_map(|pair| {
        let value = pair.trim_ascii_start().strip_prefix(name)?.strip_prefix(b"=")?;
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some(quoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKING: Asking<'_> =
        Asking { ip: b"127.0.0.1", peer: b"127.0.0.1:52262", local: b"127.0.0.1:28081" };

    fn request(target: &[u8], fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::default();
        head.set_target(target).unwrap();
        fields.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
        head
    }

    fn hash(key: &HashKey, target: &str, fields: &[(&str, &str)]) -> Option<u64> {
        key.of(&request(target.as_bytes(), fields), ASKING).hash
    }

    fn cookie(ttl: Option<u64>) -> HashCookie {
        HashCookie { name: "sid".into(), ttl, ..HashCookie::default() }
    }

    fn of(text: &str) -> Option<u64> {
        Some(hash_text(text.as_bytes(), 0))
    }

    #[test]
    fn the_hash_is_xxhash64() {
        // The algorithm's own test vectors.
        assert_eq!(hash_text(b"", 0), 0xef46_db37_51d8_e999);
        assert_eq!(hash_text(b"a", 0), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(hash_text(b"Nobody inspects the spammish repetition", 0), 0xfbce_a83c_8a37_8bf1);
    }

    #[test]
    fn header_fields_count_in_the_order_of_their_values() {
        let key = HashKey::Header("x-key".into());
        assert_eq!(hash(&key, "/", &[("X-Key", "user-1")]), of("user-1"));
        assert_eq!(hash(&key, "/", &[]), None);
        let both = hash(&key, "/", &[("x-key", "b"), ("x-key", "a")]);
        assert_eq!(both, hash(&key, "/", &[("x-key", "a"), ("x-key", "b")]));
        assert_eq!(both, Some(hash_text(b"b", hash_text(b"a", 0))));
    }

    #[test]
    fn parameters_count_as_they_were_sent() {
        let key = HashKey::QueryParameter("q".into());
        assert_eq!(hash(&key, "/?a=b&q=user-1", &[]), of("user-1"));
        assert_eq!(hash(&key, "/?q=one&q=two", &[]), of("one"));
        assert_eq!(hash(&key, "/?q=user%2d1", &[]), of("user%2d1"));
        assert_eq!(hash(&key, "/?qq=1&q=2", &[]), of("2"));
        assert_eq!(hash(&key, "/?q", &[]), of(""));
        assert_eq!(hash(&key, "/?q=", &[]), of(""));
        assert_eq!(hash(&key, "/?a=b;q=1", &[]), None);
        assert_eq!(hash(&key, "/q=1", &[]), None);
    }

    #[test]
    fn the_first_cookie_of_a_name_counts_without_its_quotes() {
        let key = HashKey::Cookie(Box::new(cookie(None)));
        let of_cookie = |text: &str| hash(&key, "/", &[("cookie", text)]);
        assert_eq!(of_cookie("a=b;  sid=user-1"), of("user-1"));
        assert_eq!(of_cookie("sid=\"user-1\"; sid=other"), of("user-1"));
        assert_eq!(of_cookie("sid=user-1 ; c=d"), of("user-1 "));
        assert_eq!(of_cookie("sid =user-1"), None);
        assert_eq!(of_cookie("SID=user-1"), None);
        assert_eq!(of_cookie("sid="), None);
        assert_eq!(hash(&key, "/", &[("cookie", "a=b"), ("cookie", "sid=x")]), of("x"));
    }

    #[test]
    fn a_client_without_the_cookie_is_given_the_one_that_envoy_gives() {
        let full = HashCookie {
            path: "/p".into(),
            attributes: [("SameSite", "Lax"), ("Secure", "")].map(|(n, v)| (n.into(), v.into())).into(),
            ..cookie(Some(60))
        };
        let text = |cookie: HashCookie| {
            let got = HashKey::Cookie(Box::new(cookie.clone())).of(&request(b"/", &[]), ASKING);
            let mut out = Vec::new();
            cookie.set_cookie(got.given.unwrap(), &mut out);
            assert_eq!(got.hash, of("1c0ad28b6c66148b"));
            String::from_utf8(out).unwrap()
        };
        // What Envoy 1.40 answers on a connection between these addresses.
        let expected = "sid=\"1c0ad28b6c66148b\"; Max-Age=60; Path=/p; SameSite=Lax; Secure; HttpOnly";
        assert_eq!(text(full), expected);
        assert_eq!(text(cookie(Some(0))), "sid=\"1c0ad28b6c66148b\"; HttpOnly");
    }

    #[test]
    fn a_client_with_the_cookie_is_given_none() {
        let key = HashKey::Cookie(Box::new(cookie(Some(60))));
        let got = key.of(&request(b"/", &[("cookie", "sid=abc")]), ASKING);
        assert_eq!(got, Hashed { hash: of("abc"), given: None });
    }

    #[test]
    fn the_address_counts_without_its_port() {
        assert_eq!(hash(&HashKey::SourceIp, "/", &[]), of("127.0.0.1"));
        let nobody = Asking { ip: b"", ..ASKING };
        assert_eq!(HashKey::SourceIp.of(&request(b"/", &[]), nobody).hash, None);
    }
}
