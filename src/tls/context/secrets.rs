//! Kubernetes Secrets, and which of their keys are what (specification section 1.8).

use super::{
    Problem, ProblemKind,
    material::{AuthorityMaterial, Bytes, CertificateMaterial},
};
use crate::tls::SecretName;
use std::{collections::BTreeMap, fmt};

/// The content of the Secrets that this gateway may use, by name and key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<SecretName, BTreeMap<String, Vec<u8>>>);

/// Values may be private keys: only the names are shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, keys)| (name.to_string(), keys.keys().collect::<Vec<_>>()));
        f.debug_map().entries(names).finish()
    }
}

/// Keys of a Secret that a message names: as many as istiod does.
const NAMED_MAX: usize = 3;

/// One Secret.
struct Secret<'a> {
    name: &'a SecretName,
    values: &'a BTreeMap<String, Vec<u8>>,
}

impl Secret<'_> {
    /// An empty value is as good as none.
    fn get(&self, key: &str) -> Option<Bytes> {
        let bytes = self.values.get(key).filter(|value| !value.is_empty())?;
        Some(Bytes::new(format!("key `{key}` of {}", subject(self.name)), bytes.as_slice()))
    }

    fn pair(&self, [first, second]: [&str; 2]) -> Option<(Bytes, Bytes)> {
        self.get(first).zip(self.get(second))
    }

    fn lacks(&self, what: &str) -> Problem {
        let found: Vec<String> = self.values.keys().take(NAMED_MAX).map(|key| format!("`{key}`")).collect();
        let found = match (found.as_slice(), self.values.len()) {
            ([], _) => "nothing".to_owned(),
            (some, all) if some.len() < all => format!("{} and more", some.join(", ")),
            (some, _) => some.join(", "),
        };
        let text = format!("does not have {what}, with content; it has {found}");
        Problem::new(ProblemKind::MissingSecret, &subject(self.name), text)
    }
}

impl Secrets {
    /// The chain and the key in a Secret: `cert` and `key`, else `tls.crt` and `tls.key` with a staple.
    ///
    /// # Errors
    /// There is no such Secret, or it has neither.
    pub fn certificate(&self, name: &SecretName) -> Result<CertificateMaterial, Problem> {
        let secret = self.get(name)?;
        if let Some((chain, key)) = secret.pair(["cert", "key"]) {
            return Ok(CertificateMaterial { chain, key, staple: None });
        }
        if let Some((chain, key)) = secret.pair(["tls.crt", "tls.key"]) {
            return Ok(CertificateMaterial { chain, key, staple: secret.get("tls.ocsp-staple") });
        }
        Err(secret.lacks("a certificate and its key, `tls.crt` and `tls.key` or `cert` and `key`"))
    }

    /// The authorities that go with a Secret: those of the Secret `<name>-cacert` if there is one, else its own.
    ///
    /// # Errors
    /// There is no such Secret, or the one that counts has no authorities.
    pub fn authorities(&self, name: &SecretName) -> Result<AuthorityMaterial, Problem> {
        let beside = SecretName { name: format!("{}-cacert", name.name).into(), ..name.clone() };
        match self.0.contains_key(&beside) {
            true => self.authorities_in(&beside),
            false => self.authorities_in(name),
        }
    }

    /// The authorities in this Secret: `cacert` and `crl`, else `ca.crt` and `ca.crl`.
    ///
    /// # Errors
    /// There is no such Secret, or it has none.
    pub fn authorities_in(&self, name: &SecretName) -> Result<AuthorityMaterial, Problem> {
        let secret = self.get(name)?;
        for [authorities, revoked] in [["cacert", "crl"], ["ca.crt", "ca.crl"]] {
            if let Some(authorities) = secret.get(authorities) {
                return Ok(AuthorityMaterial { authorities, revoked: secret.get(revoked) });
            }
        }
        Err(secret.lacks("the authorities for certificates, `ca.crt` or `cacert`"))
    }

    fn get<'a>(&'a self, name: &'a SecretName) -> Result<Secret<'a>, Problem> {
        let missing =
            || Problem::new(ProblemKind::MissingSecret, &subject(name), "is not in the configuration");
        self.0.get(name).map(|values| Secret { name, values }).ok_or_else(missing)
    }
}

fn subject(name: &SecretName) -> String {
    format!("Secret `{name}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[(&str, &[(&str, &str)])]) -> Secrets {
        let values = |values: &[(&str, &str)]| {
            values.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
        };
        Secrets(all.iter().map(|(secret, content)| (name(secret), values(content))).collect())
    }

    fn name(name: &str) -> SecretName {
        SecretName { namespace: "infra".into(), name: name.into() }
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(&bytes.bytes).unwrap()
    }

    #[test]
    fn generic_keys_are_stronger_and_have_no_staple() {
        let kubernetes = [("tls.crt", "C"), ("tls.key", "K"), ("tls.ocsp-staple", "S")];
        let both = [&kubernetes[..], &[("cert", "c"), ("key", "k")]].concat();
        let half = [&kubernetes[..], &[("cert", "c"), ("key", "")]].concat();
        let secrets = secrets(&[("a", &kubernetes), ("b", &both), ("c", &half)]);
        for (secret, chain, key, staple) in
            [("a", "C", "K", Some("S")), ("b", "c", "k", None), ("c", "C", "K", Some("S"))]
        {
            let found = secrets.certificate(&name(secret)).unwrap();
            assert_eq!((text(&found.chain), text(&found.key)), (chain, key), "{secret}");
            assert_eq!(found.staple.as_ref().map(text), staple, "{secret}");
        }
        assert_eq!(
            &*secrets.certificate(&name("a")).unwrap().chain.place,
            "key `tls.crt` of Secret `infra/a`"
        );
    }

    #[test]
    fn authorities_beside_are_stronger_even_when_they_are_missing() {
        let own = [("ca.crt", "A"), ("ca.crl", "R")];
        let secrets = secrets(&[
            ("a", &own),
            ("b", &own),
            ("b-cacert", &[("cacert", "B"), ("crl", "")]),
            ("c", &own),
            ("c-cacert", &[("ca.crl", "R")]),
        ]);
        let found = secrets.authorities(&name("a")).unwrap();
        assert_eq!((text(&found.authorities), found.revoked.as_ref().map(text)), ("A", Some("R")));
        let found = secrets.authorities(&name("b")).unwrap();
        assert_eq!((text(&found.authorities), found.revoked), ("B", None));
        assert_eq!(text(&secrets.authorities_in(&name("b")).unwrap().authorities), "A");
        assert!(secrets.authorities(&name("c")).is_err());
    }

    #[test]
    fn case_46b_what_is_missing_is_said_with_what_was_found() {
        let secrets = secrets(&[
            ("empty", &[("tls.crt", ""), ("tls.key", "")]),
            ("many", &[("d", "1"), ("a", "1"), ("c", "1"), ("b", "1")]),
            ("none", &[]),
        ]);
        let said = |secret: &str| secrets.certificate(&name(secret)).unwrap_err().to_string();
        let expected = "does not have a certificate and its key, `tls.crt` and `tls.key` or `cert` and `key`, with content; it has";
        assert_eq!(said("empty"), format!("Secret `infra/empty` {expected} `tls.crt`, `tls.key`"));
        assert_eq!(said("many"), format!("Secret `infra/many` {expected} `a`, `b`, `c` and more"));
        assert_eq!(said("none"), format!("Secret `infra/none` {expected} nothing"));
        assert_eq!(said("other"), "Secret `infra/other` is not in the configuration");
        let said = |secret: &str| secrets.authorities(&name(secret)).unwrap_err().to_string();
        let expected =
            "does not have the authorities for certificates, `ca.crt` or `cacert`, with content; it has";
        assert_eq!(said("empty"), format!("Secret `infra/empty` {expected} `tls.crt`, `tls.key`"));
        assert_eq!(said("many"), format!("Secret `infra/many` {expected} `a`, `b`, `c` and more"));
    }

    #[test]
    fn debug_hides_values() {
        let secrets = secrets(&[("a", &[("tls.key", "very secret")])]);
        let (name, found) = (name("a"), secrets.0.values().next().unwrap());
        let found = Secret { name: &name, values: found }.get("tls.key");
        assert_eq!(format!("{secrets:?}"), r#"{"infra/a": ["tls.key"]}"#);
        assert_eq!(format!("{:?}", found.unwrap()), "key `tls.key` of Secret `infra/a` (11 bytes)");
    }
}
