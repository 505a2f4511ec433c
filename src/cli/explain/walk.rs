//! From the listener to the route.

use super::{
    action::{self, Way},
    listen, near, refusal,
    request::Asked,
    story::{Detail, Outcome, Reply, Step, Story},
};
use crate::{
    compile::Compiled,
    driver::Peer,
    http::{RequestHead, Scheme},
    http1::decode,
    proxy::{self, ConnectionInfo},
    table::{self, BindAddress, Chain, Listener, Lookup, RouteTable, VirtualHost},
    telemetry::Flag,
    upstream::Random,
};
use std::net::SocketAddr;

/// Follows a request to its end.
pub(super) fn walk(asked: &Asked, compiled: &Compiled) -> Story {
    let mut walk = Walk { asked, compiled, steps: Vec::new() };
    let outcome = walk.listener();
    Story { steps: walk.steps, outcome }
}

struct Walk<'a> {
    asked: &'a Asked,
    compiled: &'a Compiled,
    steps: Vec<Step>,
}

/// What the request is once it has arrived.
pub(super) struct Arrived<'a> {
    /// As routing sees it.
    pub(super) request: RequestHead,
    /// The scheme that matches and redirects go by.
    pub(super) scheme: Scheme,
    /// Its connection.
    pub(super) info: ConnectionInfo,
    /// The table of its listener.
    pub(super) table: &'a RouteTable,
}

impl<'a> Walk<'a> {
    fn listener(&mut self) -> Outcome {
        let listener = match listen::listener(self.asked, self.compiled) {
            Ok((listener, step)) => {
                self.steps.push(step);
                listener
            }
            Err(step) => {
                let reason = step.text.clone();
                self.steps.push(step);
                return Outcome::NoConnection { reason };
            }
        };
        let Chain::Http(id) = listener.chain else {
            return Outcome::NoConnection { reason: "this port does not speak plain HTTP".to_owned() };
        };
        let Some(table) = self.compiled.snapshot.route_tables.get(id.0 as usize) else {
            return Outcome::Reply(not_found());
        };
        let step = Step::new("filter chain", format!("plain HTTP, route table {}", table.name));
        if self.asked.scheme == Scheme::Https {
            let text = "the client begins a TLS handshake, which is no HTTP: it gets a TLS error";
            self.steps.push(step.with(Detail::new(text)));
            return Outcome::Reply(bad(400, decode::BadRequest::RequestLine.detail()));
        }
        let name = self.asked.sni.as_ref().map(|name| {
            Detail::new(format!("the server name `{name}` has no part in it, for there is no TLS"))
        });
        self.steps.push(step.with_all(name));
        match self.arrive(listener, table) {
            Ok(arrived) => self.route(arrived),
            Err(outcome) => outcome,
        }
    }

    /// Decodes the request and makes it what routing sees.
    fn arrive(&mut self, listener: &Listener, table: &'a RouteTable) -> Result<Arrived<'a>, Outcome> {
        let settings = &self.compiled.snapshot.settings;
        let mut request = RequestHead::default();
        match decode::request(&self.asked.wire, &proxy::head_policy(settings), &mut request) {
            Ok(decode::Decoded::Head { .. }) => {}
            Ok(decode::Decoded::Incomplete) => return Err(self.refused("the head does not end")),
            Err(bad_head) => {
                let text = format!("refused before it is routed: {}", refusal::reason(bad_head));
                self.steps.push(Step::new("request", text));
                return Err(Outcome::Reply(bad(bad_head.status(), bad_head.detail())));
            }
        }
        let (peer, local) = match listener.bind {
            BindAddress::Tcp(address) => (Peer::Tcp(SocketAddr::new(self.asked.from, 0)), Some(address)),
            BindAddress::Unix(_) => (Peer::Unix, None),
        };
        let info = ConnectionInfo::new(peer, local, listener.bind.to_string().into());
        let sent = lossy(request.path());
        let mut text = Vec::new();
        let arrived = proxy::arrive(&mut request, settings, &info, &Random::default(), &mut text);
        let Ok(scheme) = arrived else {
            self.steps.push(Step::new("path", format!("`{sent}` can't be normalized")));
            return Err(Outcome::Reply(bad(400, "path_normalization_failed")));
        };
        let normal = lossy(request.path());
        if sent != normal {
            self.steps.push(Step::new("path", format!("`{sent}` is normalized to `{normal}`")));
        }
        if scheme != request.scheme {
            let text = format!("{}, as a trusted proxy says in x-forwarded-proto", scheme.as_str());
            self.steps.push(Step::new("scheme", text));
        }
        Ok(Arrived { request, scheme, info, table })
    }

    fn refused(&mut self, why: &str) -> Outcome {
        self.steps.push(Step::new("request", why));
        Outcome::Reply(bad(400, decode::BadRequest::RequestLine.detail()))
    }

    fn route(&mut self, arrived: Arrived<'a>) -> Outcome {
        let Arrived { request, scheme, table, .. } = &arrived;
        match table.find(request, *scheme) {
            Lookup::NoHost => {
                let text = format!("none for `{}`", lossy(&request.authority));
                let near = near::hosts(table, &request.authority);
                self.steps.push(Step::new("virtual host", text).with_all(near));
                Outcome::Reply(not_found())
            }
            Lookup::HttpsRedirect(host) => {
                self.host(host, &arrived);
                let text = "httpsRedirect: everything that is not https is sent there, before any route";
                self.steps.push(Step::new("redirect", text).from(&host.source));
                let mut location = Vec::new();
                table::https_location(request, &mut location);
                Outcome::Reply(Reply {
                    location: Some(lossy(&location)),
                    ..Reply::new(301, None, "direct_response")
                })
            }
            Lookup::NoRoute(host) => {
                self.host(host, &arrived);
                let text = match host.routes.len() {
                    0 => "there is none".to_owned(),
                    1 => "the only one does not match".to_owned(),
                    count => format!("none of {count} matches"),
                };
                let near = near::routes(host, request, *scheme, usize::MAX);
                self.steps.push(Step::new("route", text).with_all(near));
                Outcome::Reply(not_found())
            }
            Lookup::Route(host, route) => {
                self.host(host, &arrived);
                let position = host.routes.iter().position(|known| std::ptr::eq(&**known, route));
                let position = position.unwrap_or_default();
                let name = if route.name.is_empty() { String::new() } else { format!(" ({})", route.name) };
                let text = format!("{} of {}{name}: {}", position + 1, host.routes.len(), route.matcher);
                let earlier = near::routes(host, request, *scheme, position);
                self.steps.push(Step::new("route", text).from(&route.source).with_all(earlier));
                let way = Way { snapshot: &self.compiled.snapshot, route };
                let (steps, outcome) = action::follow(way, &arrived);
                self.steps.extend(steps);
                outcome
            }
        }
    }

    fn host(&mut self, host: &VirtualHost, arrived: &Arrived<'_>) {
        let kind = match &*host.host {
            "*" => "any host",
            name if name.starts_with('*') => "a wildcard",
            _ => "the exact name",
        };
        let hidden = near::hidden(arrived.table, &arrived.request.authority);
        let step = Step::new("virtual host", format!("`{}`, {kind}", host.host)).from(&host.source);
        self.steps.push(step.with_all(hidden));
    }
}

fn not_found() -> Reply {
    Reply::new(404, Some(Flag::NoRoute.as_str()), "route_not_found")
}

fn bad(status: u16, details: &'static str) -> Reply {
    Reply::new(status, Some(Flag::DownstreamProtocolError.as_str()), details)
}

/// Bytes of a request as text; controls can't be in there any more.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
