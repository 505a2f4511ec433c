//! Fields and conditions of a rule, and the sets of what they name.

use super::attribute::{Attribute, Twin, claim_path, of_operation, of_source};
use crate::{
    config::{
        Spanned,
        resources::{AuthorizationCondition, AuthorizationOperation, AuthorizationSource},
    },
    filter::{
        Networks,
        authorization::{
            Condition, Namespace, PathTemplate, RequestPrincipals, ServiceAccount, Test, Texts, is_template,
        },
        parse_network,
    },
};

/// What names in a policy are relative to.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// The namespace of the policy.
    pub(super) namespace: &'s str,
    /// The trust domain of the mesh, and its other names.
    pub(super) trust_domains: &'s [&'s str],
}

impl Scope<'_> {
    pub(super) fn source(self, source: &AuthorizationSource) -> Box<[Condition]> {
        of_source(source).iter().flat_map(|twin| self.twin(twin)).collect()
    }

    pub(super) fn operation(self, operation: &AuthorizationOperation) -> Box<[Condition]> {
        of_operation(operation).iter().flat_map(|twin| self.twin(twin)).collect()
    }

    pub(super) fn when(self, list: &[Spanned<AuthorizationCondition>]) -> Box<[Condition]> {
        let conditions = list.iter().flat_map(|condition| {
            let key = condition.key.as_ref().map_or("", |key| key);
            let attribute = Attribute::of_key(key).ok()?;
            Some(self.both(attribute, [(key, &condition.values), (key, &condition.not_values)]))
        });
        conditions.flatten().collect()
    }

    fn twin(self, twin: &Twin<'_>) -> Vec<Condition> {
        self.both(twin.attribute, [(twin.name, twin.values), (twin.not_name, twin.not_values)])
    }

    fn both(self, attribute: Attribute<'_>, twins: [(&str, &[Spanned<String>]); 2]) -> Vec<Condition> {
        let conditions = twins.into_iter().zip([false, true]).map(|((name, values), is_negated)| {
            let make = || Condition { field: name.into(), is_negated, test: self.test(attribute, values) };
            (!values.is_empty()).then(make)
        });
        conditions.flatten().collect()
    }

    /// What cannot be read is left out: the policy has an error, and is not enforced by what it says.
    fn test(self, attribute: Attribute<'_>, values: &[Spanned<String>]) -> Test {
        let texts = || Texts::new(values.iter().map(|value| value.value.as_str()));
        let lower = || Texts::new(values.iter().map(|value| value.to_ascii_lowercase()));
        let networks = || Networks::new(values.iter().filter_map(|value| parse_network(value)));
        let name = |name: &str| name.to_ascii_lowercase().into_bytes().into();
        match attribute {
            Attribute::SourceIp => Test::SourceIp(networks()),
            Attribute::RemoteIp => Test::RemoteIp(networks()),
            Attribute::DestinationIp => Test::DestinationIp(networks()),
            Attribute::Port => {
                let mut ports: Vec<u16> = values.iter().filter_map(|value| value.parse().ok()).collect();
                ports.sort_unstable();
                Test::Port(ports.into())
            }
            Attribute::ServerName => Test::ServerName(lower()),
            Attribute::Principal => {
                Test::Principal(Texts::new(values.iter().flat_map(|value| self.principals(value))))
            }
            Attribute::Namespace => {
                Test::Namespace(values.iter().map(|value| Namespace::new(value)).collect())
            }
            Attribute::ServiceAccount => Test::ServiceAccount(
                values.iter().map(|value| ServiceAccount::new(value, self.namespace)).collect(),
            ),
            Attribute::TrustDomain => {
                Test::TrustDomain(Texts::new(values.iter().flat_map(|value| self.aliases(value))))
            }
            Attribute::RequestPrincipal => Test::RequestPrincipal(RequestPrincipals::new(
                values.iter().map(|value| value.value.as_str()),
            )),
            Attribute::Audiences => Test::Claim([Box::from("aud")].into(), texts()),
            Attribute::Presenter => Test::Claim([Box::from("azp")].into(), texts()),
            Attribute::Claim(brackets) => {
                Test::Claim(claim_path(brackets).into_iter().map(Box::from).collect(), texts())
            }
            Attribute::Host => Test::Host(lower()),
            Attribute::Path => {
                let (templates, plain): (Vec<_>, Vec<_>) = values.iter().partition(|path| is_template(path));
                let templates = templates.into_iter().filter_map(|path| PathTemplate::parse(path).ok());
                Test::Path(Texts::new(plain.into_iter().map(|path| path.as_str())), templates.collect())
            }
            Attribute::Method => Test::Method(texts()),
            Attribute::Header(header)
                if [":authority", "host"].iter().any(|name| name.eq_ignore_ascii_case(header)) =>
            {
                let host = |value: &Spanned<String>| {
                    let lower = value.to_ascii_lowercase();
                    lower.strip_suffix('.').map(str::to_owned).unwrap_or(lower)
                };
                Test::Authority(texts(), Texts::new(values.iter().map(host)))
            }
            Attribute::Header(header) => Test::Header(name(header), texts()),
            Attribute::InlineHeader(header) => Test::InlineHeader(name(header), texts()),
        }
    }

    /// A principal with each name that its trust domain has: the mesh's own names are the same, and `cluster.local` means
    /// the mesh's, whatever it is called (istiod's `ReplaceTrustDomainAliases`).
    fn principals(self, principal: &str) -> Vec<String> {
        let as_it_is = || vec![principal.to_owned()];
        let Some((domain, rest)) = principal.split_once('/') else { return as_it_is() };
        let is_spiffe = rest.split('/').count() == 4;
        let is_own = self.trust_domains.contains(&domain) || domain == DEFAULT_TRUST_DOMAIN;
        match is_spiffe && is_own {
            true => self.trust_domains.iter().map(|own| format!("{own}/{rest}")).collect(),
            false => as_it_is(),
        }
    }

    fn aliases(self, domain: &str) -> Vec<String> {
        match self.trust_domains.contains(&domain) {
            true => self.trust_domains.iter().map(|own| (*own).to_owned()).collect(),
            false => vec![domain.to_owned()],
        }
    }
}

/// The mesh's own trust domain, whatever it is called.
const DEFAULT_TRUST_DOMAIN: &str = "cluster.local";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_domains_have_aliases() {
        let scope = Scope { namespace: "a", trust_domains: &["td1", "td2"] };
        assert_eq!(scope.principals("td1/ns/a/sa/b"), ["td1/ns/a/sa/b", "td2/ns/a/sa/b"]);
        assert_eq!(scope.principals("cluster.local/ns/a/sa/b"), ["td1/ns/a/sa/b", "td2/ns/a/sa/b"]);
        assert_eq!(scope.principals("td3/ns/a/sa/b"), ["td3/ns/a/sa/b"]);
        assert_eq!(scope.principals("*/ns/a/sa/b"), ["*/ns/a/sa/b"]);
        assert_eq!(scope.principals("td1/*"), ["td1/*"]);
        assert_eq!(scope.aliases("td2"), ["td1", "td2"]);
        assert_eq!(scope.aliases("td3"), ["td3"]);
    }
}
