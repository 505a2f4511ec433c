//! Servers of one port that share a certificate: browsers then send requests for the hosts of one on connections of the
//! other (specification section 8.4, Istio's analyzer message IST0138).

use super::{
    Misdirected,
    merge::{Family, Merged, MergedServer, ends_tls},
    report::Report,
    select::Selection,
    validate::Protocol,
};
use crate::config::{Diagnostic, Spanned};
use std::collections::HashMap;

/// Reports them. What it costs depends on what a Host of another server gets.
pub(super) fn report_shared_certificates(
    merged: &Merged<'_>,
    selection: &Selection<'_>,
    misdirected: Misdirected,
    report: &mut Report,
) {
    for listener in merged.listeners.iter().filter(|listener| listener.family == Family::Tls) {
        let mut owners: HashMap<&str, (&MergedServer<'_>, &Spanned<String>)> = HashMap::new();
        let servers = listener.servers.iter().filter_map(|id| merged.server(*id));
        for server in servers.filter(|it| it.protocol == Protocol::Https && ends_tls(it.server)) {
            // A server is reported once, however many of its certificates it shares.
            let mut shared = None;
            for name in certificates(server) {
                match owners.get(name.as_str()) {
                    Some(owner) => shared = shared.or(Some((*owner, name))),
                    None => {
                        owners.insert(name.as_str(), (server, name));
                    }
                }
            }
            if let Some((owner, name)) = shared {
                report_shared(owner, (server, name), (selection, misdirected), report);
            }
        }
    }
}

/// By the names under which they are written. Another spelling of the same Secret is another name: then nothing is said,
/// which is better than to say what is not so.
fn certificates<'r>(server: &MergedServer<'r>) -> impl Iterator<Item = &'r Spanned<String>> {
    let tls = server.server.tls.as_ref();
    let one = tls.and_then(|tls| tls.credential_name.as_ref().or(tls.server_certificate.as_ref()));
    let several = tls.into_iter().flat_map(|tls| &tls.credential_names);
    one.into_iter().chain(several).filter(|name| !name.is_empty())
}

fn report_shared(
    (owner, theirs): (&MergedServer<'_>, &Spanned<String>),
    (server, own): (&MergedServer<'_>, &Spanned<String>),
    (selection, misdirected): (&Selection<'_>, Misdirected),
    report: &mut Report,
) {
    let (Some(first), Some(second)) = (selection.gateway(owner.gateway), selection.gateway(server.gateway))
    else {
        return;
    };
    report.add("shared-certificate", own.span, || {
        let (new, outcome): (fn(&'static str, String) -> Diagnostic, _) = match misdirected {
            Misdirected::Status421 => (
                |code, message| Diagnostic::note(code, message),
                "get 421 and are sent once more, on a connection of their own",
            ),
            Misdirected::Status404 => (|code, message| Diagnostic::warning(code, message), "get 404"),
        };
        let message = format!(
            "the certificate `{}` is also that of {} servers[{}] on this port: over HTTP/2, browsers send requests for the hosts of both on one connection, and those for the other server {outcome}",
            own.value, first.title, owner.position
        );
        new("shared-certificate", message)
            .about(&second.resource.object)
            .field(format!("spec.servers[{}].tls", server.position))
            .help("one server that lists the hosts of both serves them on one connection")
            .label(theirs.span, "the other server's")
    });
}
