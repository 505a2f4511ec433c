//! Which filter chain of a TLS port a client finds, and what it asks of the client.

use super::{
    cluster::{authority, certificate},
    story::{Detail, Step},
};
use crate::{
    control::{Condition, Credentials},
    table::{ChainAction, ChainIndex, ClientTlsId, FilterChain, ServerTlsId, Snapshot},
    tls::{ClientAuthentication, ServerSpec},
};

/// Chains that are named at most.
const CHAINS_MAX: usize = 8;
/// Names of one chain that are shown at most.
const NAMES_MAX: usize = 4;

/// What is missing or broken of certificates: for every spec, what is wrong if it can't be used.
#[derive(Debug, Default)]
pub struct Health {
    servers: Vec<Vec<String>>,
    clients: Vec<Vec<String>>,
}

impl Health {
    /// What these certificates are for a snapshot's specs.
    pub fn new(credentials: &Credentials, snapshot: &Snapshot) -> Health {
        let mut all: Vec<Vec<String>> = credentials
            .views()
            .map(|view| match view.condition {
                Condition::Failed => view.problems.iter().map(ToString::to_string).collect(),
                Condition::Good | Condition::Kept => Vec::new(),
            })
            .collect();
        let clients = all.split_off(snapshot.server_tls.len().min(all.len()));
        Health { servers: all, clients }
    }

    /// Why handshakes of a server fail; nothing if they do not.
    pub(super) fn of_server(&self, id: ServerTlsId) -> &[String] {
        self.servers.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Why TLS to an upstream fails; nothing if it does not.
    pub(super) fn of_client(&self, id: ClientTlsId) -> &[String] {
        self.clients.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }
}

/// The step that tells which chain was found.
pub(super) fn found(chain: &FilterChain, server_name: Option<&str>, snapshot: &Snapshot) -> Step {
    let asked = server_name.map_or("no server name".to_owned(), |name| format!("server name `{name}`"));
    let what = match &chain.action {
        ChainAction::TerminateHttp(..) => "TLS ends, HTTP begins",
        ChainAction::TerminateTcp(..) => "TLS ends, bytes go on",
        ChainAction::Passthrough(_) => "TLS passes through",
    };
    let text = format!("{asked}: {what}, {}, for {}", chain.name, names(chain));
    let step = Step::new("filter chain", text).from(&chain.source);
    let details =
        |id: &ServerTlsId| snapshot.server_tls.get(id.0 as usize).into_iter().flat_map(server_details);
    match &chain.action {
        ChainAction::TerminateHttp(id, _) => {
            let versions = "HTTP/2 or HTTP/1.1, as agreed by ALPN, else by the client's first bytes";
            step.with_all(details(id)).with(Detail::new(versions))
        }
        ChainAction::TerminateTcp(id, _) => step.with_all(details(id)),
        ChainAction::Passthrough(_) => step,
    }
}

/// The step that tells that no chain was found, and which ones there are.
pub(super) fn none(chains: &ChainIndex, server_name: Option<&str>, offered: &[Box<[u8]>]) -> Step {
    let refused = server_name.and_then(|name| chains.owner(name)).and_then(|at| chains.get(at));
    if let Some(chain) = refused.filter(|_| chains.find(server_name, offered).is_none()) {
        let wanted: Vec<_> = chain
            .alpn
            .iter()
            .flat_map(|list| list.iter())
            .map(|name| String::from_utf8_lossy(name))
            .collect();
        let text = format!("{} is for clients that offer {} by ALPN", chain.name, wanted.join(", "));
        return Step::new("filter chain", text).from(&chain.source);
    }
    let asked = server_name
        .map_or("a client that sends no server name".to_owned(), |name| format!("the server name `{name}`"));
    let step = Step::new("filter chain", format!("none for {asked}"));
    let listed = chains.chains().iter().take(CHAINS_MAX);
    let step = step.with_all(
        listed.map(|chain| Detail::new(format!("there is one for {}", names(chain))).from(&chain.source)),
    );
    let more = chains.chains().len().saturating_sub(CHAINS_MAX);
    step.with_all((more > 0).then(|| Detail::new(format!("and {more} more; `routes` lists them"))))
}

fn names(chain: &FilterChain) -> String {
    let mut text =
        chain.server_names.iter().take(NAMES_MAX).map(|name| &**name).collect::<Vec<_>>().join(", ");
    let more = chain.server_names.len().saturating_sub(NAMES_MAX);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn server_details(spec: &ServerSpec) -> Vec<Detail> {
    let sources: Vec<String> = spec.certificates.iter().map(certificate).collect();
    let alpn: Vec<_> = spec.alpn.iter().map(|name| String::from_utf8_lossy(name)).collect();
    let versions = match (spec.parameters.tls12, spec.parameters.tls13) {
        (true, true) => "TLS 1.2 and 1.3",
        (true, false) => "TLS 1.2",
        _ => "TLS 1.3",
    };
    let mut details = vec![Detail::new(format!(
        "{versions}, certificate of {}, ALPN {}",
        sources.join(" and "),
        alpn.join(", ")
    ))];
    if let ClientAuthentication::Certificate { required, authorities, names, accept_untrusted, .. } =
        &spec.client
    {
        let must = if *required { "must" } else { "may" };
        let by = match accept_untrusted {
            true => "by anybody".to_owned(),
            false => format!("by an authority in {}", authority(authorities)),
        };
        let whose = if names.is_empty() { String::new() } else { format!(" for {}", names.join(" or ")) };
        details.push(Detail::new(format!("clients {must} show a certificate{whose}, {by}")));
    }
    details
}
