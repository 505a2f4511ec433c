//! Whether the Secrets that servers and DestinationRules name are there and have what is needed, and what they contain
//! (specification section 1.8).

use crate::{
    compile::{
        Workload,
        report::{Report, one_of},
    },
    config::{Diagnostic, ObjectRef, Resource, Resources, Span, resources::Secret},
    tls::{SecretName, Secrets},
};
use std::collections::{BTreeMap, HashMap};

/// One place that names a Secret.
pub(in crate::compile) struct SecretUse {
    pub(super) name: SecretName,
    pub(super) object: ObjectRef,
    pub(super) field: String,
    pub(super) span: Span,
    pub(super) needs: Needs,
    /// What happens if it is not there: `TLS handshakes of this server will fail`.
    pub(super) outcome: &'static str,
}

/// What a Secret has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// A certificate and its key.
    Certificate,
    /// The same, and authorities there or in `<name>-cacert`.
    Both,
    /// Authorities, there or in `<name>-cacert`.
    Authorities,
    /// Authorities, just there.
    AuthoritiesAlone,
}

/// The content of the Secrets in the gateway's namespace, which are all that it may use.
pub(in crate::compile) fn extract(resources: &Resources, workload: &Workload, report: &Report) -> Secrets {
    let own = resources.secrets.iter().filter(|secret| secret.meta.namespace.value == workload.namespace);
    let good = own.filter(|secret| !report.is_broken(&secret.object));
    let content = |secret: &Resource<Secret>| {
        let data = secret.spec.data.iter().map(|(key, value)| (key.value.clone(), value.value.0.clone()));
        let text = secret.spec.string_data.iter();
        // The later one stays: `stringData` is stronger.
        let text = text.map(|(key, value)| (key.value.clone(), value.value.clone().into_bytes()));
        data.chain(text).collect::<BTreeMap<String, Vec<u8>>>()
    };
    let named = good.map(|secret| {
        let meta = &secret.meta;
        let name = SecretName { namespace: meta.namespace.as_str().into(), name: meta.name.as_str().into() };
        (name, content(secret))
    });
    Secrets(named.collect())
}

/// Reports Secrets that are missing, in another namespace, or incomplete.
pub(in crate::compile) fn report(
    resources: &Resources,
    workload: &Workload,
    uses: &[SecretUse],
    report: &mut Report,
) {
    let by_name = resources.secrets.iter().map(|secret| {
        let meta = &secret.meta;
        ((meta.namespace.value.as_str(), meta.name.value.as_str()), secret)
    });
    let mut finder = Finder { resources, workload, secrets: by_name.collect(), report };
    for secret_use in uses {
        finder.look_at(secret_use);
    }
}

struct Finder<'r, 'w> {
    resources: &'r Resources,
    workload: &'w Workload,
    secrets: HashMap<(&'r str, &'r str), &'r Resource<Secret>>,
    report: &'w mut Report,
}

impl<'r> Finder<'r, '_> {
    fn look_at(&mut self, named: &SecretUse) {
        let own = self.workload.namespace.as_str();
        if *named.name.namespace != *own {
            return self.report_namespace(named);
        }
        let secret = self.secrets.get(&(own, &*named.name.name)).copied();
        let needs_pair = matches!(named.needs, Needs::Certificate | Needs::Both);
        if needs_pair
            && let Some(secret) = self.there(named, secret)
            && !has_pair(secret)
        {
            let keys = "`tls.crt` and `tls.key`, or `cert` and `key`";
            self.report_keys(named, secret, "a certificate with its key", keys);
        }
        let authorities = match named.needs {
            Needs::Certificate => return,
            Needs::AuthoritiesAlone => secret,
            // It is stronger than the keys in the main one.
            Needs::Both | Needs::Authorities => {
                let apart = format!("{}-cacert", named.name.name);
                self.secrets.get(&(own, apart.as_str())).copied().or(secret)
            }
        };
        if needs_pair && authorities.is_none() {
            return; // That has been said.
        }
        if let Some(secret) = self.there(named, authorities)
            && !has(secret, "cacert")
            && !has(secret, "ca.crt")
        {
            self.report_keys(named, secret, "authorities of certificates", "`ca.crt` or `cacert`");
        }
    }

    /// The Secret, if there is one; if not, that is reported.
    fn there(
        &mut self,
        named: &SecretUse,
        found: Option<&'r Resource<Secret>>,
    ) -> Option<&'r Resource<Secret>> {
        let SecretName { namespace, name } = &named.name;
        if found.is_some() || self.resources.is_broken("Secret", namespace, name) {
            return found;
        }
        self.warn(named, "missing-secret", |resources| {
            let message = format!("there is no Secret `{namespace}/{name}`: {}", named.outcome);
            let elsewhere = resources.secrets.iter().find(|secret| secret.meta.name.value == **name);
            let help = match elsewhere {
                Some(secret) => format!(
                    "there is `{}/{name}`, but Secrets are taken from the gateway's namespace, `{namespace}` (see --namespace)",
                    secret.meta.namespace.value
                ),
                None => "Secrets are taken from the gateway's namespace, not from that of the object which names them".to_owned(),
            };
            (message, help)
        });
        None
    }

    fn report_namespace(&mut self, named: &SecretUse) {
        let own = self.workload.namespace.as_str();
        self.warn(named, "secret-namespace", |_| {
            let message = format!(
                "a Secret of namespace `{}` is not given to a gateway in `{own}`: {}",
                named.name.namespace, named.outcome
            );
            (message, format!("put the Secret into namespace `{own}`, or see --namespace"))
        });
    }

    fn report_keys(&mut self, named: &SecretUse, secret: &Resource<Secret>, what: &str, keys: &str) {
        /// As many as istiod names.
        const LISTED_MAX: usize = 3;
        self.warn(named, "incomplete-secret", |_| {
            let data = secret.spec.data.iter().map(|(key, _)| key.value.clone());
            let mut found: Vec<String> =
                data.chain(secret.spec.string_data.iter().map(|(key, _)| key.value.clone())).collect();
            found.sort();
            found.dedup();
            found.truncate(LISTED_MAX);
            let message = format!(
                "the Secret `{}/{}` does not have {what}: {}",
                secret.meta.namespace.value, secret.meta.name.value, named.outcome
            );
            let found = if found.is_empty() { "nothing".to_owned() } else { one_of(found) };
            (message, format!("expected {keys}, with content; found {found}"))
        });
    }

    fn warn(
        &mut self,
        named: &SecretUse,
        code: &'static str,
        text: impl FnOnce(&Resources) -> (String, String),
    ) {
        let resources = self.resources;
        self.report.add(code, named.span, || {
            let (message, help) = text(resources);
            Diagnostic::warning(code, message).about(&named.object).field(&*named.field).help(help)
        });
    }
}

fn has(secret: &Resource<Secret>, key: &str) -> bool {
    let text = secret.spec.string_data.get(key).map(|value| !value.is_empty());
    text.unwrap_or_else(|| secret.spec.data.get(key).is_some_and(|value| !value.value.0.is_empty()))
}

fn has_pair(secret: &Resource<Secret>) -> bool {
    (has(secret, "cert") && has(secret, "key")) || (has(secret, "tls.crt") && has(secret, "tls.key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_of_the_gateways_namespace() {
        let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {x: YQ==, y: YQ==}\nstringData: {y: b}\n---\n\
                    apiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: other}\ndata: {x: YQ==}\n";
        let secrets = crate::compile::testing::compiled(yaml).0.secrets;
        let name = SecretName { namespace: "default".into(), name: "a".into() };
        let expected = [("x".to_owned(), b"a".to_vec()), ("y".to_owned(), b"b".to_vec())];
        assert_eq!(secrets, Secrets([(name, expected.into())].into()));
        assert_eq!(format!("{secrets:?}"), r#"{"default/a": ["x", "y"]}"#);
    }
}
