//! Delegates that no rule delegates to.

use super::find::full_name;
use crate::{
    compile::report::Report,
    config::{Diagnostic, Resource, Resources, resources::VirtualService},
};
use std::collections::HashSet;

/// Reports VirtualServices without hosts that nobody names: they have no effect. Also what is named by VirtualServices that
/// do not apply here, or have errors, is named.
pub(in crate::compile) fn report_unused(resources: &Resources, report: &mut Report) {
    let incomplete = resources.incomplete().map(|incomplete| &incomplete.objects);
    let all = || {
        let others = incomplete.iter().flat_map(|objects| &objects.virtual_services);
        resources.virtual_services.iter().chain(others)
    };
    let named: HashSet<(&str, &str)> = all()
        .flat_map(|service| {
            let delegates = service.spec.http.iter().filter_map(|route| route.delegate.as_ref());
            delegates.map(|delegate| full_name(delegate, &service.meta.namespace))
        })
        .collect();
    let is_unused = |service: &&Resource<VirtualService>| {
        let name = (service.meta.namespace.as_str(), service.meta.name.as_str());
        service.spec.hosts.is_empty() && !named.contains(&name)
    };
    for service in resources.virtual_services.iter().filter(is_unused) {
        if report.is_broken(&service.object) {
            continue;
        }
        report.add("unused-delegate", service.meta.name.span, || {
            let message = "the VirtualService has no effect: it has no `hosts`, and no rule of another one delegates to it";
            Diagnostic::warning("unused-delegate", message).about(&service.object).field("spec.hosts").help(
                "write `hosts`, or name it in another VirtualService: `delegate: {name: ..., namespace: ...}`",
            )
        });
    }
}
