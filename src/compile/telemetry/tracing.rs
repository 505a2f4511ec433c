//! Spans (istiod's `Telemetries.Tracing`): every field is that of the strongest rule that has it.

use super::Compiler;
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{CustomTag, LiteralTag, Map, ModeSelector, NamedTag},
    },
    table::{TagSource, Tracing},
};

impl Compiler<'_, '_> {
    /// What all rules say together. `None`: neither a rule nor a default provider says anything.
    pub(super) fn tracing(&mut self) -> Option<Tracing> {
        let defaults = self.providers.defaults();
        let default = defaults.and_then(|defaults| defaults.tracing.first());
        let has_rules = self.layers.0.iter().any(|layer| !layer.spec.tracing.is_empty());
        if !has_rules && default.is_none() {
            return None;
        }
        let mut tracing = Tracing {
            provider: None,
            reports: true,
            sampling_percent: None,
            custom_tags: Vec::new(),
            uses_request_id: true,
            has_istio_tags: true,
            passes_context_on: true,
            source: None,
        };
        if let Some(name) = default {
            match self.providers.tracing(name) {
                Ok(provider) => tracing.provider = Some(provider),
                Err(why) => {
                    let field = ("defaultProviders.tracing[0]".to_owned(), name.span);
                    self.providers.say(field, Diagnostic::warning("unknown-provider", why), self.report);
                }
            }
        }
        for layer in &self.layers.0 {
            for (position, rule) in layer.spec.tracing.iter().enumerate() {
                if !is_for_gateway(rule.mode.as_ref()) {
                    continue;
                }
                tracing.source = Some(self.source(layer, rule.span));
                let named = rule.providers.first().and_then(|provider| provider.name.as_ref());
                if let Some(name) = named {
                    let found = self.providers.tracing(name);
                    if let Err(why) = &found {
                        let field = format!("spec.tracing[{position}].providers[0].name");
                        let problem = Diagnostic::warning("unknown-provider", why.clone());
                        self.say(layer, (field, name.span), problem.help("no span is made"));
                    }
                    tracing.provider = found.ok();
                }
                set(&mut tracing.sampling_percent, rule.random_sampling_percentage.as_ref());
                if let Some(disabled) = &rule.disable_span_reporting {
                    tracing.reports = !disabled.value;
                }
                if let Some(disabled) = &rule.disable_context_propagation {
                    tracing.passes_context_on = !disabled.value;
                }
                if !rule.custom_tags.is_empty() {
                    tracing.custom_tags = custom_tags(&rule.custom_tags);
                }
                if let Some(uses) = &rule.use_request_id_for_trace_sampling {
                    tracing.uses_request_id = uses.value;
                }
                if let Some(has) = &rule.enable_istio_tags {
                    tracing.has_istio_tags = has.value;
                }
            }
        }
        Some(tracing)
    }
}

fn set<T: Copy>(target: &mut Option<T>, field: Option<&Spanned<T>>) {
    if let Some(field) = field {
        *target = Some(field.value);
    }
}

/// Whether a rule is for this direction; one that says nothing is for both.
pub(super) fn is_for_gateway(mode: Option<&Spanned<ModeSelector>>) -> bool {
    mode.and_then(|selector| selector.mode.as_ref()).is_none_or(|mode| mode.is_for_gateway())
}

pub(in crate::compile) fn custom_tags(tags: &Map<CustomTag>) -> Vec<(Box<str>, TagSource)> {
    let tag =
        |(name, tag): &(Spanned<String>, Spanned<CustomTag>)| Some((name.as_str().into(), tag_source(tag)?));
    tags.iter().filter_map(tag).collect()
}

/// One that names no source is an error of its object.
fn tag_source(tag: &CustomTag) -> Option<TagSource> {
    let text = |field: &Option<Spanned<String>>| field.as_ref().map_or("", |text| text.as_str()).to_owned();
    let literal = |tag: &Spanned<LiteralTag>| text(&tag.value.value).into();
    let named = |tag: &Spanned<NamedTag>| (text(&tag.name), text(&tag.default_value).into());
    if let Some(tag) = &tag.literal {
        return Some(TagSource::Literal(literal(tag)));
    }
    if let Some(tag) = &tag.environment {
        let (name, otherwise) = named(tag);
        return Some(TagSource::Environment { name: name.into(), otherwise });
    }
    if let Some(tag) = &tag.header {
        let (name, otherwise) = named(tag);
        return Some(TagSource::Header { name: name.to_ascii_lowercase().into(), otherwise });
    }
    tag.formatter.as_ref().map(|tag| TagSource::Formatter(literal(tag)))
}
