//! Whether the Secrets that servers name are there and have what is needed (specification section 1.8).

use super::{credential::Credential, server::credentials};
use crate::{
    compile::{
        Workload,
        merge::{Merged, MergedServer, ends_tls},
        report::{Report, one_of},
        select::Selection,
    },
    config::{
        Diagnostic, ObjectRef, Resource, Resources, Spanned,
        resources::{Secret, ServerTlsMode, ServerTlsSettings},
    },
    tls::{SecretName, Secrets},
};
use std::collections::{BTreeMap, HashMap};

/// The content of the Secrets in the gateway's namespace, which are all that it may use (specification section 1.8).
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
    (merged, selection): (&Merged<'_>, &Selection<'_>),
    report: &mut Report,
) {
    let by_name = resources.secrets.iter().map(|secret| {
        let meta = &secret.meta;
        ((meta.namespace.value.as_str(), meta.name.value.as_str()), secret)
    });
    let mut finder = Finder { resources, workload, secrets: by_name.collect(), report };
    for server in merged.servers.iter().filter(|server| !server.is_dropped && ends_tls(server.server)) {
        if let (Some(gateway), Some(tls)) = (selection.gateway(server.gateway), &server.server.tls) {
            finder.server(server, tls, &gateway.resource.object);
        }
    }
}

struct Finder<'r, 'w> {
    resources: &'r Resources,
    workload: &'w Workload,
    secrets: HashMap<(&'r str, &'r str), &'r Resource<Secret>>,
    report: &'w mut Report,
}

/// One name of a Secret in a server.
#[derive(Clone, Copy)]
struct Reference<'a> {
    written: &'a Spanned<String>,
    object: &'a ObjectRef,
    position: usize,
}

impl<'r> Finder<'r, '_> {
    fn server(&mut self, server: &MergedServer<'_>, tls: &Spanned<ServerTlsSettings>, object: &ObjectRef) {
        let mode = tls.mode.as_ref().map(|mode| mode.value).unwrap_or_default();
        if mode == ServerTlsMode::IstioMutual {
            return;
        }
        let wants_client = matches!(mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual);
        for (index, (_, written)) in credentials(tls).enumerate() {
            let reference = Reference { written, object, position: server.position };
            let Credential::Secret { namespace, name } = Credential::parse(written) else { continue };
            let Some(secret) = self.find(reference, namespace, name) else { continue };
            if !has_pair(secret) {
                self.report_keys(
                    reference,
                    secret,
                    "a certificate with its key",
                    "`tls.crt` and `tls.key`, or `cert` and `key`",
                );
            }
            // Of several only the first gives the authorities for clients.
            let is_needed = wants_client && index == 0 && tls.ca_cert_credential_name.is_none();
            if is_needed {
                self.authorities(reference, secret, name);
            }
        }
    }

    /// The Secret `<name>-cacert` is stronger than the keys in the main one.
    fn authorities(&mut self, reference: Reference<'_>, main: &Resource<Secret>, name: &str) {
        let own = format!("{name}-cacert");
        let key = (self.workload.namespace.as_str(), own.as_str());
        let secret = self.secrets.get(&key).copied().unwrap_or(main);
        if !has(secret, "cacert") && !has(secret, "ca.crt") {
            self.report_keys(
                reference,
                secret,
                "the authorities for client certificates",
                "`ca.crt` or `cacert`",
            );
        }
    }

    fn find(
        &mut self,
        reference: Reference<'_>,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<&'r Resource<Secret>> {
        let own = self.workload.namespace.as_str();
        if let Some(other) = namespace.filter(|namespace| *namespace != own) {
            self.warn(reference, "secret-namespace", |_| {
                let message = format!(
                    "a Secret of namespace `{other}` is not given to a gateway in `{own}`: TLS handshakes of this server will fail"
                );
                (message, format!("put the Secret into namespace `{own}`, or see --namespace"))
            });
            return None;
        }
        if let Some(secret) = self.secrets.get(&(own, name)) {
            return Some(secret);
        }
        if self.resources.is_broken("Secret", own, name) {
            return None;
        }
        self.warn(reference, "missing-secret", |resources| {
            let message =
                format!("there is no Secret `{own}/{name}`: TLS handshakes of this server will fail");
            let elsewhere = resources.secrets.iter().find(|secret| secret.meta.name.value == name);
            let help = match elsewhere {
                Some(secret) => format!(
                    "there is `{}/{name}`, but Secrets are taken from the gateway's namespace, `{own}` (see --namespace)",
                    secret.meta.namespace.value
                ),
                None => "Secrets are taken from the gateway's namespace, not from the Gateway object's".to_owned(),
            };
            (message, help)
        });
        None
    }

    fn report_keys(&mut self, reference: Reference<'_>, secret: &Resource<Secret>, what: &str, keys: &str) {
        /// As many as istiod names.
        const LISTED_MAX: usize = 3;
        self.warn(reference, "incomplete-secret", |_| {
            let data = secret.spec.data.iter().map(|(key, _)| key.value.clone());
            let mut found: Vec<String> =
                data.chain(secret.spec.string_data.iter().map(|(key, _)| key.value.clone())).collect();
            found.sort();
            found.truncate(LISTED_MAX);
            let message = format!(
                "the Secret `{}/{}` does not have {what}: TLS handshakes of this server will fail",
                secret.meta.namespace.value, secret.meta.name.value
            );
            let found = if found.is_empty() { "nothing".to_owned() } else { one_of(found) };
            (message, format!("expected {keys}, with content; found {found}"))
        });
    }

    fn warn(
        &mut self,
        reference: Reference<'_>,
        code: &'static str,
        text: impl FnOnce(&Resources) -> (String, String),
    ) {
        let resources = self.resources;
        self.report.add(code, reference.written.span, || {
            let (message, help) = text(resources);
            Diagnostic::warning(code, message)
                .about(reference.object)
                .field(format!("spec.servers[{}].tls.credentialName", reference.position))
                .help(help)
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
