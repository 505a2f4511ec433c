//! `corsPolicy`: what browsers let pages of other origins do with the answers (Fetch, section 3.2).
//!
//! Which origins are allowed is for the caller to say; here is what follows from it, as in Envoy's filter `cors`.

use crate::http::{Fields, RequestHead};

/// What a policy says to origins that it allows. Absent fields are not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// `allowMethods`, with commas between them; `*` alone: whatever is asked for.
    pub methods: Option<Box<[u8]>>,
    /// `allowHeaders`, likewise.
    pub headers: Option<Box<[u8]>>,
    /// `exposeHeaders`, with commas between them.
    pub expose: Option<Box<[u8]>>,
    /// `maxAge`, in seconds.
    pub max_age: Option<Box<[u8]>>,
    /// `allowCredentials`
    pub credentials: bool,
    /// `unmatchedPreflights: IGNORE`: preflights from other origins are answered here, with nothing allowed.
    pub ignores_unmatched: bool,
}

const ORIGIN: &[u8] = b"origin";
const REQUEST_METHOD: &[u8] = b"access-control-request-method";
const REQUEST_HEADERS: &[u8] = b"access-control-request-headers";

/// The origin that a request says it comes from, if it is one of CORS.
pub fn origin(request: &RequestHead) -> Option<&[u8]> {
    request.fields.get_text(ORIGIN).filter(|origin| !origin.is_empty())
}

/// Whether a request with an origin only asks what would be allowed (specification section 3.4): `OPTIONS` with
/// `Access-Control-Request-Method`.
pub fn is_preflight(request: &RequestHead) -> bool {
    let asks = || request.fields.get_text(REQUEST_METHOD).is_some_and(|method| !method.is_empty());
    request.method == b"OPTIONS" && asks()
}

impl Cors {
    /// Whether a preflight is answered here; otherwise it goes on like any request.
    pub fn answers(&self, is_allowed: bool) -> bool {
        is_allowed || self.ignores_unmatched
    }

    /// Says to an allowed origin's preflight what it may ask. Method and fields that were asked for are not compared with
    /// the lists: browsers do that.
    pub fn allow_preflight(&self, origin: &[u8], request: &RequestHead, response: &mut Fields) {
        response.set(b"access-control-allow-origin", origin);
        if self.credentials {
            response.set(b"access-control-allow-credentials", b"true");
        }
        // With credentials a browser takes `*` literally, so the star is never sent (Fetch, section 4.10).
        for (list, name, asked) in [
            (&self.methods, &b"access-control-allow-methods"[..], REQUEST_METHOD),
            (&self.headers, b"access-control-allow-headers", REQUEST_HEADERS),
        ] {
            match list.as_deref() {
                Some(b"*") => {
                    if let Some(asked) = request.fields.get_text(asked) {
                        response.set(name, asked);
                    }
                }
                Some(list) => response.set(name, list),
                None => {}
            }
        }
        if let Some(age) = &self.max_age {
            response.set(b"access-control-max-age", age);
        }
    }

    /// Says to an allowed origin that it may read this answer, whatever the upstream said.
    pub fn allow_answer(&self, origin: &[u8], response: &mut Fields) {
        response.set(b"access-control-allow-origin", origin);
        // What the origin says of credentials is the policy's to say.
        if self.credentials {
            response.set(b"access-control-allow-credentials", b"true");
        } else {
            response.remove_text(b"access-control-allow-credentials");
        }
        if let Some(expose) = &self.expose {
            response.set(b"access-control-expose-headers", expose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead { method: method.into(), ..RequestHead::default() };
        fields.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
        head
    }

    fn lines(fields: &Fields) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        fields.iter().map(|field| format!("{}: {}", text(field.text), text(field.value))).collect()
    }

    fn policy() -> Cors {
        Cors {
            methods: Some((*b"GET,POST").into()),
            headers: Some((*b"x-a,x-b").into()),
            expose: Some((*b"x-c").into()),
            max_age: Some((*b"86400").into()),
            credentials: true,
            ignores_unmatched: false,
        }
    }

    #[test]
    fn what_a_preflight_is() {
        let asked = ("access-control-request-method", "PUT");
        assert!(is_preflight(&request("OPTIONS", &[asked])));
        assert!(!is_preflight(&request("OPTIONS", &[])));
        assert!(!is_preflight(&request("OPTIONS", &[("access-control-request-method", "")])));
        assert!(!is_preflight(&request("GET", &[asked])));
        assert_eq!(origin(&request("GET", &[("Origin", "https://a")])), Some(&b"https://a"[..]));
        assert_eq!(origin(&request("GET", &[("Origin", "")])), None);
    }

    #[test]
    fn preflights_get_the_lists() {
        let mut response = Fields::default();
        policy().allow_preflight(b"https://a", &request("OPTIONS", &[]), &mut response);
        assert_eq!(
            lines(&response),
            [
                "access-control-allow-origin: https://a",
                "access-control-allow-credentials: true",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-headers: x-a,x-b",
                "access-control-max-age: 86400",
            ]
        );
        let mut response = Fields::default();
        Cors::default().allow_preflight(b"null", &request("OPTIONS", &[]), &mut response);
        assert_eq!(lines(&response), ["access-control-allow-origin: null"]);
    }

    #[test]
    fn a_star_is_what_was_asked_for() {
        let star = Cors { methods: Some((*b"*").into()), headers: Some((*b"*").into()), ..Cors::default() };
        let asked =
            [("access-control-request-method", "PUT"), ("access-control-request-headers", "x-q, x-r")];
        let mut response = Fields::default();
        star.allow_preflight(b"https://a", &request("OPTIONS", &asked), &mut response);
        assert_eq!(
            lines(&response)[1..],
            ["access-control-allow-methods: PUT", "access-control-allow-headers: x-q, x-r"]
        );
        let mut response = Fields::default();
        star.allow_preflight(b"https://a", &request("OPTIONS", &asked[..1]), &mut response);
        assert_eq!(lines(&response).len(), 2);
    }

    #[test]
    fn what_the_upstream_said_is_overwritten() {
        let mut response = Fields::default();
        response.push(b"Access-Control-Allow-Origin", b"*");
        response.push(b"access-control-allow-origin", b"https://old");
        response.push(b"access-control-allow-methods", b"PUT");
        policy().allow_answer(b"https://a", &mut response);
        assert_eq!(
            lines(&response),
            [
                "access-control-allow-methods: PUT",
                "access-control-allow-origin: https://a",
                "access-control-allow-credentials: true",
                "access-control-expose-headers: x-c",
            ]
        );
    }

    #[test]
    fn the_upstream_does_not_allow_credentials() {
        let mut response = Fields::default();
        response.push(b"Access-Control-Allow-Credentials", b"true");
        response.push(b"x-other", b"1");
        response.push(b"access-control-allow-credentials", b"true");
        Cors::default().allow_answer(b"https://a", &mut response);
        assert_eq!(lines(&response), ["x-other: 1", "access-control-allow-origin: https://a"]);
    }

    #[test]
    fn who_answers() {
        assert!(policy().answers(true) && !policy().answers(false));
        assert!(Cors { ignores_unmatched: true, ..policy() }.answers(false));
    }
}
