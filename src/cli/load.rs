//! Files to a snapshot, with every diagnostic.

use super::args::{MisdirectedStatus, WorkloadArgs};
use crate::{
    compile::{self, Compiled, Http2Options, Misdirected, Options},
    config::{self, Diagnostic, Input, Resources, Severity},
    control::{Credentials, PortMap, Reread, Signature},
    tls::TicketError,
};
use std::{path::PathBuf, time::SystemTime};

/// What the files contain, and what was made of it.
pub(super) struct Loaded {
    /// As written.
    pub(super) resources: Resources,
    /// As compiled.
    pub(super) compiled: Compiled,
    /// Of reading and of compiling.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// How to read it again.
    pub(super) reread: Reread,
}

impl Loaded {
    /// Whether anything is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Reads the certificates, keys and authorities that are named; what is wrong with them is added to the diagnostics.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub(super) fn credentials(&mut self) -> Result<Credentials, TicketError> {
        let secrets = std::mem::take(&mut self.compiled.secrets);
        let credentials = Credentials::load(&self.compiled.snapshot, secrets, SystemTime::now())?;
        self.diagnostics.extend(credentials.diagnostics(&self.resources.sources));
        Ok(credentials)
    }
}

/// Reads and compiles. `port_map` is that of `workload` with its zeros resolved, where that matters. `http2` matters only
/// to what is served.
pub(super) fn load(
    paths: &[PathBuf],
    workload: &WorkloadArgs,
    port_map: &PortMap,
    http2: Http2Options,
) -> Loaded {
    let inputs: Vec<Input> = paths.iter().map(|path| Input::from_argument(path)).collect();
    let signature = Signature::of(&inputs);
    let (resources, mut diagnostics) = config::load(&inputs);
    let options = Options {
        labels: workload.labels.clone().map(|labels| labels.0),
        locality: workload.locality.clone(),
        namespace: workload.namespace.clone(),
        port_map: port_map.entries().iter().copied().collect(),
        gateway: workload.gateway.clone(),
        identity: workload.identity(),
        proxy_protocol_from: workload.proxy_protocol_from.clone().unwrap_or_default().0,
        misdirected: match workload.misdirected {
            MisdirectedStatus::Status421 => Misdirected::Status421,
            MisdirectedStatus::Status404 => Misdirected::Status404,
        },
        http2,
        ..Options::default()
    };
    let mut compiled = compile::compile(&resources, &options);
    diagnostics.append(&mut compiled.diagnostics);
    let reread = Reread { inputs, workload: compiled.workload.clone(), signature };
    Loaded { resources, compiled, diagnostics, reread }
}
