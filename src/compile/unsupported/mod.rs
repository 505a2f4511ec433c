//! Fields that are valid but have no effect yet: one warning for each, saying what will not happen.
//!
//! Each file has a table of fields for its kinds. A field whose support lands is taken out of its table.
//!
//! - `virtual_service`, `destination_rule`, `service`, `server`, `mesh`: by kind

mod destination_rule;
mod mesh;
mod server;
mod service;
mod virtual_service;

use super::report::Report;
use crate::config::{Diagnostic, ObjectRef, Resource, Resources, Span, Spanned, resources::Map};

/// Reports all fields without effect, of all objects without errors.
pub(super) fn report_fields(resources: &Resources, report: &mut Report) {
    for_each(&resources.virtual_services, report, virtual_service::report);
    for_each(&resources.destination_rules, report, destination_rule::report);
    for_each(&resources.service_entries, report, service::report_entry);
    for_each(&resources.workload_entries, report, service::report_workload);
    for_each(&resources.services, report, service::report_service);
    for_each(&resources.endpoint_slices, report, service::report_slice);
    for_each(&resources.istio_operators, report, mesh::report);
    for_each(&resources.gateways, report, server::report);
}

fn for_each<T>(list: &[Resource<T>], report: &mut Report, look_at: fn(&Resource<T>, &mut Fields<'_>)) {
    for resource in list {
        if !report.is_broken(&resource.object) {
            look_at(resource, &mut Fields { object: &resource.object, report });
        }
    }
}

/// A field that may be written: its name, where it is if it is written, and what will not happen.
type Field = (&'static str, Option<Span>, &'static str);

/// Takes the fields of one object.
struct Fields<'a> {
    object: &'a ObjectRef,
    report: &'a mut Report,
}

impl Fields<'_> {
    /// Reports those that are written. `path` is that of what they are in.
    fn report(&mut self, path: &dyn Fn() -> String, fields: &[Field]) {
        for (name, place, effect) in fields {
            let Some(place) = place else { continue };
            self.report.add(name, *place, || {
                Diagnostic::warning("not-supported-yet", format!("`{name}` is not supported yet: {effect}"))
                    .about(self.object)
                    .field(join(&path(), name))
            });
        }
    }

    /// Reports fields that have no effect on any gateway.
    fn report_useless(&mut self, path: &dyn Fn() -> String, fields: &[Field]) {
        for (name, place, effect) in fields {
            let Some(place) = place else { continue };
            self.report.add(name, *place, || {
                Diagnostic::warning("no-effect", format!("`{name}` has no effect: {effect}"))
                    .about(self.object)
                    .field(join(&path(), name))
            });
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Where a field is, if it is written.
fn at(field: &Option<impl Placed>) -> Option<Span> {
    field.as_ref().map(Placed::span)
}

/// A value with a place; rare ones are in boxes.
trait Placed {
    fn span(&self) -> Span;
}

impl<T> Placed for Spanned<T> {
    fn span(&self) -> Span {
        self.span
    }
}

impl<T> Placed for Box<Spanned<T>> {
    fn span(&self) -> Span {
        self.as_ref().span
    }
}

/// Where a mapping begins, if it has anything.
fn first_key<T>(map: &Map<T>) -> Option<Span> {
    map.first().map(|(key, _)| key.span)
}

/// Where a switch is, if it is on.
fn on(switch: &Option<Spanned<bool>>) -> Option<Span> {
    switch.as_ref().filter(|switch| switch.value).map(|switch| switch.span)
}
