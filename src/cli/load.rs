//! Files to a snapshot, with every diagnostic.

use super::args::WorkloadArgs;
use crate::{
    compile::{self, Compiled, Options},
    config::{self, Diagnostic, Input, Resources, Severity},
    control::PortMap,
};
use std::path::PathBuf;

/// What the files contain, and what was made of it.
pub(super) struct Loaded {
    /// As written.
    pub(super) resources: Resources,
    /// As compiled.
    pub(super) compiled: Compiled,
    /// Of reading and of compiling.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether anything is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads and compiles. `port_map` is that of `workload` with its zeros resolved, where that matters.
pub(super) fn load(paths: &[PathBuf], workload: &WorkloadArgs, port_map: &PortMap) -> Loaded {
    let inputs: Vec<Input> = paths.iter().map(|path| Input::from_argument(path)).collect();
    let (resources, mut diagnostics) = config::load(&inputs);
    let options = Options {
        labels: workload.labels.clone().map(|labels| labels.0),
        namespace: workload.namespace.clone(),
        port_map: port_map.entries().iter().copied().collect(),
        gateway: workload.gateway.clone(),
        ..Options::default()
    };
    let mut compiled = compile::compile(&resources, &options);
    diagnostics.append(&mut compiled.diagnostics);
    Loaded { resources, compiled, diagnostics }
}
