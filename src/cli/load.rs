//! Options to a load: what the command line says of the configuration.

use super::args::{MisdirectedStatus, WorkloadArgs};
use crate::{
    compile::{Http2Options, Misdirected, Options, TracingOptions},
    control::{Loader, PortMap},
};
use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

pub(super) use crate::control::Loaded;

/// Reads and compiles. `port_map` is that of `workload` with its zeros resolved, where that matters. `http2` matters only
/// to what is served.
pub(super) fn load(
    paths: &[PathBuf],
    workload: &WorkloadArgs,
    port_map: &PortMap,
    http2: Http2Options,
) -> Loaded {
    loader(paths, workload, port_map, http2, TracingOptions::default()).load()
}

/// How to [`load`], as often as one likes.
pub(super) fn loader(
    paths: &[PathBuf],
    workload: &WorkloadArgs,
    port_map: &PortMap,
    http2: Http2Options,
    tracing: TracingOptions,
) -> Loader {
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
        tracing,
        environment: environment(),
        ..Options::default()
    };
    Loader::new(paths, options)
}

/// What is no text can't be asked for by name.
fn environment() -> BTreeMap<String, String> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}
