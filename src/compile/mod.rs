//! Resources to a snapshot, or every diagnostic at once: a pure function.
//!
//! The steps, in order:
//! - `validate`: the rules that need one object only
//! - `incomplete`: the same for objects that could not be read completely
//! - `unsupported`: fields and servers without effect yet
//! - `workload`, `mesh`, `http2`: what this gateway process is, what holds for the whole mesh, and how HTTP/2 is spoken
//! - `select`: which Gateways and VirtualServices apply
//! - `policy_selection`: which policies of security.istio.io apply
//! - `authentication`: RequestAuthentications to the rules for tokens
//! - `authorization`: AuthorizationPolicies to the rules by which requests and connections are let in
//! - `telemetry`: what Telemetry resources say of logs, spans and metrics
//! - `tracing`: what they and `meshConfig` say of spans together
//! - `merge`: servers to listeners; who wins a port and a host
//! - `attach`: which VirtualServices are on which servers, with which hosts
//! - `delegate`: rules that are another VirtualService's, in the place of the rule that delegates
//! - `services`, `clusters`: what destinations mean; endpoints and DestinationRules
//! - `rules`, `tables`: rules to routes, virtual hosts and route tables
//! - `tls`: TLS of servers and destinations, and Secrets
//! - `shadow`, `review`, `coalescing`: what is right by itself but surprises together
//! - `inventory`: what is attached to what, for those who explain
//!
//! Beside them:
//! - `options`, `tracing_options`: what goes in beside the files, and what comes out
//! - `report`: where diagnostics go
//! - `locality`: where something is
//! - `host_name`, `scope`, `origin`, `claim`: names of hosts, namespaces and order, places in files, names of claims

mod attach;
mod authentication;
mod authorization;
mod claim;
mod clusters;
mod coalescing;
mod delegate;
mod host_name;
mod http2;
mod incomplete;
mod inventory;
mod locality;
mod merge;
mod mesh;
mod options;
mod origin;
mod policy_selection;
mod report;
mod review;
mod rules;
mod scope;
mod select;
mod services;
mod shadow;
mod tables;
mod telemetry;
mod tracing;
mod tracing_options;
mod tls;
mod unsupported;
mod validate;
mod workload;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use inventory::{Inventory, ServerEntry};
pub use locality::Locality;
pub use options::{Compiled, Http2Options, Identity, Misdirected, Options, Workload};
pub use tables::ServerState;
pub use tracing_options::{TracingEndpoint, TracingOptions};

use crate::{config::Resources, table::Snapshot};
use clusters::{Clusters, Policies};
use delegate::HttpRules;
use origin::Origins;
use policy_selection::PolicySelection;
use report::Report;
use rules::RuleCompiler;
use services::Registry;
use workload::PortMap;

/// Makes a snapshot of the objects that have no error, and reports everything that is wrong or surprising.
///
/// The same resources and options always give the same result. Nothing is read, asked or timed here.
pub fn compile(resources: &Resources, options: &Options) -> Compiled {
    let mut found = validate::validate(resources);
    found.extend(incomplete::validate(resources));
    let mut report = Report::new(found);
    let report = &mut report;
    unsupported::report_fields(resources, report);
    let deployment = workload::deployment(resources, options, report);
    let mesh = mesh::mesh(resources, deployment.as_ref(), report);
    let workload = workload::workload(options, deployment.as_ref(), &mesh);
    let ports = PortMap::new(options, &workload, deployment.as_ref(), resources);
    let selection = select::select(resources, &workload, mesh.virtual_service_export_to(), report);
    let policy_selection = PolicySelection::new(&workload, &selection);
    let authentication = authentication::authentication(resources, &policy_selection, report);
    let merged = merge::merge(&selection, &ports, report);
    let attachments = attach::attach(&selection, &merged, report);
    review::report_shared_hosts(&merged, &selection, report);
    coalescing::report_shared_certificates(&merged, &selection, options.misdirected, report);
    review::report_unused_rules(&merged, &attachments, &selection, report);
    let http = HttpRules::new(&selection, resources, mesh.virtual_service_export_to(), report);
    delegate::report_unused(resources, report);
    review::report_mesh_rules(resources, (&selection, &http), &workload, report);
    let registry = Registry::new(resources, &workload, &mesh, report);
    let export_to = mesh.destination_rule_export_to();
    let policies = Policies::new(resources, &workload, export_to, report);
    review::report_destination_rules(resources, &workload, (&registry, &policies), export_to, report);
    clusters::report_unknown_place(resources, &workload, report);
    let origins = Origins::new(resources);
    let inputs =
        tls::TlsInputs { workload: &workload, mesh, identity: options.identity.as_ref(), origins: &origins };
    let clusters = Clusters::new(&registry, &policies, inputs);
    let mut rules = RuleCompiler::new((&selection, &http), &workload, &origins, clusters);
    rules.verifies_tokens = authentication.is_some();
    let mut server_tls = tls::ServerTls::new(inputs);
    let tables = tables::build((&merged, &attachments), &mut rules, &mut server_tls, report);
    let telemetry = telemetry::telemetry(resources, (mesh, &policy_selection, &origins), report);
    let traced = tracing::Inputs { told: telemetry.tracing.as_deref(), mesh, workload: &workload, options };
    let tracing = tracing::tracing(&traced, &mut rules.clusters, report);
    let inventory = Inventory::new(&merged, &attachments, &tables.states, (&selection, &origins));
    let (clusters, client_tls, of_clients) = rules.clusters.finish(report);
    let (server_tls, mut uses) = server_tls.finish();
    uses.extend(of_clients);
    tls::report(resources, &workload, &uses, report);
    let secrets = tls::extract(resources, &workload, report);
    let settings = mesh.settings(options);
    let around = (mesh, &settings, &merged);
    let servers = (tables.listeners.as_slice(), server_tls.as_slice());
    let policies = authorization::Inputs { resources, policies: &policy_selection, around, servers };
    let authorization = authorization::authorization(&policies, &origins, report);

    Compiled {
        snapshot: Snapshot {
            generation: 0,
            settings,
            listeners: tables.listeners,
            route_tables: tables.tables,
            clusters,
            server_tls,
            authentication,
            client_tls,
            authorization,
            tracing,
            telemetry,
        },
        diagnostics: std::mem::take(report).finish(),
        access_log_file: mesh.access_log_file(),
        inventory,
        workload,
        secrets,
    }
}
