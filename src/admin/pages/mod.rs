//! Which pages there are, and what becomes of a request for one.
//!
//! - `table`: the list of all of them
//! - `about`: what describes the pages: the list for people, the description for programs
//! - `state`: how the gateway is
//! - `served`: what is served
//! - `live`: what goes on at this moment
//! - `explain`: what becomes of a request
//! - `commands`: what changes something

mod about;
mod commands;
mod explain;
mod live;
mod served;
mod state;
mod table;

pub(super) use served::present_endpoints;
pub(super) use state::unix_seconds;

use super::{
    endpoint::{Answer, Endpoint, Method, TEXT},
    guard::{self, Reach, Sender},
    reply::Reply,
    request::{self, Asked},
};
use crate::{config::suggestion, control::Gateway};
use std::{fmt, rc::Rc};

/// A set of pages with an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// For operators: everything. It can end the gateway, so it must not be reachable for others.
    Admin,
    /// For probes: ready and live, and metrics.
    Status,
    /// For scrapers: metrics.
    Metrics,
}

/// A request for a page.
pub(super) struct Request<'a> {
    /// Nothing: one that no page has.
    pub(super) method: Option<Method>,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) accept: Option<&'a str>,
    pub(super) sender: Sender<'a>,
}

/// What answers a request: at once, or after something.
enum Found {
    Reply(Reply),
    Endpoint(&'static Endpoint, Asked),
}

impl Pages {
    fn endpoints(self) -> &'static [Endpoint] {
        match self {
            Pages::Admin => table::ADMIN,
            Pages::Status => table::STATUS,
            Pages::Metrics => table::METRICS,
        }
    }

    /// Answers a request that came in by a socket of this reach.
    pub(super) async fn answer(self, request: Request<'_>, reach: Reach, gateway: Rc<Gateway>) -> Reply {
        match self.find(&request, reach) {
            Found::Reply(reply) => reply,
            Found::Endpoint(endpoint, asked) => match endpoint.answer {
                Answer::Now(answer) => answer(&gateway, &asked),
                Answer::Later(answer) => answer(gateway, asked).await,
            },
        }
    }

    fn find(self, request: &Request<'_>, reach: Reach) -> Found {
        // For what no endpoint answers.
        let format = request::accepted(TEXT, request.accept);
        let of_path = || self.endpoints().iter().filter(|endpoint| endpoint.path == request.path);
        if of_path().next().is_none() {
            return Found::Reply(Reply::refusal(404, format, &self.no_such_page(request.path)));
        }
        let Some(endpoint) = of_path().find(|endpoint| Some(endpoint.method) == request.method) else {
            return Found::Reply(Reply::not_allowed(of_path().map(|endpoint| endpoint.method), format));
        };
        // Probes may call the status pages by any name, and learn nothing there.
        if self == Pages::Admin
            && let Some(refusal) = guard::refusal(reach, endpoint.method, request.sender)
        {
            return Found::Reply(Reply::refusal(403, format, refusal));
        }
        match Asked::new(endpoint, request.query, request.accept) {
            Ok(asked) => Found::Endpoint(endpoint, asked),
            Err(problem) => {
                // What changes something where POST brings it.
                let takes = |other: &&Endpoint| {
                    endpoint.method == Method::Get && Asked::new(other, request.query, None).is_ok()
                };
                match of_path().find(takes) {
                    Some(other) => Found::Reply(Reply::not_allowed(std::iter::once(other.method), format)),
                    None => Found::Reply(Reply::refusal(400, format, &problem)),
                }
            }
        }
    }

    fn no_such_page(self, path: &str) -> String {
        let paths: Vec<&str> = self.endpoints().iter().map(|endpoint| endpoint.path).collect();
        let meant = suggestion(path.trim_end_matches('/'), &paths);
        // A word that is a part of a path, such as `/dump`.
        let part = path.trim_matches('/');
        let holds = || paths.iter().copied().find(|known| !part.is_empty() && known.contains(part));
        match meant.or_else(holds) {
            Some(meant) => format!("no such page; did you mean {meant}?"),
            None if self == Pages::Admin => "no such page; /help lists all".to_owned(),
            None => "no such page".to_owned(),
        }
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pages::Admin => "admin",
            Pages::Status => "status",
            Pages::Metrics => "metrics",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_endpoint_is_there_once_and_says_what_it_is() {
        for pages in [Pages::Admin, Pages::Status, Pages::Metrics] {
            let mut seen = BTreeSet::new();
            for endpoint in pages.endpoints() {
                assert!(seen.insert((endpoint.path, endpoint.method.to_string())), "{}", endpoint.path);
                assert!(!endpoint.about.is_empty() && !endpoint.formats.is_empty(), "{}", endpoint.path);
                let names: BTreeSet<_> = endpoint.parameters.iter().map(|known| known.name).collect();
                assert_eq!(names.len(), endpoint.parameters.len(), "{}", endpoint.path);
                assert!(!names.contains("format"), "{}", endpoint.path);
            }
        }
    }

    fn status_of(path: &str, method: Option<Method>) -> (u16, String) {
        let request = Request { method, path, query: "", accept: None, sender: Sender::default() };
        match Pages::Admin.find(&request, Reach::Loopback) {
            Found::Reply(reply) => (reply.status, reply.allow.unwrap_or_default()),
            Found::Endpoint(..) => (200, String::new()),
        }
    }

    #[test]
    fn what_is_not_there_is_refused() {
        assert_eq!(status_of("/ready", Some(Method::Get)).0, 200);
        assert_eq!(status_of("/ready", Some(Method::Post)), (405, "GET, HEAD".to_owned()));
        assert_eq!(status_of("/reload", Some(Method::Get)), (405, "POST".to_owned()));
        assert_eq!(status_of("/logging", None), (405, "GET, HEAD, POST".to_owned()));
        assert_eq!(status_of("/nothing", None).0, 404);
        for (path, meant) in [
            ("/config-dump", "/config_dump?"),
            ("/dump", "/config_dump?"),
            ("/stats/prom", "/stats/prometheus?"),
            ("/certs/", "/certs?"),
            ("/xyzzy", "/help lists all"),
        ] {
            let said = Pages::Admin.no_such_page(path);
            assert!(said.ends_with(meant), "{path}: {said}");
        }
    }
}
