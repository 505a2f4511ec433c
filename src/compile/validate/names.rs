//! Names: DNS labels and domains, wildcards, addresses, and which name covers which.

use super::wording::shown;
use std::{fmt, net::IpAddr};

/// The longest domain, in bytes (istiod's limit).
const DOMAIN_BYTES_MAX: usize = 255;
/// The longest label of a domain, and the longest name or value of a Kubernetes label, in bytes (RFC 1123).
const LABEL_BYTES_MAX: usize = 63;
/// The longest name of a Kubernetes object, in bytes.
const OBJECT_NAME_BYTES_MAX: usize = 253;

/// Whether a text is one label of a domain (RFC 1123): letters, digits and `-`, which is neither first nor last.
/// Upper case is fine, as for istiod.
pub(in crate::compile) fn is_dns_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.len() <= LABEL_BYTES_MAX && has_alphanumeric_ends(text) && text.bytes().all(is_inner)
}

/// Whether a text can be the name of a Kubernetes object: labels with dots between them.
pub(super) fn is_object_name(text: &str) -> bool {
    text.len() <= OBJECT_NAME_BYTES_MAX && text.split('.').all(is_dns_label)
}

/// Whether a text is an IP address.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether a text is an IP address, or one with the length of its prefix.
pub(super) fn is_subnet(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return is_ip(text) };
    let bits_max = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let is_decimal = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal && length.parse::<u8>().is_ok_and(|bits| bits <= bits_max)
}

/// Whether a text is the path of a Unix socket: absolute and of a file, or a name in the abstract namespace (`@`).
pub(super) fn is_socket_path(path: &str) -> bool {
    path.starts_with('@') || (path.starts_with('/') && !path.ends_with('/'))
}

/// A full domain name. A dot at its end is fine.
pub(super) fn check_domain(text: &str) -> Result<(), NameError> {
    check_length(text)?;
    check_labels(text)
}

/// A domain name whose first label may be `*`, or begin with it.
pub(super) fn check_wildcard_domain(text: &str) -> Result<(), NameError> {
    check_length(text)?;
    let (first, rest) = match text.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    };
    let literal = first.strip_prefix('*').map_or(first, |rest| rest.strip_prefix('-').unwrap_or(rest));
    if first != "*" && !is_dns_label(literal) {
        return Err(bad_label(first));
    }
    rest.map_or(Ok(()), check_labels)
}

/// Whether a name has a `*` that does not stand for whole labels, such as `*-x.example.com`.
pub(super) fn is_partial_wildcard(text: &str) -> bool {
    text.contains('*') && text != "*" && !text.starts_with("*.")
}

/// Whether every host that `name` stands for is also one that `other` stands for. Both without regard to case.
pub(super) fn is_subset(name: &str, other: &str) -> bool {
    let ends_with = |name: &str, suffix: &str| {
        let tail = name.len().checked_sub(suffix.len()).and_then(|at| name.as_bytes().get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(suffix.as_bytes()))
    };
    match (name.strip_prefix('*'), other.strip_prefix('*')) {
        (_, None) => name.eq_ignore_ascii_case(other),
        (None, Some(suffix)) => ends_with(name, suffix),
        (Some(name), Some(suffix)) => ends_with(name, suffix),
    }
}

/// Whether a text can be the key of a label: a name, before which a domain and `/` may stand.
pub(super) fn is_label_key(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    domain.is_none_or(is_object_name) && !name.is_empty() && is_label_value(name)
}

/// Whether a text can be the value of a label.
pub(super) fn is_label_value(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.is_empty()
        || (text.len() <= LABEL_BYTES_MAX && has_alphanumeric_ends(text) && text.bytes().all(is_inner))
}

fn check_length(text: &str) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        1..=DOMAIN_BYTES_MAX => Ok(()),
        length => Err(NameError::TooLong { length }),
    }
}

fn check_labels(text: &str) -> Result<(), NameError> {
    let labels = text.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(text);
    if let Some(bad) = labels.split('.').find(|label| !is_dns_label(label)) {
        return Err(bad_label(bad));
    }
    let last = text.rsplit('.').next().unwrap_or("");
    let is_numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if is_numeric { Err(NameError::NumericEnd { label: last.to_owned() }) } else { Ok(()) }
}

fn bad_label(label: &str) -> NameError {
    match label.contains('*') {
        true => NameError::Star,
        false => NameError::BadLabel { label: label.to_owned() },
    }
}

fn has_alphanumeric_ends(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    is_alphanumeric(bytes.first()) && is_alphanumeric(bytes.last())
}

/// Why a text is not a domain name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NameError {
    /// It is empty.
    Empty,
    /// It is longer than a domain may be.
    TooLong { length: usize },
    /// One of its labels is not a label.
    BadLabel { label: String },
    /// A `*` where none may be.
    Star,
    /// The last label is a number, as in an address.
    NumericEnd { label: String },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("it is empty"),
            NameError::TooLong { length } => {
                write!(f, "it has {length} characters; at most {DOMAIN_BYTES_MAX} are allowed")
            }
            NameError::BadLabel { label } if label.is_empty() => {
                f.write_str("there is nothing before, after or between its dots")
            }
            NameError::BadLabel { label } if label.len() > LABEL_BYTES_MAX => {
                write!(f, "`{label}` is longer than {LABEL_BYTES_MAX} characters")
            }
            NameError::BadLabel { label } => {
                write!(f, "`{}` is not made of letters, digits and inner dashes", shown(label))
            }
            NameError::Star => f.write_str("`*` may stand only at the very beginning"),
            NameError::NumericEnd { label } => write!(f, "its last part, `{label}`, is a number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let long = "a".repeat(64);
        for good in ["a", "A1", "a-b", "0", &long[1..]] {
            assert!(is_dns_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a.b", "a_b", "ä", "*", &long] {
            assert!(!is_dns_label(bad), "{bad}");
        }
    }

    #[test]
    fn domains() {
        for good in ["a", "a.b", "a.b.", "EXAMPLE.com", "1.a", "xn--a.b"] {
            assert_eq!(check_domain(good), Ok(()), "{good}");
        }
        let bad_label = |label: &str| Err(NameError::BadLabel { label: label.to_owned() });
        assert_eq!(check_domain(""), Err(NameError::Empty));
        assert_eq!(check_domain("."), bad_label(""));
        assert_eq!(check_domain("a..b"), bad_label(""));
        assert_eq!(check_domain("a.b_c"), bad_label("b_c"));
        assert_eq!(check_domain("*.b"), Err(NameError::Star));
        assert_eq!(check_domain("10.0.0.1"), Err(NameError::NumericEnd { label: "1".to_owned() }));
        assert_eq!(check_domain(&"a.".repeat(128)), Err(NameError::TooLong { length: 256 }));
    }

    #[test]
    fn wildcard_domains() {
        for good in ["*", "*.b", "*-x.foo.com", "*foo.com", "a.b", "*.b."] {
            assert_eq!(check_wildcard_domain(good), Ok(()), "{good}");
        }
        for bad in ["a.*.b", "**.b", "a*.b", "*.*.b", "*-.b", "*.*"] {
            assert_eq!(check_wildcard_domain(bad), Err(NameError::Star), "{bad}");
        }
        assert!(is_partial_wildcard("*-x.a") && is_partial_wildcard("*x") && is_partial_wildcard("a.*"));
        assert!(!is_partial_wildcard("*") && !is_partial_wildcard("*.a") && !is_partial_wildcard("a"));
    }

    #[test]
    fn subsets() {
        for (name, other) in [
            ("a.b", "a.B"),
            ("a.b", "*"),
            ("a.b", "*.b"),
            ("c.a.b", "*.b"),
            ("*.a.b", "*.b"),
            ("*.b", "*.b"),
            ("*", "*"),
            ("x-a.b", "*-a.b"),
        ] {
            assert!(is_subset(name, other), "{name} {other}");
        }
        for (name, other) in [("b", "*.b"), ("*.b", "*.a.b"), ("*", "*.b"), ("*.b", "a.b"), ("a.b", "b")] {
            assert!(!is_subset(name, other), "{name} {other}");
        }
    }

    #[test]
    fn addresses() {
        for good in ["10.0.0.1", "::1", "10.0.0.0/8", "2001:1::1/64", "0.0.0.0/0"] {
            assert!(is_subnet(good), "{good}");
        }
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "a/8"]
        {
            assert!(!is_subnet(bad), "{bad}");
        }
        assert!(is_socket_path("/run/a.sock") && is_socket_path("@abstract"));
        assert!(!is_socket_path("run/a.sock") && !is_socket_path("/run/") && !is_socket_path(""));
    }

    #[test]
    fn label_keys_and_values() {
        for good in ["app", "app.kubernetes.io/name", "a_b.c-d", "istio.io/rev"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in ["", "a/", "/a", "a/b/c", "-a", "a b", "*"] {
            assert!(!is_label_key(bad), "{bad}");
        }
        assert!(is_label_value("") && is_label_value("v1.2_3-a"));
        assert!(!is_label_value("v1 ") && !is_label_value(".a") && !is_label_value("*"));
    }
}
