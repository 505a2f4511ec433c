//! Filter chains and TLS as JSON. Certificates are named, not shown.

use super::routes::tcp_route;
use crate::{
    table::{Chain, ChainAction, FilterChain, ServerName, Snapshot, TcpProtocol, UpstreamTls},
    tls::{
        AuthoritySource, CertificateSource, ClientAuthentication, ClientSpec, Group, NameRule, Parameters,
        ServerSpec, ServerVerification, Suite,
    },
};
use serde_json::{Value, json};

/// The versions of HTTP that clients may speak wherever HTTP is: by ALPN, else by their first bytes.
const VERSIONS: [&str; 2] = ["HTTP/1.1", "HTTP/2"];

/// What a listener does: `{"http": table, "protocols": [...]}`, `{"tcp": ...}` or `{"tls": [...]}`.
pub(super) fn chain(chain: &Chain, snapshot: &Snapshot) -> Value {
    match chain {
        Chain::Http(table) => {
            let table = snapshot.route_tables.get(table.0 as usize).map(|table| &table.name);
            json!({"http": table, "protocols": VERSIONS})
        }
        Chain::Tcp(chain) => {
            let protocol = match chain.protocol {
                TcpProtocol::Opaque => "bytes",
                TcpProtocol::Mongo => "mongo",
            };
            json!({"tcp": {"protocol": protocol, "route": tcp_route(&chain.route)}})
        }
        Chain::Tls(index) => {
            json!({"tls": index.chains().iter().map(|chain| filter_chain(chain, snapshot)).collect::<Vec<_>>()})
        }
    }
}

fn filter_chain(chain: &FilterChain, snapshot: &Snapshot) -> Value {
    let spec = |id: u32| snapshot.server_tls.get(id as usize).map(server);
    let action = match &chain.action {
        ChainAction::TerminateHttp(id, table) => {
            let table = snapshot.route_tables.get(table.0 as usize).map(|table| &table.name);
            json!({"kind": "terminate_http", "protocols": VERSIONS, "tls": spec(id.0), "route_table": table})
        }
        ChainAction::TerminateTcp(id, route) => {
            json!({"kind": "terminate_tcp", "tls": spec(id.0), "route": tcp_route(route)})
        }
        ChainAction::Passthrough(route) => json!({"kind": "passthrough", "route": tcp_route(route)}),
    };
    json!({
        "name": chain.name,
        "server_names": chain.server_names,
        "only_alpn": chain.alpn.map(|names| names.iter().map(|name| text(name)).collect::<Vec<_>>()),
        "action": action,
        "source": chain.source.to_string(),
    })
}

fn server(spec: &ServerSpec) -> Value {
    let client = match &spec.client {
        ClientAuthentication::None => Value::Null,
        ClientAuthentication::Certificate { required, authorities, names, pins, accept_untrusted } => json!({
            "required": required,
            "authorities": authority(authorities),
            "subject_alt_names": names,
            "pins": pins.keys.len() + pins.certificates.len(),
            "accept_untrusted": accept_untrusted,
        }),
    };
    json!({
        "name": spec.name,
        "certificates": spec.certificates.iter().map(certificate).collect::<Vec<_>>(),
        "client_certificate": client,
        "parameters": parameters(&spec.parameters),
        "alpn": alpn(&spec.alpn),
    })
}

/// How TLS is spoken to a cluster.
pub(super) fn upstream(tls: &UpstreamTls, snapshot: &Snapshot) -> Value {
    json!({
        "server_name": match &tls.server_name {
            ServerName::FromAuthority => json!({"from": "authority"}),
            ServerName::Fixed(name) => json!(name),
        },
        "context": snapshot.client_tls.get(tls.context.0 as usize).map(client),
    })
}

fn client(spec: &ClientSpec) -> Value {
    let verify = match &spec.verify {
        ServerVerification::None => Value::Null,
        ServerVerification::Chain { authorities, names } => json!({
            "authorities": authorities.as_ref().map_or(json!({"system": true}), authority),
            "names": match names {
                NameRule::Listed(names) => json!(names),
                NameRule::ServerName => json!("server_name"),
                NameRule::Any => json!("any"),
            },
        }),
    };
    json!({
        "name": spec.name,
        "field": spec.place.field,
        "certificate": spec.certificate.as_ref().map(certificate),
        "verify": verify,
        "parameters": parameters(&spec.parameters),
        "alpn": alpn(&spec.alpn),
        "alpn_http2": alpn(&spec.alpn_http2),
    })
}

fn certificate(source: &CertificateSource) -> Value {
    match source {
        CertificateSource::Files { certificate, key } => json!({"certificate": certificate, "key": key}),
        CertificateSource::Secret(name) => json!({"secret": name.to_string()}),
    }
}

fn authority(source: &AuthoritySource) -> Value {
    match source {
        AuthoritySource::Files { authorities, revoked } => json!({"file": authorities, "revoked": revoked}),
        AuthoritySource::Secret(name) => json!({"secret": name.to_string(), "or": format!("{name}-cacert")}),
        AuthoritySource::Exactly(name) => json!({"secret": name.to_string()}),
    }
}

/// Empty lists stand for all that there is.
fn parameters(parameters: &Parameters) -> Value {
    json!({
        "tls12": parameters.tls12,
        "tls13": parameters.tls13,
        "suites": parameters.suites.iter().map(|suite| Suite::name(*suite)).collect::<Vec<_>>(),
        "groups": parameters.groups.iter().map(|group| Group::name(*group)).collect::<Vec<_>>(),
    })
}

fn alpn(names: &[Box<[u8]>]) -> Vec<Value> {
    names.iter().map(|name| text(name)).collect()
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ChainIndex, ClientTlsId, Source, TableId, TcpDestination, TcpRoute};
    use std::sync::Arc;

    #[test]
    fn chains_and_clusters_are_shown_in_full() {
        let route = TcpRoute {
            destinations: vec![TcpDestination { cluster: None, cluster_name: "c".into(), weight: 1 }],
            total_weight: 1,
            source: Source::built_in("rule"),
        };
        let index = ChainIndex::new(vec![FilterChain {
            name: "n".into(),
            server_names: vec!["a.b".into()],
            alpn: Some(&[b"istio"]),
            action: ChainAction::Passthrough(route),
            source: Source::built_in("test"),
        }]);
        let shown = chain(&Chain::Tls(Arc::new(index)), &Snapshot::default());
        let only = &shown["tls"][0];
        assert_eq!((&only["server_names"], &only["only_alpn"]), (&json!(["a.b"]), &json!(["istio"])));
        assert_eq!(only["action"]["route"]["destinations"][0]["cluster"], "c");
        let plain = chain(&Chain::Http(TableId(0)), &Snapshot::default());
        assert_eq!(plain["protocols"], json!(["HTTP/1.1", "HTTP/2"]));
        let tls = UpstreamTls { context: ClientTlsId(0), server_name: ServerName::FromAuthority };
        assert_eq!(upstream(&tls, &Snapshot::default())["server_name"], json!({"from": "authority"}));
    }
}
