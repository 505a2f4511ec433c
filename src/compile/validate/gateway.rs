//! `Gateway`: servers, ports, hosts (specification sections 1.1 to 1.5).

use super::{
    annotations,
    names::{self, NameError},
    place::{Findings, Place, missing, text},
    protocol::Protocol,
    scalars::check_port,
    server_tls,
    wording::shown,
};
use crate::config::{
    Diagnostic, Resource, Spanned,
    resources::{Gateway, Port, Server},
};
use std::collections::HashMap;

#[cfg(test)]
mod tests;

/// What stands before the path of a Unix socket.
const UNIX: &str = "unix://";

pub(super) fn check(gateway: &Resource<Gateway>, findings: &Findings<'_>) {
    let name = &gateway.meta.name;
    if name.contains('.') {
        let message = format!("`{}` can't be the name of a Gateway: it has a dot", shown(name));
        let problem = Diagnostic::error("bad-name", message);
        let help = "VirtualServices name it as `namespace/name`, where both are single labels";
        findings.root("metadata", name.span).field("name", name).report(problem.help(help));
    }
    annotations::check_gateway(gateway, findings);
    let at = findings.root("spec", gateway.span);
    if gateway.spec.servers.is_empty() {
        at.absent("servers").report(missing("servers").help("a Gateway has at least one server"));
    }
    for (at, server) in at.items("servers", &gateway.spec.servers) {
        check_server(server, &at);
    }
    check_unique_names(&gateway.spec.servers, &at);
}

fn check_server(server: &Server, at: &Place<'_>) {
    if server.hosts.is_empty() {
        at.absent("hosts").report(missing("hosts").help("write `hosts: [\"*\"]` for every host"));
    }
    let mut seen: HashMap<String, &Spanned<String>> = HashMap::new();
    for (at, host) in at.items("hosts", &server.hosts) {
        check_host(host, &at);
        if let Some(first) = seen.insert(host.to_ascii_lowercase(), host) {
            let message = format!("the host `{}` is listed twice", shown(host));
            at.report(Diagnostic::warning("duplicate-host", message).label(first.span, "the first one"));
        }
    }
    let help = "write `port: {number: 80, name: http, protocol: HTTP}`";
    let port = at.require("port", &server.port, help);
    let protocol = port.and_then(|port| check_server_port(port, server, &at.field("port", port)));
    if let Some(bind) = text(&server.bind) {
        check_bind(bind, port, &at.field("bind", bind));
    }
    server_tls::check(server, protocol, at);
}

/// Returns the protocol if it is a good one.
fn check_server_port(port: &Port, server: &Server, at: &Place<'_>) -> Option<Protocol> {
    let has_socket = text(&server.bind).is_some_and(|bind| bind.starts_with(UNIX));
    match &port.number {
        Some(number) if **number != 0 || !has_socket => check_port(**number, &at.field("number", number)),
        None if !has_socket => at.absent("number").report(missing("number").help("expected 1 to 65535")),
        _ => {}
    }
    at.require_text("name", &port.name, "every port has a name, unique within the Gateway");
    if let Some(target) = port.target_port.as_ref().filter(|target| ***target > 0) {
        let problem = Diagnostic::error("bad-target-port", "`targetPort` means nothing on a Gateway");
        let help = "remove it; where a Service or the command line maps the port, that is used";
        at.field("targetPort", target).report(problem.help(help));
    }
    let written = at.require_text("protocol", &port.protocol, &format!("expected {}", Protocol::NAMES))?;
    let at = at.field("protocol", written);
    match Protocol::parse(written) {
        Some(Protocol::Udp) => {
            let problem = Diagnostic::error("bad-protocol", "a gateway does not carry UDP");
            at.report(problem.help(format!("expected {}", Protocol::NAMES)));
            None
        }
        None => {
            let message = format!("`{}` is not a protocol", shown(written));
            at.report(
                Diagnostic::error("bad-protocol", message).help(format!("expected {}", Protocol::NAMES)),
            );
            None
        }
        protocol => protocol,
    }
}

fn check_bind(bind: &str, port: Option<&Spanned<Port>>, at: &Place<'_>) {
    let Some(path) = bind.strip_prefix(UNIX) else {
        if !names::is_ip(bind) {
            let message = format!("`{}` is not an IP address", shown(bind));
            let help = "expected an IP address, or `unix://` and an absolute path; absent: every address";
            at.report(Diagnostic::error("bad-bind", message).help(help));
        }
        return;
    };
    if !names::is_socket_path(path) {
        let message = format!("`{}` is not the path of a socket", shown(path));
        let help = "expected an absolute path as in `unix:///run/gateway.sock`, or `unix://@name`";
        at.report(Diagnostic::error("bad-bind", message).help(help));
    }
    let number = port.and_then(|port| port.number.as_ref());
    if let Some(number) = number.filter(|number| ***number != 0) {
        let problem = Diagnostic::error("bad-bind", "a Unix socket has no port number");
        at.report(problem.label(number.span, "the number").help("leave `port.number` out, or write 0"));
    }
}

/// One entry of `hosts`: `[namespace/]host`.
fn check_host(entry: &str, at: &Place<'_>) {
    let host = match entry.split_once('/') {
        Some((namespace, host)) => {
            check_host_namespace(namespace, at);
            host
        }
        None => entry,
    };
    let shown = shown(host);
    let problem = match names::check_wildcard_domain(host) {
        _ if names::is_ip(host) || host == "*" => return,
        Err(NameError::Star) => {
            Diagnostic::error("bad-host", format!("`*` in `{shown}` is not its whole first part")).help(
                "write `*` for every host or `*.example.com` for all below example.com, or list the hosts",
            )
        }
        Err(error) => Diagnostic::error("bad-host", format!("`{shown}` is not a host: {error}"))
            .help("expected a full domain name, `*.` and one, an IP address, or `*`"),
        Ok(()) if names::is_partial_wildcard(host) => {
            Diagnostic::error("bad-host", format!("`*` in `{shown}` is not its whole first part"))
                .help("a Gateway knows `*` and `*.example.com`; a VirtualService can be more exact")
        }
        Ok(()) if !host.contains('.') => Diagnostic::error("bad-host", format!("`{shown}` is a short name"))
            .help("write the full name that clients use, such as `shop.example.com`, or `*` for every host"),
        Ok(()) => return,
    };
    at.report(problem);
}

fn check_host_namespace(namespace: &str, at: &Place<'_>) {
    let problem = match namespace {
        "*" | "." => return,
        "~" => Diagnostic::error("bad-host", "`~` is not a namespace: no VirtualService could be attached"),
        name if names::is_dns_label(name) => return,
        name => Diagnostic::error("bad-host", format!("`{}` is not a namespace", shown(name))),
    };
    at.report(problem.help("before `/` expected `*`, `.` for the Gateway's own, or the name of a namespace"));
}

/// Port names are part of the names of route tables, and must differ; servers' names are for statistics only.
fn check_unique_names(servers: &[Spanned<Server>], at: &Place<'_>) {
    let mut ports: HashMap<&str, &Spanned<String>> = HashMap::new();
    let mut names: HashMap<&str, &Spanned<String>> = HashMap::new();
    for (at, server) in at.items("servers", servers) {
        let port = server.port.as_ref();
        if let Some((port, name)) = port.and_then(|port| Some((port, text(&port.name)?)))
            && let Some(first) = ports.insert(name, name)
        {
            let problem =
                Diagnostic::error("duplicate-port-name", format!("two ports are named `{}`", shown(name)));
            let problem =
                problem.label(first.span, "the first one").help("give each port of the Gateway its own name");
            at.field("port", port).field("name", name).report(problem);
        }
        if let Some(name) = text(&server.name)
            && let Some(first) = names.insert(name, name)
        {
            let message = format!("two servers are named `{}`", shown(name));
            let problem =
                Diagnostic::warning("duplicate-server-name", message).label(first.span, "the first one");
            at.field("name", name).report(problem.help("their statistics will be added up"));
        }
    }
}
