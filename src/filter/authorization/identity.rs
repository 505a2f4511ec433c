//! Who the client is by its certificate: principals, namespaces, service accounts and trust domains (SPIFFE).

use super::Texts;
use memchr::memmem;

/// The certificate that a client has shown, and that was accepted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    /// The URIs among its names.
    pub uris: &'a [Box<str>],
    /// It names somebody at all: by a URI, a DNS name or its subject.
    pub is_named: bool,
}

impl<'a> Identity<'a> {
    /// The identities of SPIFFE without their scheme: `cluster.local/ns/default/sa/web`. Only these say who somebody is in a
    /// mesh: what a subject or a DNS name looks like is up to whoever issues certificates for other purposes.
    fn spiffe(self) -> impl Iterator<Item = &'a str> {
        self.uris.iter().filter_map(|uri| uri.strip_prefix("spiffe://"))
    }

    /// Whether one is among these principals. `*` is everybody whose certificate names somebody, as in Envoy.
    pub(super) fn is_principal(self, texts: &Texts) -> bool {
        texts.has_any() && self.is_named || self.spiffe().any(|id| texts.has(id.as_bytes()))
    }

    /// Whether one is in one of these trust domains.
    pub(super) fn is_in_trust_domain(self, texts: &Texts) -> bool {
        self.spiffe().any(|id| texts.has(id.split('/').next().unwrap_or_default().as_bytes()))
    }

    /// Whether one is in one of these namespaces.
    pub(super) fn is_in_namespace(self, namespaces: &[Namespace]) -> bool {
        self.spiffe().any(|id| namespaces.iter().any(|namespace| namespace.has(id)))
    }

    /// Whether one is one of these service accounts.
    pub(super) fn is_account(self, accounts: &[ServiceAccount]) -> bool {
        self.spiffe().any(|id| accounts.iter().any(|account| account.has(id)))
    }
}

/// A namespace as a policy names it. Here `*` may stand anywhere, for whatever comes (istiod's `.*/ns/<name>/.*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// What must be there, one behind the other: `/ns/web-`, `/`.
    parts: Box<[Box<str>]>,
}

impl Namespace {
    /// Of what a policy says: `default`, `web-*`.
    pub fn new(pattern: &str) -> Namespace {
        Namespace { parts: format!("/ns/{pattern}/").split('*').map(Box::from).collect() }
    }

    fn has(&self, id: &str) -> bool {
        let mut rest = id;
        self.parts.iter().all(|part| match rest.split_once(&**part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }
}

/// A service account as a policy names it: `<namespace>/<name>`, without wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// `/ns/default/`
    namespace: Box<str>,
    /// `sa/web`
    name: Box<str>,
}

impl ServiceAccount {
    /// Of what a policy says, `web` or `default/web`. `own` is the namespace of the policy.
    pub fn new(text: &str, own: &str) -> ServiceAccount {
        let (namespace, name) = text.split_once('/').unwrap_or((own, text));
        ServiceAccount { namespace: format!("/ns/{namespace}/").into(), name: format!("sa/{name}").into() }
    }

    /// istiod's `spiffe://.+/ns/<namespace>/(.+/|)sa/<name>(/.+)?`: between the namespace and the account, and behind it, there
    /// may be more pairs.
    fn has(&self, id: &str) -> bool {
        let in_namespace = memmem::find_iter(id.as_bytes(), self.namespace.as_bytes())
            .filter(|at| *at > 0)
            .filter_map(|at| id.get(at + self.namespace.len()..));
        let is_name = |rest: &str| {
            memmem::find_iter(rest.as_bytes(), self.name.as_bytes()).any(|at| {
                let begins = at == 0 || at > 1 && rest.get(..at).is_some_and(|before| before.ends_with('/'));
                let behind = rest.get(at + self.name.len()..).unwrap_or_default();
                begins && (behind.is_empty() || behind.len() > 1 && behind.starts_with('/'))
            })
        };
        in_namespace.into_iter().any(is_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "spiffe://cluster.local/ns/default/sa/web";

    fn who(uris: &[&str]) -> Vec<Box<str>> {
        uris.iter().map(|uri| Box::from(*uri)).collect()
    }

    fn identity(uris: &[Box<str>]) -> Identity<'_> {
        Identity { uris, is_named: true }
    }

    #[test]
    fn principals() {
        let uris = who(&[WEB]);
        let is = |pattern: &str| identity(&uris).is_principal(&Texts::new([pattern]));
        for good in ["cluster.local/ns/default/sa/web", "*", "*/sa/web", "cluster.local/ns/default/*"] {
            assert!(is(good), "{good}");
        }
        for bad in ["default/sa/web", WEB, "cluster.local/ns/default/sa/we", "*/sa/we", "td/*"] {
            assert!(!is(bad), "{bad}");
        }
        // A certificate of another kind names somebody, but nobody of a mesh.
        let other = who(&["https://cluster.local/ns/default/sa/web"]);
        assert!(identity(&other).is_principal(&Texts::new(["*"])));
        assert!(!identity(&other).is_principal(&Texts::new(["*/sa/web", "cluster.local*"])));
        let nobody = Identity { uris: &[], is_named: false };
        assert!(!nobody.is_principal(&Texts::new(["*"])));
    }

    #[test]
    fn namespaces() {
        let uris = who(&[WEB]);
        let is = |pattern: &str| identity(&uris).is_in_namespace(&[Namespace::new(pattern)]);
        ["default", "*", "def*", "*ault", "d*t", "d*f*t"].into_iter().for_each(|p| assert!(is(p), "{p}"));
        ["defaul", "efault", "web", "sa", "d*x", "t*d"].into_iter().for_each(|p| assert!(!is(p), "{p}"));
        let forged = who(&["https://a/ns/default/sa/web"]);
        assert!(!identity(&forged).is_in_namespace(&[Namespace::new("default")]));
    }

    #[test]
    fn service_accounts() {
        let is = |uri: &str, text: &str| {
            identity(&who(&[uri])).is_account(&[ServiceAccount::new(text, "default")])
        };
        assert!(is(WEB, "web") && is(WEB, "default/web"));
        assert!(!is(WEB, "other/web") && !is(WEB, "we") && !is(WEB, "default/eb"));
        assert!(is("spiffe://td/ns/default/x/y/sa/web", "web"));
        assert!(is("spiffe://td/ns/default/sa/web/x/y", "web"));
        assert!(!is("spiffe://td/ns/default/sa/web-2", "web"));
        assert!(!is("spiffe://td/ns/default/sa/web/", "web"));
        assert!(!is("spiffe://td/ns/default/xsa/web", "web"));
        assert!(!is("spiffe:///ns/default/sa/web", "web"));
    }

    #[test]
    fn trust_domains() {
        let uris = who(&[WEB]);
        let is = |pattern: &str| identity(&uris).is_in_trust_domain(&Texts::new([pattern]));
        assert!(is("cluster.local") && is("cluster*") && is("*.local") && is("*"));
        assert!(!is("cluster") && !is("td"));
    }
}
