//! What rules look at: the fields of `from` and `to`, and the keys of `when`.

use crate::config::{
    Spanned,
    resources::{AuthorizationOperation, AuthorizationSource},
};

/// What a field or a condition looks at (istiod's `authz/model`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compile) enum Attribute<'k> {
    SourceIp,
    RemoteIp,
    DestinationIp,
    Port,
    ServerName,
    Principal,
    Namespace,
    ServiceAccount,
    TrustDomain,
    RequestPrincipal,
    Audiences,
    Presenter,
    /// The names in brackets: `[a][b]`.
    Claim(&'k str),
    Host,
    Path,
    Method,
    /// The name in brackets.
    Header(&'k str),
    /// As above; the value is a list with commas.
    InlineHeader(&'k str),
}

/// Why a key of `when` names nothing that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compile) enum BadKey {
    /// There is no such attribute.
    Unknown,
    /// It needs a name in brackets.
    NoName,
    /// It is about Envoy's own filters.
    EnvoyFilter,
    /// The gateway takes this field off before anybody can look at it, or keeps it for itself.
    HopByHop,
}

/// Fields that concern one connection (RFC 9110 section 7.6.1): the codec takes them off.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"];

impl<'k> Attribute<'k> {
    /// Reads a key of `when`.
    pub(in crate::compile) fn of_key(key: &'k str) -> Result<Attribute<'k>, BadKey> {
        let (name, brackets) = match key.find('[') {
            Some(at) => key.split_at(at),
            None => (key, ""),
        };
        let in_brackets = || {
            let inner = brackets.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            inner.filter(|inner| !inner.is_empty()).ok_or(BadKey::NoName)
        };
        let header = || match in_brackets()? {
            name if HOP_BY_HOP.iter().any(|known| known.eq_ignore_ascii_case(name)) => Err(BadKey::HopByHop),
            name => Ok(name),
        };
        match name {
            "request.headers" => return header().map(Attribute::Header),
            "request.experimental.inline.headers" => return header().map(Attribute::InlineHeader),
            "request.auth.claims" => return in_brackets().map(|_| Attribute::Claim(brackets)),
            name if name.starts_with("experimental.envoy.filters.") => return Err(BadKey::EnvoyFilter),
            _ => {}
        }
        match key {
            "source.ip" => Ok(Attribute::SourceIp),
            "remote.ip" => Ok(Attribute::RemoteIp),
            "source.namespace" => Ok(Attribute::Namespace),
            "source.serviceAccount" => Ok(Attribute::ServiceAccount),
            "source.principal" => Ok(Attribute::Principal),
            "request.auth.principal" => Ok(Attribute::RequestPrincipal),
            "request.auth.audiences" => Ok(Attribute::Audiences),
            "request.auth.presenter" => Ok(Attribute::Presenter),
            "destination.ip" => Ok(Attribute::DestinationIp),
            "destination.port" => Ok(Attribute::Port),
            "connection.sni" => Ok(Attribute::ServerName),
            _ => Err(BadKey::Unknown),
        }
    }

    /// Whether its values are addresses.
    pub(in crate::compile) fn is_address(self) -> bool {
        matches!(self, Attribute::SourceIp | Attribute::RemoteIp | Attribute::DestinationIp)
    }

    /// Whether only a client's certificate tells it.
    pub(in crate::compile) fn is_of_certificate(self) -> bool {
        use Attribute::{Namespace, Principal, ServiceAccount, TrustDomain};
        matches!(self, Principal | Namespace | ServiceAccount | TrustDomain)
    }

    /// Whether only a token tells it.
    pub(in crate::compile) fn is_of_token(self) -> bool {
        use Attribute::{Audiences, Claim, Presenter, RequestPrincipal};
        matches!(self, RequestPrincipal | Audiences | Presenter | Claim(_))
    }

    /// Whether only a request has it.
    pub(in crate::compile) fn is_about_http(self) -> bool {
        use Attribute::{Header, Host, InlineHeader, Method, Path};
        self.is_of_token() || matches!(self, Host | Path | Method | Header(_) | InlineHeader(_))
    }

    /// Whether a `*` can be at one end only: elsewhere it is a character like any other.
    pub(in crate::compile) fn has_wildcards_at_ends(self) -> bool {
        !self.is_address()
            && !matches!(self, Attribute::Port | Attribute::Namespace | Attribute::ServiceAccount)
    }
}

/// The names in brackets: `[a][b]` is `a`, `b`. Where brackets are not in pairs, all of it is one name, as in istiod.
pub(in crate::compile) fn claim_path(brackets: &str) -> Vec<&str> {
    let inner = brackets.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(brackets);
    let names: Vec<&str> = inner.split("][").collect();
    if names.iter().any(|name| name.contains(['[', ']'])) { vec![inner] } else { names }
}

/// A field with its negated twin.
pub(in crate::compile) struct Twin<'r> {
    pub(in crate::compile) name: &'static str,
    pub(in crate::compile) not_name: &'static str,
    pub(in crate::compile) attribute: Attribute<'static>,
    pub(in crate::compile) values: &'r [Spanned<String>],
    pub(in crate::compile) not_values: &'r [Spanned<String>],
}

impl Twin<'_> {
    /// Whether neither is set.
    pub(in crate::compile) fn is_absent(&self) -> bool {
        self.values.is_empty() && self.not_values.is_empty()
    }
}

macro_rules! twin {
    ($object:ident, $attribute:ident, $field:ident $name:literal, $not_field:ident $not_name:literal) => {
        Twin {
            name: $name,
            not_name: $not_name,
            attribute: Attribute::$attribute,
            values: &$object.$field,
            not_values: &$object.$not_field,
        }
    };
}

/// The fields of a source.
pub(in crate::compile) fn of_source(source: &AuthorizationSource) -> [Twin<'_>; 7] {
    [
        twin!(source, SourceIp, ip_blocks "ipBlocks", not_ip_blocks "notIpBlocks"),
        twin!(source, RemoteIp, remote_ip_blocks "remoteIpBlocks", not_remote_ip_blocks "notRemoteIpBlocks"),
        twin!(source, Principal, principals "principals", not_principals "notPrincipals"),
        twin!(source, Namespace, namespaces "namespaces", not_namespaces "notNamespaces"),
        twin!(source, ServiceAccount, service_accounts "serviceAccounts", not_service_accounts "notServiceAccounts"),
        twin!(source, TrustDomain, trust_domains "trustDomains", not_trust_domains "notTrustDomains"),
        twin!(
            source,
            RequestPrincipal,
            request_principals "requestPrincipals",
            not_request_principals "notRequestPrincipals"
        ),
    ]
}

/// The fields of an operation, the cheapest first.
pub(in crate::compile) fn of_operation(operation: &AuthorizationOperation) -> [Twin<'_>; 4] {
    [
        twin!(operation, Port, ports "ports", not_ports "notPorts"),
        twin!(operation, Method, methods "methods", not_methods "notMethods"),
        twin!(operation, Host, hosts "hosts", not_hosts "notHosts"),
        twin!(operation, Path, paths "paths", not_paths "notPaths"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (key, expected) in [
            ("request.headers[X-Token]", Ok(Attribute::Header("X-Token"))),
            ("request.headers[:path]", Ok(Attribute::Header(":path"))),
            ("request.headers", Err(BadKey::NoName)),
            ("request.headers[]", Err(BadKey::NoName)),
            ("request.headers[a", Err(BadKey::NoName)),
            ("request.headers[Connection]", Err(BadKey::HopByHop)),
            ("request.experimental.inline.headers[a]", Ok(Attribute::InlineHeader("a"))),
            ("request.auth.claims[a][b]", Ok(Attribute::Claim("[a][b]"))),
            ("request.auth.claims", Err(BadKey::NoName)),
            ("remote.ip", Ok(Attribute::RemoteIp)),
            ("remote.ip[a]", Err(BadKey::Unknown)),
            ("source.serviceAccount", Ok(Attribute::ServiceAccount)),
            ("experimental.envoy.filters.network.mysql_proxy[db.table]", Err(BadKey::EnvoyFilter)),
            ("destination.labels[a]", Err(BadKey::Unknown)),
            ("", Err(BadKey::Unknown)),
        ] {
            assert_eq!(Attribute::of_key(key), expected, "{key}");
        }
    }

    #[test]
    fn claims() {
        assert_eq!(claim_path("[a]"), ["a"]);
        assert_eq!(claim_path("[a][b][c]"), ["a", "b", "c"]);
        assert_eq!(claim_path("[https://a/b]"), ["https://a/b"]);
        assert_eq!(claim_path("[a[b]]"), ["a[b]"]);
    }
}
