//! What the gateway is told beside the files, and what comes of it.

use super::{Locality, TracingOptions, inventory::Inventory};
use crate::{
    config::{Diagnostic, Severity},
    table::Snapshot,
    tls::Secrets,
};
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

/// What the gateway process is told about itself, beside the files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `--labels`: the workload's labels, by which Gateways select it. `None`: those of the deployment that `gateway`
    /// names; without one, every Gateway applies.
    pub labels: Option<BTreeMap<String, String>>,
    /// `--namespace`: the workload's namespace, where Secrets are looked up and for which `exportTo` is read. `None`:
    /// that of the deployment that `gateway` names; without one, `default`.
    pub namespace: Option<String>,
    /// `--port-map`: declared port to listening port. Stronger than what Services say.
    pub port_map: BTreeMap<u16, u16>,
    /// `--gateway`: a deployment of an IstioOperator, whose labels, ports and namespace hold where nothing above says
    /// otherwise.
    pub gateway: Option<String>,
    /// `--locality`: where this gateway is. `None`: what its labels say (`istio-locality`, or those of `topology.kubernetes.io`).
    pub locality: Option<Locality>,
    /// The namespace whose DestinationRules are for everybody. `None`: `meshConfig.rootNamespace`, else `istio-system`.
    pub root_namespace: Option<String>,
    /// The domain behind the full names of Kubernetes Services. `None`: `cluster.local`.
    pub cluster_domain: Option<String>,
    /// `--identity-cert`, `--identity-key`, `--identity-ca`: what `ISTIO_MUTUAL` uses. `None`: there is no identity, and
    /// `ISTIO_MUTUAL` is an error.
    pub identity: Option<Identity>,
    /// `--proxy-protocol-from`: networks whose PROXY headers are believed, as address and prefix length; every TCP
    /// connection must then begin with one. Empty: `gatewayTopology.proxyProtocol` decides, and all are believed, as in
    /// Istio.
    pub proxy_protocol_from: Vec<(IpAddr, u8)>,
    /// `--misdirected`: what a Host gets that belongs to another server of the TLS port.
    pub misdirected: Misdirected,
    /// How HTTP/2 is spoken with clients.
    pub http2: Http2Options,
    /// `--tracing-endpoint`, `--tracing-sample`
    pub tracing: TracingOptions,
    /// Variables of the environment, for what names some of them.
    pub environment: BTreeMap<String, String>,
}

/// What the command line says of clients' connections; nothing of it: `connectionSettings` decides. Bounds are those of
/// [`Http2Settings`](crate::table::Http2Settings).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http2Options {
    /// `--http2-max-concurrent-streams`
    pub max_concurrent_streams: Option<u32>,
    /// `--http2-stream-window`, in bytes.
    pub stream_window: Option<u32>,
    /// `--http2-connection-window`, in bytes.
    pub connection_window: Option<u32>,
    /// `--max-connection-age`, of connections of any version.
    pub connection_age_max: Option<Duration>,
    /// `--max-requests-per-connection`, of connections of any version.
    pub connection_requests_max: Option<u64>,
    /// `--extended-connect`
    pub extended_connect: Option<bool>,
}

/// The gateway's own identity in a mesh, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The mesh's authorities.
    pub authorities: PathBuf,
}

/// What a request gets whose Host belongs to another server of the TLS port than its connection's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misdirected {
    /// 421: a browser asks again on a connection of its own (RFC 9110 section 15.5.20).
    #[default]
    Status421,
    /// 404, as in Istio.
    Status404,
}

/// What the options and the files together say about this gateway process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its labels. `None`: unknown, so every Gateway applies.
    pub labels: Option<BTreeMap<String, String>>,
    /// Its namespace.
    pub namespace: String,
    /// The namespace whose DestinationRules are for everybody.
    pub root_namespace: String,
    /// The domain behind the full names of Kubernetes Services.
    pub cluster_domain: String,
    /// Where it is, as far as that is known.
    pub locality: Locality,
}

/// What is made of the resources.
#[derive(Debug)]
pub struct Compiled {
    /// What is served: made of the objects without errors. Its generation is 0 until somebody gives it one.
    pub snapshot: Snapshot,
    /// Everything that is wrong or surprising, by place. An object with an error takes no part in the snapshot.
    pub diagnostics: Vec<Diagnostic>,
    /// What this gateway process is.
    pub workload: Workload,
    /// `meshConfig.accessLogFile`, such as `/dev/stdout`. `None`: it does not say; empty: no access log.
    pub access_log_file: Option<String>,
    /// What is attached to what, for those who explain.
    pub inventory: Inventory,
    /// The content of the Secrets in the gateway's namespace.
    pub secrets: Secrets,
}

impl Compiled {
    /// Whether some object has an error, so that not all that was written is in the snapshot.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
