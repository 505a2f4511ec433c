//! Changes of metrics (istiod's `mergeMetrics`), of those that are scraped.

use super::{Compiler, providers::Named};
use crate::{
    config::{
        Diagnostic, Resource, Spanned,
        resources::{IstioMetric, MetricsOverrides, MetricsRule, TagOperation, Telemetry, WorkloadMode},
    },
    table::{LabelChange, MetricChange, MetricChanges},
};

/// All that `ALL_METRICS` stands for.
const ALL: [IstioMetric; 10] = [
    IstioMetric::RequestCount,
    IstioMetric::RequestDuration,
    IstioMetric::RequestSize,
    IstioMetric::ResponseSize,
    IstioMetric::TcpOpenedConnections,
    IstioMetric::TcpClosedConnections,
    IstioMetric::TcpSentBytes,
    IstioMetric::TcpReceivedBytes,
    IstioMetric::GrpcRequestMessages,
    IstioMetric::GrpcResponseMessages,
];

impl Compiler<'_, '_> {
    /// What all rules for scraped metrics say together.
    pub(super) fn metrics(&mut self) -> MetricChanges {
        let mut made = MetricChanges::default();
        // A rule that names nobody is for those of the rule before it, in the same object or in a weaker one.
        let mut is_ours = true;
        for layer in &self.layers.0 {
            for (position, rule) in layer.spec.metrics.iter().enumerate() {
                if !rule.providers.is_empty() {
                    is_ours = self.names_scraping(layer, position, rule);
                }
                if !is_ours {
                    continue;
                }
                if let Some(interval) = &rule.reporting_interval {
                    made.reporting_interval = Some(interval.value);
                }
                for (index, change) in rule.overrides.iter().enumerate() {
                    self.change(
                        layer,
                        change,
                        &format!("spec.metrics[{position}].overrides[{index}]"),
                        &mut made,
                    );
                }
            }
        }
        made
    }

    fn names_scraping(&mut self, layer: &Resource<Telemetry>, position: usize, rule: &MetricsRule) -> bool {
        let mut is_ours = false;
        for (index, provider) in rule.providers.iter().enumerate() {
            let Some(name) = &provider.name else { continue };
            let why = match self.providers.find(name) {
                Named::Prometheus => {
                    is_ours = true;
                    continue;
                }
                Named::Provider(provider) if provider.prometheus.is_some() => {
                    is_ours = true;
                    continue;
                }
                Named::Nobody => format!("there is no such provider; there are {}", self.providers.names()),
                Named::Provider(_) | Named::Envoy => "metrics are scraped by Prometheus, not sent".to_owned(),
            };
            let field = format!("spec.metrics[{position}].providers[{index}].name");
            let message = format!("the rule has no effect for `{}`: {why}", name.escape_debug());
            self.say(layer, (field, name.span), Diagnostic::warning("unknown-provider", message));
        }
        is_ours
    }

    fn change(
        &mut self,
        layer: &Resource<Telemetry>,
        change: &Spanned<MetricsOverrides>,
        path: &str,
        made: &mut MetricChanges,
    ) {
        let selector = change.selector.as_ref();
        let mode = selector.and_then(|selector| selector.mode.as_ref());
        if mode.is_some_and(|mode| mode.value == WorkloadMode::Server) {
            return;
        }
        let metric = selector.and_then(|selector| selector.metric.as_ref()).map(|metric| metric.value);
        let is_disabled = change.disabled.as_ref().map(|disabled| disabled.value);
        if metric == Some(IstioMetric::All) && is_disabled == Some(true) {
            made.is_off = true;
            return;
        }
        // Whoever says anything of metrics behind the rule that switches all off has them back.
        made.is_off = false;
        let custom = selector.and_then(|selector| selector.custom_metric.as_ref());
        let names: Vec<&str> = match (metric, custom) {
            (_, Some(custom)) => {
                let message = format!("there is no metric `{}`", custom.escape_debug());
                let problem = Diagnostic::warning("unknown-metric", message);
                let field = (format!("{path}.match.customMetric"), custom.span);
                self.say(layer, field, problem.help("a gateway has Istio's standard metrics only"));
                return;
            }
            (None | Some(IstioMetric::All), None) => ALL.iter().map(|metric| metric.name()).collect(),
            (Some(metric), None) => vec![metric.name()],
        };
        let labels = self.labels(layer, change, path);
        for name in names {
            let known = match made.changes.iter().position(|known| &*known.metric == name) {
                Some(known) => known,
                None => {
                    made.changes.push(MetricChange {
                        metric: name.into(),
                        is_disabled: false,
                        labels: Vec::new(),
                    });
                    made.changes.len() - 1
                }
            };
            let Some(known) = made.changes.get_mut(known) else { continue };
            if let Some(is_disabled) = is_disabled {
                known.is_disabled = is_disabled;
            }
            for label in &labels {
                known.labels.retain(|other| other.name != label.name);
                known.labels.push(label.clone());
            }
        }
    }

    /// The labels that are changed. Values can be texts; anything else is reckoned from requests, and is not supported.
    fn labels(
        &mut self,
        layer: &Resource<Telemetry>,
        change: &Spanned<MetricsOverrides>,
        path: &str,
    ) -> Vec<LabelChange> {
        let mut labels = Vec::new();
        for (name, tag) in change.tag_overrides.iter() {
            let is_removed = tag.operation.as_ref().is_some_and(|o| o.value == TagOperation::Remove);
            let value = tag.value.value.as_ref().map_or("", |value| value.as_str());
            let label = LabelChange {
                name: name.as_str().into(),
                value: (!is_removed).then(|| value.into()),
                source: self.source(layer, name.span),
            };
            if !is_removed && label.literal().is_none() {
                let name = name.as_str();
                let message = format!("the label `{}` stays as it is", name.escape_debug());
                let problem = Diagnostic::warning("unsupported-expression", message);
                let help = "labels can be removed, or be a text that is always the same, such as `'blue'`";
                let field = format!("{path}.tagOverrides.{name}");
                self.say(layer, (field, tag.span), problem.help(help));
            }
            labels.push(label);
        }
        labels
    }
}
