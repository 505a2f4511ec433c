//! Something of a request that tells clients apart: what limits count by, and what keeps a client on its side of a split.

use crate::{
    http::{RequestHead, split_port},
    jwt::Claims,
};
use std::{borrow::Cow, net::IpAddr};

/// What of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKey {
    /// The trusted address of the client.
    ClientAddress,
    /// A header field, by its name in lower case. Several of the name count as one, with commas between them.
    Header(Box<[u8]>),
    /// A cookie.
    Cookie(Box<[u8]>),
    /// A parameter of the query, as it is written.
    Query(Box<[u8]>),
    /// A claim of the verified token; what is not text is taken as JSON.
    Claim(Box<str>),
}

impl RequestKey {
    /// The value in a request, if it has one that is not empty. `client` is the address that may be trusted, `claims` what
    /// the verified token says.
    pub fn of<'r>(
        &'r self,
        request: &'r RequestHead,
        client: Option<IpAddr>,
        claims: Option<&'r Claims>,
    ) -> Option<Cow<'r, [u8]>> {
        let value = match self {
            // All addresses of one subscriber of IPv6 are one client: it has at least 64 bits to choose from.
            RequestKey::ClientAddress => match client?.to_canonical() {
                IpAddr::V4(address) => Cow::Owned(address.octets().to_vec()),
                IpAddr::V6(address) => Cow::Owned(address.octets().get(..8)?.to_vec()),
            },
            // Where it goes is the authority's host; how that is written must not make another key of it.
            RequestKey::Header(name) if &**name == b"host" => {
                let host = split_port(&request.authority).0;
                Cow::Owned(host.strip_suffix(b".").unwrap_or(host).to_ascii_lowercase())
            }
            RequestKey::Header(name) => {
                let mut values = request.fields.get_all(name);
                let first = Cow::Borrowed(values.next()?);
                values.fold(first, |joined, value| Cow::Owned([&joined, &b","[..], value].concat()))
            }
            RequestKey::Cookie(name) => Cow::Borrowed(cookie(request, name)?),
            RequestKey::Query(name) => Cow::Borrowed(parameter(request, name)?),
            RequestKey::Claim(name) => {
                let value = claims?.find(&[name])?;
                match value.as_str() {
                    Some(text) => Cow::Borrowed(text.as_bytes()),
                    None => Cow::Owned(value.to_string().into_bytes()),
                }
            }
        };
        Some(value).filter(|value| !value.is_empty())
    }
}

/// The first cookie of a name (RFC 6265 section 4.2). HTTP/2 may split the field.
pub fn cookie<'r>(request: &'r RequestHead, name: &[u8]) -> Option<&'r [u8]> {
    let pairs = request.fields.get_all(b"cookie").flat_map(|field| field.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

fn parameter<'r>(request: &'r RequestHead, name: &[u8]) -> Option<&'r [u8]> {
    let query = request.target.get(request.path().len()..)?.strip_prefix(b"?")?;
    query.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead { target: target.into(), ..RequestHead::default() };
        head.path_len = target.find('?').unwrap_or(target.len()) as _;
        fields.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
        head
    }

    fn of(key: &RequestKey, request: &RequestHead) -> Option<String> {
        key.of(request, None, None).map(|value| String::from_utf8(value.into_owned()).unwrap())
    }

    #[test]
    fn fields_cookies_and_parameters() {
        let head = request(
            "/a?x=1&key=k%20v&key=2&e=",
            &[
                ("X-Api-Key", "one"),
                ("cookie", "a=b; side=left;c"),
                ("x-api-key", "two"),
                ("cookie", "more=m; side=x"),
            ],
        );
        let header = |name: &str| RequestKey::Header(name.as_bytes().into());
        let cookie = |name: &str| RequestKey::Cookie(name.as_bytes().into());
        let query = |name: &str| RequestKey::Query(name.as_bytes().into());
        assert_eq!(of(&header("x-api-key"), &head).as_deref(), Some("one,two"));
        assert_eq!(of(&header("x-other"), &head), None);
        assert_eq!(of(&cookie("side"), &head).as_deref(), Some("left"));
        assert_eq!(of(&cookie("more"), &head).as_deref(), Some("m"));
        assert_eq!(of(&cookie("id"), &head), None);
        assert_eq!(of(&query("key"), &head).as_deref(), Some("k%20v"));
        assert_eq!((of(&query("e"), &head), of(&query("ke"), &head)), (None, None));
        assert_eq!(of(&query("x"), &request("/a", &[])), None);
    }

    #[test]
    fn a_host_is_one_however_it_is_written() {
        let of = |authority: &str| {
            let head = RequestHead { authority: authority.into(), ..RequestHead::default() };
            of(&RequestKey::Header(b"host"[..].into()), &head)
        };
        for same in ["shop.com", "SHOP.com", "shop.com.", "shop.com:80", "Shop.Com.:8080", "shop.com:"] {
            assert_eq!(of(same).as_deref(), Some("shop.com"), "{same}");
        }
        assert_eq!(of("other.com").as_deref(), Some("other.com"));
        assert_eq!(of("[::1]:80"), of("[::1]"));
        assert!(of("[::1]").is_some() && of("[::1]") != of("[::2]"));
        assert_eq!(of(""), None);
    }

    #[test]
    fn claims_of_the_token() {
        let payload = serde_json::json!({"sub": "user-1", "tier": 2});
        let claims = Claims::new(payload.as_object().unwrap().clone());
        let head = RequestHead::default();
        let of = |name: &str, claims: Option<&Claims>| {
            RequestKey::Claim(name.into()).of(&head, None, claims).map(|value| value.into_owned())
        };
        assert_eq!(of("sub", Some(&claims)).as_deref(), Some(&b"user-1"[..]));
        assert_eq!(of("tier", Some(&claims)).as_deref(), Some(&b"2"[..]));
        assert_eq!((of("other", Some(&claims)), of("sub", None)), (None, None));
    }

    #[test]
    fn addresses_of_one_subscriber_are_one() {
        let of = |address: &str| {
            RequestKey::ClientAddress
                .of(&RequestHead::default(), Some(address.parse().unwrap()), None)
                .map(Cow::into_owned)
        };
        assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(RequestKey::ClientAddress.of(&RequestHead::default(), None, None), None);
    }
}
