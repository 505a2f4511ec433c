//! Servers of Gateways that speak less than they say, and their fields.

use super::{Fields, at};
use crate::{
    compile::{merge::Merged, report::Report, select::Selection, validate::Protocol},
    config::{Diagnostic, Resource, resources::Gateway},
};

pub(super) fn report_fields(resource: &Resource<Gateway>, fields: &mut Fields<'_>) {
    for (position, server) in resource.spec.servers.iter().enumerate() {
        fields.report_useless(
            &|| format!("spec.servers[{position}]"),
            &[(
                "defaultEndpoint",
                at(&server.default_endpoint),
                "it is in the API, but Istio does not implement it either",
            )],
        );
    }
}

/// Reports servers that speak less than they say.
pub(in crate::compile) fn report_servers(
    merged: &Merged<'_>,
    selection: &Selection<'_>,
    report: &mut Report,
) {
    for server in merged.servers.iter().filter(|server| !server.is_dropped) {
        let Some(gateway) = selection.gateway(server.gateway) else { continue };
        let port = server.server.port.as_ref();
        let protocol = port.and_then(|port| port.protocol.as_ref());
        let place = protocol.map_or(server.server.span, |protocol| protocol.span);
        let name = protocol.map_or(String::new(), |protocol| protocol.to_ascii_uppercase());
        let Some((kind, message)) = shortcoming(server.protocol, &name) else { continue };
        report.add(kind, place, || {
            Diagnostic::warning("not-supported-yet", message)
                .about(&gateway.resource.object)
                .field(format!("spec.servers[{}].port.protocol", server.position))
        });
    }
}

fn shortcoming(protocol: Protocol, name: &str) -> Option<(&'static str, String)> {
    match protocol {
        Protocol::Http2 | Protocol::Grpc => Some((
            "HTTP/2 from clients",
            format!("HTTP/2 is not supported yet: this {name} server answers HTTP/1.1 only"),
        )),
        Protocol::GrpcWeb => Some((
            "GRPC-WEB",
            "the translation from gRPC-Web is not supported yet: requests are passed on as they are, as HTTP/1.1"
                .to_owned(),
        )),
        _ => None,
    }
}
