//! From the listener to the route.

use super::{
    Configuration,
    action::{self, Way},
    authentication, authorization,
    cluster::Reach,
    connection, grpc, listen, near, refusal,
    request::{Asked, Spoken},
    secure::{self, Health},
    story::{Closing, Detail, Outcome, Reply, Step, Story},
};
use crate::{
    driver::Peer,
    http::{RequestHead, Scheme, Version, split_port},
    http1::decode,
    proxy::{self, ConnectionInfo},
    table::{
        self, BindAddress, Chain, ChainAction, ChainIndex, Listener, Lookup, RouteTable, Snapshot, TableId,
        TcpProtocol, TcpRoute, VirtualHost,
    },
    telemetry::Flag,
    upstream::Random,
};
use std::net::SocketAddr;

/// Follows a request to its end.
pub(super) fn walk(asked: &Asked, configuration: Configuration<'_>, health: &Health) -> Story {
    let mut walk = Walk { asked, configuration, health, steps: Vec::new() };
    let outcome = walk.listener();
    Story { steps: walk.steps, outcome }
}

struct Walk<'a> {
    asked: &'a Asked,
    configuration: Configuration<'a>,
    health: &'a Health,
    steps: Vec<Step>,
}

/// Where a request comes in.
struct Site<'a> {
    listener: &'a Listener,
    table: &'a RouteTable,
    /// `None`: plain text.
    tls: Option<Secured<'a>>,
}

/// A connection whose TLS ended here.
struct Secured<'a> {
    chains: &'a ChainIndex,
    /// Of the chosen chain.
    position: usize,
    server_name: Option<String>,
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
        let listener = match listen::listener(self.asked, self.configuration) {
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
        match &listener.chain {
            Chain::Http(id) => self.plain_http(listener, *id),
            Chain::Tcp(chain) => {
                let text = match chain.protocol {
                    TcpProtocol::Opaque => "plain TCP",
                    TcpProtocol::Mongo => "plain TCP; MongoDB's commands are counted",
                };
                self.steps.push(Step::new("filter chain", text));
                self.connection(listener, None, &chain.route)
            }
            Chain::Tls(chains) => self.tls(listener, chains),
        }
    }

    fn plain_http(&mut self, listener: &'a Listener, id: TableId) -> Outcome {
        let Some(table) = self.configuration.snapshot.route_tables.get(id.0 as usize) else {
            return Outcome::Reply(not_found());
        };
        let step = Step::new("filter chain", format!("plain HTTP, route table {}", table.name))
            .with(Detail::new("HTTP/1.1 or HTTP/2, by the client's first bytes"));
        match self.asked.spoken {
            Spoken::Http => {
                let name = self.asked.sni.as_ref().map(|name| {
                    Detail::new(format!("the server name `{name}` has no part in it, for there is no TLS"))
                });
                self.steps.push(step.with_all(name));
                self.request(Site { listener, table, tls: None })
            }
            Spoken::Https | Spoken::Tls => {
                let text = "the client begins a TLS handshake, which is no HTTP: it gets a TLS error";
                self.steps.push(step.with(Detail::new(text)));
                Outcome::Reply(bad(400, decode::BadRequest::RequestLine.detail()))
            }
            Spoken::Tcp => {
                let text =
                    "the client's bytes must be an HTTP request; ask with an http:// URL where one goes";
                self.steps.push(step.with(Detail::new(text)));
                Outcome::Reply(bad(400, decode::BadRequest::RequestLine.detail()))
            }
        }
    }

    /// A TLS port: the ClientHello decides.
    fn tls(&mut self, listener: &'a Listener, chains: &'a ChainIndex) -> Outcome {
        if !self.asked.spoken.is_tls() {
            let text = "this port speaks TLS, and the client does not begin a handshake";
            self.steps.push(Step::new("filter chain", text));
            return match self.asked.spoken {
                Spoken::Http => Outcome::Reply(Reply {
                    body: "The client sent plain-text HTTP to a port for TLS".to_owned(),
                    ..Reply::new(400, None, "plain_http")
                }),
                _ => closed("its first bytes are no ClientHello", None),
            };
        }
        let name = self.asked.server_name();
        let offered: Vec<Box<[u8]>> = match self.asked.version {
            Some(Version::Http2) => vec![Box::from(&b"h2"[..])],
            Some(_) => vec![Box::from(&b"http/1.1"[..])],
            None => Vec::new(),
        };
        let position = chains.find(name.as_deref(), &offered);
        let Some((position, chain)) = position.and_then(|at| Some((at, chains.get(at)?))) else {
            self.steps.push(secure::none(chains, name.as_deref(), &offered));
            return closed("no filter chain is for its ClientHello; there is no TLS alert", None);
        };
        let step = secure::found(chain, name.as_deref(), self.configuration.snapshot);
        let failures = match &chain.action {
            ChainAction::TerminateHttp(id, _) | ChainAction::TerminateTcp(id, _) => {
                self.health.of_server(*id)
            }
            ChainAction::Passthrough(_) => &[],
        };
        self.steps.push(step.with_all(failures.iter().map(Detail::new)));
        if !failures.is_empty() {
            return closed("there is no certificate to show; there is no TLS alert", None);
        }
        match &chain.action {
            ChainAction::TerminateHttp(_, id) => {
                let Some(table) = self.configuration.snapshot.route_tables.get(id.0 as usize) else {
                    return Outcome::Reply(not_found());
                };
                let tls = Some(Secured { chains, position, server_name: name });
                self.request(Site { listener, table, tls })
            }
            ChainAction::TerminateTcp(_, route) | ChainAction::Passthrough(route) => {
                self.connection(listener, name.as_deref(), route)
            }
        }
    }

    fn connection(&mut self, listener: &Listener, server_name: Option<&str>, route: &TcpRoute) -> Outcome {
        let policies = self.configuration.snapshot.authorization.as_deref();
        if let Some((step, closing)) = authorization::connection(policies, &self.info(listener, server_name))
        {
            self.steps.push(step);
            if let Some(closing) = closing {
                return Outcome::Closed(closing);
            }
        }
        let reach = Reach {
            snapshot: self.configuration.snapshot,
            health: self.health,
            traffic: "none",
            client: None,
        };
        let (steps, outcome) = connection::follow(route, reach);
        self.steps.extend(steps);
        outcome
    }

    /// What is known of the client's connection.
    fn info(&self, listener: &Listener, server_name: Option<&str>) -> ConnectionInfo {
        let (peer, local) = match listener.bind {
            BindAddress::Tcp(address) => (Peer::Tcp(SocketAddr::new(self.asked.from, 0)), Some(address)),
            BindAddress::Unix(_) => (Peer::Unix, None),
        };
        let mut info = ConnectionInfo::new(peer, local, listener.bind.to_string().into());
        info.server_name = server_name.map(Box::from);
        info
    }

    fn request(&mut self, site: Site<'a>) -> Outcome {
        if !self.asked.spoken.is_http() {
            let text = "the client's bytes must be an HTTP request; ask with an https:// URL where one goes";
            self.steps.push(Step::new("request", text));
            return Outcome::Reply(bad(400, decode::BadRequest::RequestLine.detail()));
        }
        match self.arrive(&site) {
            Ok(arrived) => self.misdirected(&site, &arrived).unwrap_or_else(|| self.route(arrived)),
            Err(outcome) => outcome,
        }
    }

    /// A Host of another server is for a connection of its own.
    fn misdirected(&mut self, site: &Site<'a>, arrived: &Arrived<'_>) -> Option<Outcome> {
        let tls = site.tls.as_ref()?;
        let host = split_port(&arrived.request.authority).0;
        let asked = tls.server_name.as_deref().unwrap_or_default();
        if !tls.chains.is_misdirected(tls.position, asked, host) {
            return None;
        }
        let host = lossy(host).to_ascii_lowercase();
        let owner =
            tls.chains.owner(host.strip_suffix('.').unwrap_or(&host)).and_then(|at| tls.chains.get(at))?;
        let is_refused = self.configuration.snapshot.settings.misdirected_421;
        let consequence = match is_refused {
            true => {
                "clients should ask on a connection of its own (--misdirected 404 looks in this server's routes)"
            }
            false => "only this server's routes are looked at (--misdirected 404)",
        };
        let text = format!("`{host}` belongs to another server of the port, {}", owner.name);
        let step = Step::new("host", text).from(&owner.source).with(Detail::new(consequence));
        self.steps.push(step);
        let reply = Reply {
            body: proxy::refusal(421).to_owned(),
            ..Reply::new(421, Some(Flag::NoRoute.as_str()), "misdirected_request")
        };
        is_refused.then(|| Outcome::Reply(grpc::answer(&arrived.request, reply)))
    }

    /// Decodes the request and makes it what routing sees.
    fn arrive(&mut self, site: &Site<'a>) -> Result<Arrived<'a>, Outcome> {
        let Site { listener, table, tls } = site;
        let settings = &self.configuration.snapshot.settings;
        let mut request = RequestHead::default();
        match decode::request(&self.asked.wire, &proxy::head_policy(settings), &mut request) {
            Ok(decode::Decoded::Head { .. }) => {
                request.version = self.asked.version.unwrap_or(request.version)
            }
            Ok(decode::Decoded::Incomplete) => return Err(self.refused("the head does not end")),
            Err(bad_head) => {
                let text = format!("refused before it is routed: {}", refusal::reason(bad_head));
                self.steps.push(Step::new("request", text));
                return Err(Outcome::Reply(bad(bad_head.status(), bad_head.detail())));
            }
        }
        self.steps.extend(grpc::step(&request));
        let server_name = tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        let mut info = self.info(listener, server_name);
        if tls.is_some() {
            info.scheme = Scheme::Https;
        }
        let sent = lossy(request.path());
        let mut text = Vec::new();
        let arrived = proxy::arrive(&mut request, settings, &info, &Random::default(), &mut text);
        let Ok(scheme) = arrived else {
            self.steps.push(Step::new("path", format!("`{sent}` can't be normalized")));
            let reply = bad(400, "path_normalization_failed");
            return Err(Outcome::Reply(grpc::answer(&request, reply)));
        };
        let normal = lossy(request.path());
        if sent != normal {
            self.steps.push(Step::new("path", format!("`{sent}` is normalized to `{normal}`")));
        }
        if scheme != info.scheme {
            let text = format!("{}, as a trusted proxy says in x-forwarded-proto", scheme.as_str());
            self.steps.push(Step::new("scheme", text));
        }
        Ok(Arrived { request, scheme, info, table })
    }

    fn refused(&mut self, why: &str) -> Outcome {
        self.steps.push(Step::new("request", why));
        Outcome::Reply(bad(400, decode::BadRequest::RequestLine.detail()))
    }

    fn route(&mut self, mut arrived: Arrived<'a>) -> Outcome {
        let rules = self.configuration.snapshot.authentication.as_deref();
        let claims = match authentication::verify(rules, &mut arrived.request) {
            Ok((step, claims)) => {
                self.steps.extend(step);
                claims
            }
            Err(refused) => {
                let (step, reply) = *refused;
                self.steps.push(step);
                return Outcome::Reply(grpc::answer(&arrived.request, reply));
            }
        };
        let claims = claims.as_deref();
        let Snapshot { authorization, settings, .. } = self.configuration.snapshot;
        let told = authorization::request(authorization.as_deref(), &arrived, claims, settings);
        if let Some((step, reply)) = told {
            self.steps.push(step);
            if let Some(reply) = reply {
                return Outcome::Reply(grpc::answer(&arrived.request, reply));
            }
        }
        let Arrived { request, scheme, table, .. } = &arrived;
        match table.find_with(request, *scheme, claims) {
            Lookup::NoHost => {
                let text = format!("none for `{}`", lossy(&request.authority));
                let near = near::hosts(table, &request.authority);
                self.steps.push(Step::new("virtual host", text).with_all(near));
                Outcome::Reply(grpc::answer(request, not_found()))
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
                let near = near::routes(host, (request, *scheme, claims), usize::MAX);
                self.steps.push(Step::new("route", text).with_all(near));
                Outcome::Reply(grpc::answer(request, not_found()))
            }
            Lookup::Route(host, route) => {
                self.host(host, &arrived);
                let position = host.routes.iter().position(|known| std::ptr::eq(&**known, route));
                let position = position.unwrap_or_default();
                let name = if route.name.is_empty() { String::new() } else { format!(" ({})", route.name) };
                let text = format!("{} of {}{name}: {}", position + 1, host.routes.len(), route.matcher);
                let earlier = near::routes(host, (request, *scheme, claims), position);
                let root = route.root.as_deref().map(|root| Detail::new("delegated by").from(root));
                let step = Step::new("route", text).from(&route.source);
                self.steps.push(step.with_all(root).with_all(earlier));
                let way = Way { snapshot: self.configuration.snapshot, health: self.health, route };
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

fn closed(reason: &str, flag: Option<&'static str>) -> Outcome {
    Outcome::Closed(Closing { reason: reason.to_owned(), flag })
}

fn not_found() -> Reply {
    Reply::new(404, Some(Flag::NoRoute.as_str()), "route_not_found")
}

fn bad(status: u16, details: &'static str) -> Reply {
    Reply {
        body: proxy::refusal(status).to_owned(),
        ..Reply::new(status, Some(Flag::DownstreamProtocolError.as_str()), details)
    }
}

/// Bytes of a request as text; controls can't be in there any more.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
