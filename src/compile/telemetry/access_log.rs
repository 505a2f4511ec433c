//! The access logs: `meshConfig.accessLogFile`, or what `Telemetry` resources say in its place (istiod's `mergeLogs`).

use super::{Compiler, providers::Named, tracing::is_for_gateway};
use crate::{
    compile::mesh::Mesh,
    config::{
        Diagnostic, Resource, Span, Spanned,
        resources::{
            AccessLogEncoding, AccessLoggingRule, FileAccessLogProvider, LogFilter, Structure, Telemetry,
        },
    },
    table::{AccessLogging, FileLog, Source},
    telemetry::{Condition, Format, JsonValue, LogTarget, Preset},
};
use std::{collections::BTreeMap, sync::Arc};

/// A provider that is asked for: whose lines it gets, and by whom.
#[derive(Clone)]
struct Asked {
    condition: Option<Arc<Condition>>,
    source: Source,
}

/// The last `filter` of each provider, and where it is asked for.
type Filters<'r> = BTreeMap<String, Option<(&'r Resource<Telemetry>, &'r Spanned<LogFilter>, String)>>;

impl<'r> Compiler<'_, 'r> {
    /// What all say together.
    pub(super) fn access_logging(&mut self, mesh: Mesh<'r>) -> AccessLogging {
        let format = Arc::new(self.mesh_format(mesh));
        let defaults = self.providers.defaults().map_or(&[][..], |defaults| &defaults.access_logging);
        let has_rules = self.layers.0.iter().any(|layer| !layer.spec.access_logging.is_empty());
        if !has_rules && defaults.is_empty() {
            let file = mesh.config.and_then(|config| config.access_log_file.as_ref());
            let log = file.map(|file| FileLog {
                target: self.target("accessLogFile".to_owned(), file),
                format: Arc::clone(&format),
                condition: None,
                source: self.providers.source(file.span),
            });
            return AccessLogging { format, logs: log.map(|log| vec![log]) };
        }
        let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
        if !has_rules {
            for name in defaults {
                let source = self.providers.source(name.span);
                asked.insert(name.value.clone(), Asked { condition: None, source });
            }
        } else {
            self.merge(defaults, &mut asked);
        }
        let mut logs: Vec<FileLog> = Vec::new();
        for (name, asked) in asked {
            logs.extend(self.log(&name, asked, &format));
        }
        AccessLogging { format, logs: Some(logs) }
    }

    /// The rules of all layers: the providers of the strongest layer that names some are in use, and each is there unless
    /// the last rule about it switches it off.
    fn merge(&mut self, defaults: &[Spanned<String>], asked: &mut BTreeMap<String, Asked>) {
        let default_names: Vec<String> = defaults.iter().map(|name| name.value.clone()).collect();
        let mut in_use = default_names.clone();
        let mut filters: Filters<'r> = BTreeMap::new();
        for layer in &self.layers.0 {
            let mut named = Vec::new();
            for (position, rule) in layer.spec.access_logging.iter().enumerate() {
                // A rule for a sidecar's other direction says nothing of a gateway's log.
                if !is_for_gateway(rule.mode.as_ref()) {
                    continue;
                }
                for name in names(rule) {
                    let path = format!("spec.accessLogging[{position}].filter.expression");
                    filters.insert(name.clone(), rule.filter.as_ref().map(|filter| (*layer, filter, path)));
                    named.push(name);
                }
            }
            if !named.is_empty() {
                in_use = named;
            }
        }
        let mut before = default_names;
        let layers: Vec<&'r Resource<Telemetry>> = self.layers.0.clone();
        for layer in layers {
            for rule in layer.spec.access_logging.iter().filter(|rule| is_for_gateway(rule.mode.as_ref())) {
                let own = names(rule);
                if !own.is_empty() {
                    before = own;
                }
                let source = self.source(layer, rule.span);
                for name in before.iter().filter(|name| in_use.contains(name)) {
                    if rule.disabled.as_ref().is_some_and(|disabled| disabled.value) {
                        asked.remove(name);
                        continue;
                    }
                    let condition = filters.get(name).cloned().flatten();
                    let condition = condition.and_then(|(of, filter, path)| self.condition(of, filter, path));
                    asked.insert(name.clone(), Asked { condition, source: source.clone() });
                }
            }
        }
    }

    /// One that can't be compiled is left out: more is logged than was asked for, which is said.
    fn condition(
        &mut self,
        of: &Resource<Telemetry>,
        filter: &Spanned<LogFilter>,
        path: String,
    ) -> Option<Arc<Condition>> {
        let expression = filter.expression.as_ref()?;
        match Condition::parse(expression) {
            Ok(condition) => Some(Arc::new(condition)),
            Err(error) => {
                let problem = Diagnostic::warning("unsupported-expression", error.to_string());
                self.say(of, (path, expression.span), problem.help("until then everything is logged"));
                None
            }
        }
    }

    fn log(&mut self, name: &str, asked: Asked, of_mesh: &Arc<Format>) -> Option<FileLog> {
        let Asked { condition, source } = asked;
        let unknown = |compiler: &mut Self, why: String| {
            let message = format!("nothing is logged to provider `{}`: {why}", name.escape_debug());
            compiler.say_of_source(&source, Diagnostic::warning("unknown-provider", message));
        };
        let (target, format) = match self.providers.find(name) {
            Named::Envoy => (LogTarget::Stdout, Arc::clone(of_mesh)),
            Named::Nobody => {
                unknown(self, format!("there is none; there are {}", self.providers.names()));
                return None;
            }
            Named::Prometheus => {
                unknown(self, "it takes metrics".to_owned());
                return None;
            }
            Named::Provider(provider) => match &provider.envoy_file_access_log {
                None => {
                    unknown(
                        self,
                        "the access log goes to files and sockets; see `envoyFileAccessLog`".to_owned(),
                    );
                    return None;
                }
                Some(file) => {
                    let path = file.path.as_ref().filter(|path| !path.is_empty());
                    let target = path
                        .map_or(LogTarget::Stdout, |path| self.target("extensionProviders".to_owned(), path));
                    let is_plain = file.log_format.is_none() && !is_on(&file.value);
                    let format = match is_plain && name.eq_ignore_ascii_case("envoy") {
                        true => Arc::clone(of_mesh),
                        false => Arc::new(self.provider_format(file)),
                    };
                    (target, format)
                }
            },
        };
        Some(FileLog { target, format, condition, source })
    }

    /// Says something at the place where a provider is asked for.
    fn say_of_source(&mut self, source: &Source, problem: Diagnostic) {
        let found = self.layers.0.iter().find_map(|layer| {
            let rules = layer.spec.access_logging.iter().enumerate();
            let mut here = rules.filter(|(_, rule)| self.source(layer, rule.span) == *source);
            here.next().map(|(position, rule)| (*layer, position, rule.span))
        });
        match found {
            Some((layer, position, span)) => {
                self.say(layer, (format!("spec.accessLogging[{position}]"), span), problem);
            }
            None => {
                let place = self.providers.defaults().and_then(|defaults| defaults.access_logging.first());
                if let Some(place) = place {
                    let field = ("defaultProviders.accessLogging".to_owned(), place.span);
                    self.providers.say(field, problem, self.report);
                }
            }
        }
    }

    fn target(&mut self, field: String, path: &Spanned<String>) -> LogTarget {
        LogTarget::of_file(path).unwrap_or_else(|why| {
            let problem = Diagnostic::error("bad-log-target", why);
            self.providers.say((field, path.span), problem, self.report);
            LogTarget::Off
        })
    }

    /// `accessLogEncoding` and `accessLogFormat`
    fn mesh_format(&mut self, mesh: Mesh<'_>) -> Format {
        let Some(config) = mesh.config else { return Format::istio() };
        let is_json = config.access_log_encoding.as_ref().is_some_and(|e| e.value == AccessLogEncoding::Json);
        let text = config.access_log_format.as_ref().filter(|text| !text.is_empty());
        let Some(text) = text else {
            return if is_json { Preset::Json.format() } else { Format::istio() };
        };
        let made = match is_json {
            false => Format::text(text, false).map_err(|error| error.to_string()),
            true => Structure::from_json(text)
                .and_then(|object| Format::json(&json(&object), false).map_err(|error| error.to_string())),
        };
        made.unwrap_or_else(|why| {
            let field = ("accessLogFormat".to_owned(), text.span);
            self.providers.say(field, bad_format(&why), self.report);
            Format::istio()
        })
    }

    fn provider_format(&mut self, file: &FileAccessLogProvider) -> Format {
        let omits = is_on(file);
        // Istio's text has code of its own, unless it leaves out what is empty.
        let plain = || match omits {
            false => Format::istio(),
            true => Format::text(crate::telemetry::ISTIO_TEXT, true).unwrap_or_else(|_| Format::istio()),
        };
        let Some(format) = &file.log_format else { return plain() };
        let (made, place): (Result<Format, String>, Span) = match (&format.text, &format.labels) {
            (Some(text), _) if !text.is_empty() => {
                (Format::text(text, omits).map_err(|error| error.to_string()), text.span)
            }
            (_, Some(labels)) => match &labels.value {
                Structure::Map(members) if members.is_empty() => (Ok(Preset::Json.format()), labels.span),
                object @ Structure::Map(_) => {
                    (Format::json(&json(object), omits).map_err(|error| error.to_string()), labels.span)
                }
                _ => (Err("labels are a mapping".to_owned()), labels.span),
            },
            _ => (Ok(plain()), format.span),
        };
        made.unwrap_or_else(|why| {
            self.providers.say(("extensionProviders".to_owned(), place), bad_format(&why), self.report);
            Format::istio()
        })
    }
}

fn bad_format(why: &str) -> Diagnostic {
    Diagnostic::error("bad-log-format", format!("this is no format of the access log: {why}"))
}

fn is_on(file: &FileAccessLogProvider) -> bool {
    file.omit_empty_values.as_ref().is_some_and(|omits| omits.value)
}

fn names(rule: &AccessLoggingRule) -> Vec<String> {
    rule.providers.iter().filter_map(|provider| Some(provider.name.as_ref()?.value.clone())).collect()
}

fn json(structure: &Structure) -> JsonValue {
    match structure {
        Structure::Null => JsonValue::Null,
        Structure::Bool(value) => JsonValue::Bool(*value),
        Structure::Number(number) => JsonValue::Number(*number),
        Structure::Text(text) => JsonValue::Text(text.clone()),
        Structure::List(items) => JsonValue::List(items.iter().map(json).collect()),
        Structure::Map(members) => {
            JsonValue::Map(members.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
    }
}
