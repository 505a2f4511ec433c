//! `sluicegate routes`: all that is served, one line a route.

use super::{
    args::{AnswerFormat, RoutesArgs},
    load::load,
    output::{complain, print, report_errors},
};
use crate::{
    admin::{route_json, tcp_route_json},
    compile::Http2Options,
    explain::{Percent, silence_of, source_value},
    table::{
        Action, Chain, ChainAction, Destination, Forward, Listener, Route, RouteTable, Snapshot, Source,
        TableId, TcpRoute, UpstreamProtocol, VirtualHost,
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write,
    io::{self, IsTerminal},
};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &RoutesArgs) -> u8 {
    let port_map = args.workload.port_map.clone().unwrap_or_default();
    let loaded = load(&args.config.config, &args.workload, &port_map, Http2Options::default());
    let code = report_errors(&loaded);
    let rows = rows(&loaded.compiled.snapshot);
    let written = print(&match args.format {
        AnswerFormat::Text => text(&rows, io::stdout().is_terminal()),
        AnswerFormat::Json => rows.iter().map(|row| format!("{}\n", row.json())).collect(),
    });
    for server in &loaded.compiled.inventory.servers {
        if let Some(silence) = silence_of(server) {
            complain(&format!("note: {silence}, {}\n", server.source));
        }
    }
    code.max(written)
}

/// One route of one virtual host of one listener, what a virtual host does without one, or where connections go.
struct Row<'a> {
    snapshot: &'a Snapshot,
    listener: &'a Listener,
    /// The names by which a TLS client gets here; nothing for plain text.
    server_names: Option<&'a [Box<str>]>,
    what: What<'a>,
}

enum What<'a> {
    /// `httpsRedirect`, before any route.
    HttpsRedirect(&'a VirtualHost),
    /// The route with this number, from 1, of this table.
    Route(&'a VirtualHost, usize, &'a Route),
    /// No route at all: everything is answered 404.
    Nothing(&'a VirtualHost),
    /// All connections of a server or a `tls` match; what is done with TLS.
    Connections(&'static str, &'a TcpRoute),
}

fn rows(snapshot: &Snapshot) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for listener in &snapshot.listeners {
        let table = |id: TableId| snapshot.route_tables.get(id.0 as usize);
        let connections = |server_names, tls, route| Row {
            snapshot,
            listener,
            server_names,
            what: What::Connections(tls, route),
        };
        let of_table = |names, id: TableId| {
            table(id).into_iter().flat_map(move |table| of_table((snapshot, listener, names), table))
        };
        match &listener.chain {
            Chain::Http(id) => rows.extend(of_table(None, *id)),
            Chain::Tcp(chain) => rows.push(connections(None, "tcp", &chain.route)),
            Chain::Tls(chains) => {
                for chain in chains.chains() {
                    let names = Some(chain.server_names.as_slice());
                    match &chain.action {
                        ChainAction::TerminateHttp(_, id) => {
                            rows.extend(of_table(names, *id));
                        }
                        ChainAction::TerminateTcp(_, route) => {
                            rows.push(connections(names, "tcp in tls", route));
                        }
                        ChainAction::Passthrough(route) => {
                            rows.push(connections(names, "passthrough", route))
                        }
                    }
                }
            }
        }
    }
    rows
}

fn of_table<'a>(
    (snapshot, listener, server_names): (&'a Snapshot, &'a Listener, Option<&'a [Box<str>]>),
    table: &'a RouteTable,
) -> Vec<Row<'a>> {
    let row = |what| Row { snapshot, listener, server_names, what };
    let mut rows = Vec::new();
    for host in &table.virtual_hosts {
        if host.require_tls {
            rows.push(row(What::HttpsRedirect(host)));
        } else if host.routes.is_empty() {
            rows.push(row(What::Nothing(host)));
        }
        let routes = host.routes.iter().zip(1..);
        rows.extend(routes.map(|(route, number)| row(What::Route(host, number, route))));
    }
    rows
}

const COLUMNS: usize = 6;
const HEADINGS: [&str; COLUMNS] = ["LISTENER", "SNI", "HOST", "MATCH", "ACTION", "SOURCE"];
/// A wider column is not worth the blanks in all other lines.
const WIDTH_MAX: usize = 60;
/// Stands where there is nothing.
const NONE: &str = "-";

/// On a terminal aligned and with headings; else a TAB between the columns and nothing else, for `cut` and `grep`.
fn text(rows: &[Row<'_>], is_terminal: bool) -> String {
    let cells: Vec<[String; COLUMNS]> = rows.iter().map(Row::cells).collect();
    if !is_terminal {
        return cells.iter().map(|cells| cells.join("\t") + "\n").collect();
    }
    let headings = HEADINGS.map(str::to_owned);
    let lines = || std::iter::once(&headings).chain(&cells);
    let mut widths = [0; COLUMNS];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().min(WIDTH_MAX).max(*width);
        }
    }
    let mut text = String::new();
    for line in lines() {
        let mut padded = String::new();
        for (width, cell) in widths.iter().zip(line) {
            // Writing to a String does not fail.
            let _ = write!(padded, "{cell:width$}  ");
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

impl Row<'_> {
    fn cells(&self) -> [String; COLUMNS] {
        let (host, asked, action) = match self.what {
            What::HttpsRedirect(host) => {
                (&*host.host, "scheme http".to_owned(), "httpsRedirect 301 https://*/*".to_owned())
            }
            What::Nothing(host) => (&*host.host, "nothing".to_owned(), "404".to_owned()),
            What::Route(host, _, route) => (&*host.host, route.matcher.to_string(), self.action(route)),
            What::Connections(tls, route) => (NONE, "connections".to_owned(), connections(tls, route)),
        };
        let names = self.server_names.map_or(NONE.to_owned(), |names| names.join(","));
        let text = |source: &Source| format!("{} ({}:{})", source.object, source.file, source.line);
        let place = match self.what {
            What::Route(_, _, Route { root: Some(root), .. }) => {
                format!("{} for {}", text(self.source()), text(root))
            }
            _ => text(self.source()),
        };
        [self.listener.bind.to_string(), names, host.to_owned(), asked, action, place].map(|cell| {
            // A line stays a line, and a column a column.
            cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        })
    }

    fn source(&self) -> &Source {
        match self.what {
            What::Route(_, _, route) => &route.source,
            What::HttpsRedirect(host) | What::Nothing(host) => &host.source,
            What::Connections(_, route) => &route.source,
        }
    }

    /// `route` is that of the admin pages; `null` where there is none.
    fn json(&self) -> Value {
        let (number, route) = match self.what {
            What::Route(_, number, route) => (Some(number), Some(route_json(route))),
            What::Connections(_, route) => (None, Some(tcp_route_json(route))),
            What::HttpsRedirect(_) | What::Nothing(_) => (None, None),
        };
        let [listener, _, host, asked, action, _] = self.cells();
        json!({
            "listener": listener,
            "sni": self.server_names,
            "host": Some(host).filter(|host| host != NONE),
            "number": number,
            "match": asked,
            "action": action,
            "route": route,
            "protocols": self.protocols(),
            "source": source_value(self.source()),
        })
    }

    /// What a route does, with Istio's words for the parts.
    fn action(&self, route: &Route) -> String {
        let mut parts = match &route.action {
            Action::Redirect(redirect) => vec![format!("redirect {redirect}")],
            Action::Direct(direct) => {
                vec![format!("directResponse {}, {} bytes", direct.status, direct.body.len())]
            }
            Action::Forward(forward) => self.forward_parts(forward),
        };
        for (what, ops) in [("request", &route.request_headers), ("response", &route.response_headers)] {
            if !ops.is_empty() {
                parts.push(format!("{what} headers {ops}"));
            }
        }
        parts.join("; ")
    }

    fn forward_parts(&self, forward: &Forward) -> Vec<String> {
        let share = |destination: &Destination| {
            let percent = f64::from(destination.weight) * 100.0 / forward.total_weight.max(1) as f64;
            let name = &destination.cluster_name;
            let how = self.protocol(destination);
            match forward.destinations.len() {
                1 => format!("{name}{how}"),
                _ => format!("{} {name}{how}", Percent(percent)),
            }
        };
        let shares: Vec<String> = forward.destinations.iter().map(share).collect();
        let mut parts = vec![format!("route {}", shares.join(", "))];
        parts.extend(forward.path_rewrite.as_ref().map(|rewrite| format!("rewrite {rewrite}")));
        let authority = forward.authority.as_ref();
        parts.extend(authority.map(|authority| format!("authority {}", String::from_utf8_lossy(authority))));
        parts
    }

    /// What is spoken to the clusters of a route, by their names; `null` where there is no route of HTTP.
    fn protocols(&self) -> Option<BTreeMap<&str, String>> {
        let What::Route(_, _, Route { action: Action::Forward(forward), .. }) = self.what else {
            return None;
        };
        let of = |destination: &Destination| {
            let cluster = self.snapshot.clusters.get(destination.cluster?.0 as usize)?;
            Some((&*cluster.name, cluster.protocol.to_string()))
        };
        Some(forward.destinations.iter().filter_map(of).collect())
    }

    /// What is spoken to a destination, where it is not what everybody speaks.
    fn protocol(&self, destination: &Destination) -> String {
        let Some(id) = destination.cluster else { return " (does not exist: 503)".to_owned() };
        let cluster = self.snapshot.clusters.get(id.0 as usize);
        match cluster.map(|cluster| cluster.protocol).unwrap_or_default() {
            UpstreamProtocol::Http1 => String::new(),
            UpstreamProtocol::Http2 => " (HTTP/2)".to_owned(),
            UpstreamProtocol::Client => " (HTTP/2 if the client speaks it)".to_owned(),
        }
    }
}

fn connections(tls: &str, route: &TcpRoute) -> String {
    let shares = route.destinations.iter().map(|one| {
        let missing = if one.cluster.is_some() { "" } else { " (does not exist: closed)" };
        match route.destinations.len() {
            1 => format!("{}{missing}", one.cluster_name),
            _ => {
                let percent = f64::from(one.weight) * 100.0 / route.total_weight.max(1) as f64;
                format!("{} {}{missing}", Percent(percent), one.cluster_name)
            }
        }
    });
    format!("{tls} {}", shares.collect::<Vec<_>>().join(", "))
}
