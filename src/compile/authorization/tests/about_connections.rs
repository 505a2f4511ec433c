//! Fields and conditions about connections, and connections that are not HTTP.

use super::*;

fn from(source: &str) -> String {
    format!("{{from: [{{source: {{{source}}}}}]}}")
}

#[test]
fn case_130_and_131_addresses_of_clients() {
    let gate = Gate::new(&deny(&from("remoteIpBlocks: [172.17.72.46, 192.168.4.0/23]")));
    for (client, expected) in [
        ("172.17.72.46", false),
        ("192.168.5.233", false),
        ("10.4.5.6", true),
        ("::ffff:172.17.72.46", false),
    ] {
        gate.lets(&get("x", "/").from("10.0.0.9", client), expected);
    }
    let gate = Gate::new(&deny(&from("notRemoteIpBlocks: [172.23.240.0/22]")));
    gate.lets(&get("x", "/").from("10.0.0.9", "10.2.3.4"), false);
    gate.lets(&get("x", "/").from("10.0.0.9", "172.23.242.188"), true);
    let gate = Gate::new(&deny("{when: [{key: remote.ip, values: [10.242.5.7, 10.124.99.0/24]}]}"));
    gate.lets(&get("x", "/").from("10.0.0.9", "10.242.5.7"), false);
    gate.lets(&get("x", "/").from("10.0.0.9", "10.124.99.10"), false);
    gate.lets(&get("x", "/").from("10.0.0.9", "10.4.5.6"), true);
}

#[test]
fn addresses_of_connections() {
    let gate = Gate::new(&allow(&from("ipBlocks: [10.1.0.0/16], notIpBlocks: [10.1.1.1]")));
    gate.lets(&get("x", "/").from("10.1.0.1", "1.2.3.4"), true);
    gate.lets(&get("x", "/").from("10.1.1.1", "10.1.0.1"), false);
    gate.lets(&get("x", "/").from("10.2.0.1", "10.1.0.1"), false);
    for (key, expected) in [
        ("{key: source.ip, values: [10.9.0.0/16]}", true),
        ("{key: source.ip, notValues: [10.9.0.0/16]}", false),
        ("{key: destination.ip, values: [10.0.0.1]}", true),
        ("{key: destination.ip, values: [10.0.0.2]}", false),
        ("{key: destination.port, values: ['80', '81']}", true),
        ("{key: destination.port, values: ['81']}", false),
        ("{key: destination.port, notValues: ['80']}", false),
    ] {
        let gate = Gate::new(&allow(&format!("{{when: [{key}]}}")));
        gate.lets(&get("x", "/"), expected);
        assert_eq!(gate.connects(&get("x", "/")) == "allowed", expected, "{key}");
    }
}

#[test]
fn server_names() {
    let named = |name: &'static str| Asking { server_name: name, ..get("x", "/") };
    let gate = Gate::new(&deny("{when: [{key: connection.sni, values: [Deny.x.com, '*.bad.com']}]}"));
    for (name, expected) in [("deny.x.com", false), ("a.bad.com", false), ("bad.com", true), ("", true)] {
        gate.lets(&named(name), expected);
        assert_eq!(gate.connects(&named(name)) == "allowed", expected, "{name}");
    }
    let gate = Gate::new(&allow("{when: [{key: connection.sni, values: ['*']}]}"));
    gate.lets(&named(""), false);
    gate.lets(&named("a"), true);
}

#[test]
fn certificates() {
    let web = || get("x", "/").certificate("spiffe://cluster.local/ns/default/sa/web");
    for (source, expected) in [
        ("principals: [cluster.local/ns/default/sa/web]", true),
        ("principals: ['*']", true),
        ("principals: [cluster.local/ns/default/sa/we]", false),
        ("notPrincipals: [cluster.local/ns/default/sa/web]", false),
        ("notPrincipals: ['*/other']", true),
        ("namespaces: [default]", true),
        ("namespaces: [defaul]", false),
        ("notNamespaces: [default]", false),
        ("serviceAccounts: [default/web]", true),
        ("serviceAccounts: [web]", false),
        ("notServiceAccounts: [default/web]", false),
        ("trustDomains: [cluster.local]", true),
        ("trustDomains: [td]", false),
        ("notTrustDomains: [cluster.local]", false),
    ] {
        let gate = Gate::new(&allow(&from(source)));
        gate.lets(&web(), expected);
        assert_eq!(gate.connects(&web()) == "allowed", expected, "{source}");
    }
    // Who has shown no certificate is nobody: not let in by who one is, and kept out by who one is not.
    for source in ["principals: ['*']", "namespaces: ['*']", "serviceAccounts: [a/b]", "trustDomains: ['*']"]
    {
        Gate::new(&allow(&from(source))).lets(&get("x", "/"), false);
    }
    Gate::new(&deny(&from("notPrincipals: ['*']"))).lets(&get("x", "/"), false);
    Gate::new(&deny(&from("notNamespaces: [default]"))).lets(&get("x", "/"), false);
    for (key, value) in [
        ("source.principal", "cluster.local/ns/default/sa/web"),
        ("source.namespace", "default"),
        ("source.serviceAccount", "default/web"),
    ] {
        Gate::new(&allow(&format!("{{when: [{{key: {key}, values: [{value}]}}]}}"))).lets(&web(), true);
    }
}

#[test]
fn a_mesh_has_names_of_its_own() {
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: m}\nspec: {meshConfig: {trustDomain: td1, trustDomainAliases: [td2]}}\n---\n";
    let gate = Gate::new(&(operator.to_owned() + &allow(&from("principals: [cluster.local/ns/a/sa/b]"))));
    for (uri, expected) in [
        ("spiffe://td1/ns/a/sa/b", true),
        ("spiffe://td2/ns/a/sa/b", true),
        ("spiffe://cluster.local/ns/a/sa/b", false),
        ("spiffe://td3/ns/a/sa/b", false),
    ] {
        gate.lets(&get("x", "/").certificate(uri), expected);
    }
}

/// istiod's rules of requests on connections without them: what denies denies more, what allows allows nothing.
#[test]
fn what_is_not_http_has_no_path() {
    let connection = get("x", "/");
    for (yaml, expected) in [
        (deny("{to: [{operation: {paths: [/a]}}]}"), false),
        (deny("{to: [{operation: {notPaths: [/a]}}]}"), false),
        (deny("{to: [{operation: {paths: [/a], ports: ['80']}}]}"), false),
        (deny("{to: [{operation: {paths: [/a], ports: ['81']}}]}"), true),
        (deny("{to: [{operation: {ports: ['81']}}, {operation: {methods: [GET]}}]}"), false),
        (deny("{from: [{source: {requestPrincipals: ['*'], ipBlocks: [10.1.1.1]}}]}"), true),
        (
            deny(
                "{from: [{source: {ipBlocks: [10.9.9.9]}}], when: [{key: 'request.headers[x]', values: [a]}]}",
            ),
            false,
        ),
        (allow("{to: [{operation: {paths: ['*']}}]}"), false),
        (allow("{to: [{operation: {notPaths: [/a]}}]}"), false),
        (allow("{to: [{operation: {ports: ['80']}}]}"), true),
        (allow("{to: [{operation: {ports: ['80']}}, {operation: {methods: [GET]}}]}"), false),
        (allow("{to: [{operation: {ports: ['80']}}]}, {to: [{operation: {methods: [GET]}}]}"), true),
        (allow("{when: [{key: 'request.auth.claims[a]', notValues: [b]}]}"), false),
    ] {
        assert_eq!(Gate::new(&yaml).connects(&connection) == "allowed", expected, "{yaml}");
    }
}
