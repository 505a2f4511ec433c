//! The delegate that a rule names, or why it has none.

use super::Home;
use crate::{
    compile::{
        origin::title,
        report::Report,
        scope::{Owner, Visibility, visibility},
    },
    config::{
        Diagnostic, Resource, Resources, Span, Spanned,
        resources::{Delegate, HttpRoute, VirtualService},
    },
};
use std::collections::HashMap;

/// All VirtualServices, found by name, and who may use them.
pub(super) struct Delegates<'r, 'w> {
    resources: &'r Resources,
    by_name: HashMap<(&'r str, &'r str), &'r Resource<VirtualService>>,
    /// What the mesh says for VirtualServices that say nothing.
    default_export_to: &'w [Spanned<String>],
}

/// A rule that delegates has no delegate.
enum Problem<'r> {
    Unknown,
    /// It is in the files, but has an error.
    Broken,
    /// It has hosts.
    NoDelegate(&'r Resource<VirtualService>),
    Hidden(&'r Resource<VirtualService>),
}

/// The full name of a delegate: its namespace, else that of the VirtualService that names it, and its name.
pub(super) fn full_name<'a>(delegate: &'a Delegate, own_namespace: &'a str) -> (&'a str, &'a str) {
    let text = |text: &'a Option<Spanned<String>>| text.as_ref().map_or("", |text| text.value.as_str());
    let namespace = Some(text(&delegate.namespace)).filter(|namespace| !namespace.is_empty());
    (namespace.unwrap_or(own_namespace), text(&delegate.name))
}

impl<'r, 'w> Delegates<'r, 'w> {
    pub(super) fn new(resources: &'r Resources, default_export_to: &'w [Spanned<String>]) -> Self {
        let name = |service: &'r Resource<VirtualService>| {
            ((service.meta.namespace.as_str(), service.meta.name.as_str()), service)
        };
        let by_name = resources.virtual_services.iter().map(name).collect();
        Delegates { resources, by_name, default_export_to }
    }

    /// The delegate of a rule; where there is none it is reported, and the rule is left out.
    pub(super) fn of(
        &self,
        root: &Home<'r>,
        position: usize,
        route: &Spanned<HttpRoute>,
        report: &mut Report,
    ) -> Option<Home<'r>> {
        let delegate = route.delegate.as_ref()?;
        let name = full_name(delegate, root.namespace());
        match self.find(name, root, report) {
            Ok(resource) => Some(Home { resource, title: title(&resource.object) }),
            Err(problem) => {
                let place = delegate.name.as_ref().map_or(delegate.span, |name| name.span);
                report.add("no-delegate", place, || {
                    self.diagnostic(name, &problem, root)
                        .about(&root.resource.object)
                        .field(format!("spec.http[{position}].delegate"))
                });
                None
            }
        }
    }

    fn find(
        &self,
        (namespace, name): (&str, &str),
        root: &Home<'r>,
        report: &Report,
    ) -> Result<&'r Resource<VirtualService>, Problem<'r>> {
        let Some(resource) = self.by_name.get(&(namespace, name)).copied() else {
            let is_broken = self.resources.is_broken("VirtualService", namespace, name);
            return Err(if is_broken { Problem::Broken } else { Problem::Unknown });
        };
        if report.is_broken(&resource.object) {
            return Err(Problem::Broken);
        }
        if !resource.spec.hosts.is_empty() {
            return Err(Problem::NoDelegate(resource));
        }
        let owner = Owner(&resource.meta.namespace);
        match visibility(&resource.spec.export_to, self.default_export_to, owner, root.namespace()) {
            Visibility::Hidden => Err(Problem::Hidden(resource)),
            Visibility::Private | Visibility::Named | Visibility::Public => Ok(resource),
        }
    }

    fn diagnostic(
        &self,
        (namespace, name): (&str, &str),
        problem: &Problem<'r>,
        root: &Home<'r>,
    ) -> Diagnostic {
        const OUTCOME: &str = "the rule is left out, and requests that it matches go on to later rules";
        let full = format!("{}/{}", namespace.escape_debug(), name.escape_debug());
        let warning = |code, why: String| Diagnostic::warning(code, format!("{why}; {OUTCOME}"));
        match problem {
            Problem::Unknown => {
                let missing = warning(
                    "unknown-delegate",
                    format!("there is no VirtualService `{full}` to delegate to"),
                );
                match self.namesake(name) {
                    Some((other, span)) => {
                        let help = format!(
                            "did you mean `{other}`? a delegate without a namespace is in that of the rule"
                        );
                        missing.help(help).label(span, "this one has the name, in another namespace")
                    }
                    None => missing,
                }
            }
            Problem::Broken => warning(
                "unknown-delegate",
                format!("the VirtualService `{full}` is left out because of its errors"),
            ),
            Problem::NoDelegate(other) => {
                warning("no-delegate", format!("`{full}` has `hosts`, so it is not a delegate"))
                    .label(other.meta.name.span, "this one")
                    .help("only a VirtualService without `hosts` and `gateways` can be delegated to")
            }
            Problem::Hidden(other) => {
                let place = other.spec.export_to.first().map_or(other.meta.name.span, |first| first.span);
                let why = format!("`{full}` is not exported to namespace `{}`", root.namespace());
                warning("delegate-not-exported", why).label(place, "see its exportTo").help(
                    "a delegate must be exported to the namespace of the VirtualService that delegates to it",
                )
            }
        }
    }

    fn namesake(&self, name: &str) -> Option<(String, Span)> {
        let is_it =
            |other: &&Resource<VirtualService>| other.meta.name.value == name && other.spec.hosts.is_empty();
        let other = self.resources.virtual_services.iter().find(is_it)?;
        Some((format!("{}/{name}", other.meta.namespace.value), other.meta.name.span))
    }
}
