//! What the tests of the compiler share: objects in a few words, and what a request gets.

use super::{Compiled, Options, compile};
use crate::{
    config::{Diagnostic, Severity, parse},
    http::{RequestHead, Scheme},
    table::{
        Action, BindAddress, Chain, ChainAction, Cluster, Endpoints, FilterChain, Forward, Lookup,
        RouteTable, TcpRoute,
    },
    tls::ServerSpec,
};
use std::collections::BTreeMap;

/// An object of networking.istio.io: `object("Gateway", "name: g, namespace: ns", "{servers: [...]}")`. Both texts are
/// YAML's flow style.
pub(super) fn object(kind: &str, metadata: &str, spec: &str) -> String {
    format!("apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {spec}\n---\n")
}

/// A Gateway with HTTP on port 80: `http_gateway("name: g", "'*'")`.
pub(super) fn http_gateway(metadata: &str, hosts: &str) -> String {
    gateway(metadata, &[("HTTP", 80, hosts, "")])
}

/// A Gateway: for every server its protocol, port, hosts, and what else it has. Port names are made up.
pub(super) fn gateway(metadata: &str, servers: &[(&str, u16, &str, &str)]) -> String {
    let server = |(protocol, port, hosts, more): &(&str, u16, &str, &str)| {
        let name = protocol.to_ascii_lowercase();
        format!(
            "{{port: {{number: {port}, name: {name}-{port}-{}, protocol: {protocol}}}, hosts: [{hosts}]{more}}}",
            hosts.len()
        )
    };
    let servers: Vec<String> = servers.iter().map(server).collect();
    object("Gateway", metadata, &format!("{{servers: [{}]}}", servers.join(", ")))
}

/// A VirtualService: `service_rules("name: v", "'*'", "g", "{route: [...]}")`.
pub(super) fn rules(metadata: &str, hosts: &str, gateways: &str, http: &str) -> String {
    object(
        "VirtualService",
        metadata,
        &format!("{{hosts: [{hosts}], gateways: [{gateways}], http: [{http}]}}"),
    )
}

/// A rule that sends what a match asks to a host.
pub(super) fn rule(matches: &str, host: &str) -> String {
    format!("{{match: [{matches}], route: [{{destination: {{host: {host}}}}}]}}")
}

/// A rule that sends everything to a host.
pub(super) fn everything_to(host: &str) -> String {
    format!("{{route: [{{destination: {{host: {host}}}}}]}}")
}

/// A VirtualService with these rules for connections: `connections("name: v", "a.com", "g", "tcp: [...]")`.
pub(super) fn connections(metadata: &str, hosts: &str, gateways: &str, rules: &str) -> String {
    object("VirtualService", metadata, &format!("{{hosts: [{hosts}], gateways: [{gateways}], {rules}}}"))
}

/// A service with one port, 80, and one endpoint.
pub(super) fn service(host: &str) -> String {
    let name = host.replace('.', "-").replace('*', "any");
    object(
        "ServiceEntry",
        &format!("name: {name}"),
        &format!(
            "{{hosts: ['{host}'], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{{address: 10.0.0.1}}]}}"
        ),
    )
}

/// The gateway workload of the acceptance cases: `istio=ingressgateway` in `istio-system`.
pub(super) fn ingress() -> Options {
    Options {
        labels: Some(BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())])),
        namespace: Some("istio-system".to_owned()),
        ..Options::default()
    }
}

/// Compiles files without errors.
pub(super) fn compiled(yaml: &str) -> Outcome {
    compiled_with(&Options::default(), yaml)
}

pub(super) fn compiled_with(options: &Options, yaml: &str) -> Outcome {
    let (resources, problems) = parse(vec![("test.yaml".to_owned(), yaml.as_bytes().to_vec())]);
    let errors: Vec<_> = problems.iter().filter(|p| p.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{yaml}");
    Outcome(compile(&resources, options))
}

/// What came of it.
pub(super) struct Outcome(pub(super) Compiled);

impl Outcome {
    /// What a GET gets on port 80: `outcome.get("www.example.com/a")`. See [`Outcome::answer`].
    pub(super) fn get(&self, url: &str) -> String {
        self.answer(80, &request(url))
    }

    /// What a request gets: the cluster's name (with `(NC)` if there is none), `301 <location>`, the status of a fixed
    /// answer, `301` of a redirect for the whole host, `404`, or `refused`.
    pub(super) fn answer(&self, port: u16, request: &RequestHead) -> String {
        let Some(table) = self.table(port) else { return "refused".to_owned() };
        routed(table, request, Scheme::Http)
    }

    /// What a GET gets on port 443 after a handshake with this server name.
    pub(super) fn https(&self, sni: &str, url: &str) -> String {
        let Some(chain) = self.filter_chain(sni) else { return "closed".to_owned() };
        let ChainAction::TerminateHttp(_, id) = &chain.action else { panic!("not HTTPS") };
        routed(&self.0.snapshot.route_tables[id.0 as usize], &request(url), Scheme::Https)
    }

    /// The route table of the first listener with this port.
    pub(super) fn table(&self, port: u16) -> Option<&RouteTable> {
        let Chain::Http(id) = self.chain(port)? else { panic!("not plain HTTP") };
        self.0.snapshot.route_tables.get(id.0 as usize)
    }

    fn chain(&self, port: u16) -> Option<&Chain> {
        let is_it = |bind: &BindAddress| matches!(bind, BindAddress::Tcp(a) if a.port() == port);
        self.0
            .snapshot
            .listeners
            .iter()
            .find(|listener| is_it(&listener.bind))
            .map(|listener| &listener.chain)
    }

    /// The chain of port 443 that a client with this server name finds.
    pub(super) fn filter_chain(&self, sni: &str) -> Option<&FilterChain> {
        let Chain::Tls(chains) = self.chain(443)? else { panic!("not TLS") };
        chains.get(chains.find(Some(sni).filter(|sni| !sni.is_empty()), &[])?)
    }

    /// What a client with this server name (empty: none) gets on port 443: `refused`, `closed`, `https <table>`,
    /// `tls <clusters>`, `pass <clusters>`.
    pub(super) fn sni(&self, sni: &str) -> String {
        if self.chain(443).is_none() {
            return "refused".to_owned();
        }
        let Some(chain) = self.filter_chain(sni) else { return "closed".to_owned() };
        match &chain.action {
            ChainAction::TerminateHttp(_, id) => {
                format!("https {}", self.0.snapshot.route_tables[id.0 as usize].name)
            }
            ChainAction::TerminateTcp(_, route) => format!("tls {}", tcp_destinations(route)),
            ChainAction::Passthrough(route) => format!("pass {}", tcp_destinations(route)),
        }
    }

    /// How TLS is ended on port 443 for a client with this server name.
    pub(super) fn server_tls(&self, sni: &str) -> &ServerSpec {
        let chain = self.filter_chain(sni).unwrap_or_else(|| panic!("{:#?}", self.0.diagnostics));
        let (ChainAction::TerminateHttp(id, _) | ChainAction::TerminateTcp(id, _)) = &chain.action else {
            panic!("TLS does not end")
        };
        &self.0.snapshot.server_tls[id.0 as usize]
    }

    /// Where the connections of a TCP port go; `refused` if there is no listener.
    pub(super) fn tcp(&self, port: u16) -> String {
        match self.chain(port) {
            Some(Chain::Tcp(chain)) => tcp_destinations(&chain.route),
            Some(_) => panic!("not TCP"),
            None => "refused".to_owned(),
        }
    }

    /// The hosts of a port's table, each with the number of its routes.
    pub(super) fn hosts(&self, port: u16) -> Vec<String> {
        let hosts = self.table(port).map_or(&[][..], |table| &table.virtual_hosts);
        hosts.iter().map(|host| format!("{} {}", host.host, host.routes.len())).collect()
    }

    pub(super) fn listeners(&self) -> Vec<&str> {
        self.0.snapshot.listeners.iter().map(|listener| listener.name.as_str()).collect()
    }

    pub(super) fn tables(&self) -> Vec<&str> {
        self.0.snapshot.route_tables.iter().map(|table| table.name.as_str()).collect()
    }

    pub(super) fn cluster(&self, name: &str) -> &Cluster {
        let clusters = &self.0.snapshot.clusters;
        let names: Vec<_> = clusters.iter().map(|cluster| &cluster.name).collect();
        clusters.iter().find(|cluster| &*cluster.name == name).unwrap_or_else(|| panic!("{names:?}"))
    }

    /// The endpoints of a cluster, such as `10.0.0.1:80` and `dns example.com:443`.
    pub(super) fn endpoints(&self, name: &str) -> Vec<String> {
        match &self.cluster(name).endpoints {
            Endpoints::Static(list) => list.iter().map(|endpoint| endpoint.address.to_string()).collect(),
            Endpoints::Dns { names, .. } => {
                names.iter().map(|name| format!("dns {}:{}", name.host, name.port)).collect()
            }
        }
    }

    /// `code line` of every warning and error.
    pub(super) fn warnings(&self) -> Vec<String> {
        let not_a_note = self.0.diagnostics.iter().filter(|d| d.severity != Severity::Note);
        not_a_note.map(|d| format!("{} {}", d.code, d.span.map_or(0, |span| span.line))).collect()
    }

    /// The only diagnostic with this code.
    pub(super) fn diagnostic(&self, code: &str) -> &Diagnostic {
        let found: Vec<_> = self.0.diagnostics.iter().filter(|d| d.code == code).collect();
        match found.as_slice() {
            [only] => only,
            _ => panic!("{} of {code}: {:#?}", found.len(), self.0.diagnostics),
        }
    }

    /// The first diagnostic with this code about an object of this kind.
    pub(super) fn of_kind(&self, code: &str, kind: &str) -> &Diagnostic {
        let is_it = |d: &&Diagnostic| d.code == code && d.object.as_ref().is_some_and(|o| &*o.kind == kind);
        self.0.diagnostics.iter().find(is_it).unwrap_or_else(|| panic!("{:#?}", self.0.diagnostics))
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.0.diagnostics.iter().any(|d| d.code == code)
    }
}

fn routed(table: &RouteTable, request: &RequestHead, scheme: Scheme) -> String {
    match table.find(request, scheme) {
        Lookup::NoHost | Lookup::NoRoute(_) => "404".to_owned(),
        Lookup::HttpsRedirect(_) => "301".to_owned(),
        Lookup::Route(_, route) => match &route.action {
            Action::Forward(forward) => destinations(forward),
            Action::Direct(direct) => direct.status.to_string(),
            Action::Redirect(redirect) => {
                let mut location = Vec::new();
                redirect.location(request, scheme, &mut location);
                format!("{} {}", redirect.status, String::from_utf8(location).unwrap())
            }
        },
    }
}

fn tcp_destinations(route: &TcpRoute) -> String {
    let list = route.destinations.iter().map(|d| match d.cluster {
        Some(_) => format!("{}*{}", d.weight, d.cluster_name),
        None => format!("{}*{} (NC)", d.weight, d.cluster_name),
    });
    list.collect::<Vec<_>>().join(" ")
}

fn destinations(forward: &Forward) -> String {
    let list = forward.destinations.iter().map(|d| match d.cluster {
        Some(_) => d.cluster_name.to_string(),
        None => format!("{} (NC)", d.cluster_name),
    });
    list.collect::<Vec<_>>().join(" ")
}

/// A GET for a URL without scheme: `www.example.com:80/a?q`.
pub(super) use crate::table::test_support::get as request;

/// A request with header fields.
pub(super) fn with_fields(url: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut request = request(url);
    for (name, value) in fields {
        request.fields.push(name.as_bytes(), value.as_bytes());
    }
    request
}
