//! Who may ask: a page that a browser shows must not reach the admin pages through that browser.

use super::endpoint::Method;
use std::net::{IpAddr, SocketAddr};

/// From where a socket can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A Unix socket: programs only, and those that its mode lets in.
    Socket,
    /// An address of this host that only this host can reach: programs, and the browsers of people who sit here.
    Loopback,
    /// An address that others can reach: names of any kind may stand for it.
    Network,
}

/// What a browser says about where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sender<'a> {
    /// `host`
    pub(super) host: Option<&'a str>,
    /// `origin`: there with each POST of a browser, and nowhere else.
    pub(super) has_origin: bool,
    /// `sec-fetch-site`
    pub(super) fetch_site: Option<&'a str>,
}

/// Why a request is refused; nothing if it is not.
pub(super) fn refusal(reach: Reach, method: Method, sender: Sender<'_>) -> Option<&'static str> {
    // A name that some site has pointed here (DNS rebinding): the browser takes the pages for that site's own.
    if reach == Reach::Loopback && sender.host.is_some_and(|host| !is_ours(host)) {
        return Some(
            "the request's Host is a name, and this address answers only to addresses and to localhost",
        );
    }
    let from_a_site = sender.fetch_site.is_some_and(|site| matches!(site, "cross-site" | "same-site"));
    // Looking shows nothing to another site: its page can't read the answer.
    let is_from_a_page = sender.has_origin || from_a_site;
    (method == Method::Post && is_from_a_page).then_some("not for pages of sites: use `sluicegate` or curl")
}

/// Whether a Host, with or without a port, can't be a name that somebody else has.
fn is_ours(host: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    // RFC 6761 section 6.3: these names are loopback addresses everywhere.
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_not_ours() {
        for host in [
            "localhost",
            "LOCALHOST:15000",
            "localhost.",
            "a.localhost:1",
            "127.0.0.1",
            "127.0.0.1:15000",
            "[::1]",
            "[::1]:15000",
            "10.1.2.3:15000",
        ] {
            assert!(is_ours(host), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "evil.test:15000",
            "localhost.evil.test",
            "127.0.0.1.evil.test:80",
            "xlocalhost",
        ] {
            assert!(!is_ours(host), "{host}");
        }
    }

    #[test]
    fn pages_of_sites_change_nothing() {
        let from = |host, has_origin, fetch_site| Sender { host, has_origin, fetch_site };
        let local = Some("localhost:15000");
        for (reach, method, sender, is_refused) in [
            (Reach::Loopback, Method::Get, from(local, false, None), false),
            (Reach::Loopback, Method::Post, from(local, false, None), false),
            (Reach::Loopback, Method::Post, from(local, true, None), true),
            (Reach::Loopback, Method::Post, from(local, false, Some("cross-site")), true),
            (Reach::Loopback, Method::Post, from(local, false, Some("none")), false),
            (Reach::Loopback, Method::Get, from(Some("evil.test"), false, None), true),
            (Reach::Loopback, Method::Get, from(None, false, None), false),
            (Reach::Network, Method::Get, from(Some("gateway.test"), false, None), false),
            (Reach::Network, Method::Post, from(Some("gateway.test"), true, None), true),
            (Reach::Socket, Method::Get, from(Some("anything"), false, None), false),
        ] {
            assert_eq!(refusal(reach, method, sender).is_some(), is_refused, "{reach:?} {method} {sender:?}");
        }
    }
}
