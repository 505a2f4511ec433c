//! `credentialName`: what it may name (specification section 1.8).

use crate::tls::SecretName;

/// What the text of a `credentialName` names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// `name`, `namespace/name`, `kubernetes://name`, `kubernetes://namespace/name` or
    /// `kubernetes-gateway://namespace/name`.
    Secret { namespace: Option<&'a str>, name: &'a str },
    /// `configmap://namespace/name`
    ConfigMap,
    /// `sds://name`, `builtin://` and others that Istio resolves elsewhere; the scheme.
    Elsewhere(&'a str),
    /// Nothing of these.
    Malformed,
}

impl<'a> Credential<'a> {
    pub(super) fn parse(text: &'a str) -> Credential<'a> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("kubernetes", text));
        match scheme {
            "kubernetes" | "kubernetes-gateway" => {}
            "configmap" => return Credential::ConfigMap,
            _ => return Credential::Elsewhere(scheme),
        }
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            [name] if !name.is_empty() && scheme == "kubernetes" => {
                Credential::Secret { namespace: None, name }
            }
            [namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                Credential::Secret { namespace: Some(namespace), name }
            }
            _ => Credential::Malformed,
        }
    }

    /// The Secret's full name, or why there is none: what is wrong, and what helps. `own` is the gateway's namespace.
    pub(super) fn secret(&self, own: &str) -> Result<SecretName, (String, &'static str)> {
        const SECRETS: &str = "name a Secret: `name`, or `kubernetes://name`";
        match self {
            Credential::Secret { namespace, name } => {
                Ok(SecretName { namespace: namespace.unwrap_or(own).into(), name: (*name).into() })
            }
            Credential::ConfigMap => Err((
                "ConfigMaps are not read, so `configmap://` names nothing here".to_owned(),
                "put the authorities into a Secret, as `ca.crt`, or into a file that `caCertificates` names",
            )),
            Credential::Elsewhere(scheme) => Err((
                format!("`{scheme}://` is not supported: certificates come from Secrets and files"),
                SECRETS,
            )),
            Credential::Malformed => Err(("this names no Secret".to_owned(), SECRETS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named() {
        let secret = |namespace, name| Credential::Secret { namespace, name };
        for (text, expected) in [
            ("foo", secret(None, "foo")),
            ("ns/foo", secret(Some("ns"), "foo")),
            ("kubernetes://foo", secret(None, "foo")),
            ("kubernetes://ns/foo", secret(Some("ns"), "foo")),
            ("kubernetes-gateway://ns/foo", secret(Some("ns"), "foo")),
            ("kubernetes-gateway://foo", Credential::Malformed),
            ("a/b/c", Credential::Malformed),
            ("/foo", Credential::Malformed),
            ("foo/", Credential::Malformed),
            ("kubernetes://", Credential::Malformed),
            ("configmap://ns/foo", Credential::ConfigMap),
            ("sds://foo", Credential::Elsewhere("sds")),
            ("builtin://", Credential::Elsewhere("builtin")),
        ] {
            assert_eq!(Credential::parse(text), expected, "{text}");
        }
        let name = |text| Credential::parse(text).secret("own").map(|name| name.to_string()).ok();
        assert_eq!(name("foo").as_deref(), Some("own/foo"));
        assert_eq!(name("ns/foo").as_deref(), Some("ns/foo"));
        assert_eq!(name("sds://foo"), None);
    }
}
