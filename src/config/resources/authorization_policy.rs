//! `AuthorizationPolicy`: who may do what at the selected workloads.

use super::{PolicySelector, PolicyTargetReference};
use crate::config::{
    Spanned,
    decode::{choice, object},
};

object! {
    /// `AuthorizationPolicy` (security.istio.io): which requests and connections are let in.
    pub struct AuthorizationPolicy {
        /// The workloads; none: all of the namespace.
        selector: Option<Spanned<PolicySelector>> = "selector",
        /// The object it is attached to; the old form of `targetRefs`.
        target_ref: Option<Spanned<PolicyTargetReference>> = "targetRef",
        /// The objects it is attached to.
        target_refs: Vec<Spanned<PolicyTargetReference>> = "targetRefs",
        /// What it is about; any of them is enough. None: nothing, so that `ALLOW` lets nothing in.
        rules: Option<Spanned<Vec<Spanned<AuthorizationRule>>>> = "rules",
        /// What is done with what a rule matches. Absent: `ALLOW`.
        action: Option<Spanned<AuthorizationAction>> = "action",
        /// Who is asked; with `CUSTOM` only.
        provider: Option<Spanned<AuthorizationProvider>> = "provider",
    }
}

choice! {
    /// `AuthorizationPolicy.Action`.
    pub enum AuthorizationAction {
        /// Only what a rule of such a policy matches is let in.
        Allow = "ALLOW" (0),
        /// What a rule matches is not let in.
        Deny = "DENY" (1),
        /// What a rule matches is noted.
        Audit = "AUDIT" (2),
        /// Somebody else is asked about what a rule matches.
        Custom = "CUSTOM" (3),
    }
}

object! {
    /// Who is asked (`AuthorizationPolicy.ExtensionProvider`).
    pub struct AuthorizationProvider {
        /// A name in `meshConfig.extensionProviders`.
        name: Option<Spanned<String>> = "name",
    }
}

object! {
    /// What a policy is about: a source, an operation and all conditions must match; without any, everything does (`Rule`).
    pub struct AuthorizationRule {
        /// The sources; absent: any.
        from: Option<Spanned<Vec<Spanned<AuthorizationFrom>>>> = "from",
        /// The operations; absent: any.
        to: Option<Spanned<Vec<Spanned<AuthorizationTo>>>> = "to",
        /// Further conditions.
        when: Vec<Spanned<AuthorizationCondition>> = "when",
    }
}

object! {
    /// One source (`Rule.From`).
    pub struct AuthorizationFrom {
        /// What it must be.
        source: Option<Spanned<AuthorizationSource>> = "source",
    }
}

object! {
    /// Who asks; every field that is there must match (`Source`).
    pub struct AuthorizationSource {
        /// Identities in the client's certificate: `<trust domain>/ns/<namespace>/sa/<service account>`.
        principals: Vec<Spanned<String>> = "principals",
        /// Which it must not be.
        not_principals: Vec<Spanned<String>> = "notPrincipals",
        /// Identities in tokens: `<iss>/<sub>`.
        request_principals: Vec<Spanned<String>> = "requestPrincipals",
        /// Which it must not be.
        not_request_principals: Vec<Spanned<String>> = "notRequestPrincipals",
        /// Namespaces of the identity in the client's certificate.
        namespaces: Vec<Spanned<String>> = "namespaces",
        /// Which it must not be.
        not_namespaces: Vec<Spanned<String>> = "notNamespaces",
        /// Service accounts of the identity in the client's certificate: `<namespace>/<name>`.
        service_accounts: Vec<Spanned<String>> = "serviceAccounts",
        /// Which it must not be.
        not_service_accounts: Vec<Spanned<String>> = "notServiceAccounts",
        /// Addresses at the other end of the connection.
        ip_blocks: Vec<Spanned<String>> = "ipBlocks",
        /// Which it must not be.
        not_ip_blocks: Vec<Spanned<String>> = "notIpBlocks",
        /// Addresses of clients, as trusted proxies tell them.
        remote_ip_blocks: Vec<Spanned<String>> = "remoteIpBlocks",
        /// Which it must not be.
        not_remote_ip_blocks: Vec<Spanned<String>> = "notRemoteIpBlocks",
        /// Trust domains of the identity in the client's certificate.
        trust_domains: Vec<Spanned<String>> = "trustDomains",
        /// Which it must not be.
        not_trust_domains: Vec<Spanned<String>> = "notTrustDomains",
    }
}

object! {
    /// One operation (`Rule.To`).
    pub struct AuthorizationTo {
        /// What it must be.
        operation: Option<Spanned<AuthorizationOperation>> = "operation",
    }
}

object! {
    /// What is asked for; every field that is there must match (`Operation`).
    pub struct AuthorizationOperation {
        /// Hosts, with the port where the client says one.
        hosts: Vec<Spanned<String>> = "hosts",
        /// Which it must not be.
        not_hosts: Vec<Spanned<String>> = "notHosts",
        /// Ports that the gateway listens on.
        ports: Vec<Spanned<String>> = "ports",
        /// Which it must not be.
        not_ports: Vec<Spanned<String>> = "notPorts",
        /// Methods.
        methods: Vec<Spanned<String>> = "methods",
        /// Which it must not be.
        not_methods: Vec<Spanned<String>> = "notMethods",
        /// Paths, without the query.
        paths: Vec<Spanned<String>> = "paths",
        /// Which it must not be.
        not_paths: Vec<Spanned<String>> = "notPaths",
    }
}

object! {
    /// A further condition of a rule (`Condition`).
    pub struct AuthorizationCondition {
        /// What is looked at: `request.headers[x-token]`, `remote.ip`.
        key: Option<Spanned<String>> = "key",
        /// Of which it must be one.
        values: Vec<Spanned<String>> = "values",
        /// Of which it must be none.
        not_values: Vec<Spanned<String>> = "notValues",
    }
}
