//! What istiod drops in silence, or does unexpectedly, is said (specification section 8.7).

use super::*;

fn warned(objects: &[String], code: &str) -> Diagnostic {
    compiled(&objects.concat()).diagnostic(code).clone()
}

use crate::config::{Diagnostic, Severity};

#[test]
fn gateways_that_do_not_exist() {
    let diagnostic = warned(
        &[
            http_gateway("name: public, namespace: infra", "'*'"),
            rules("name: v", "a.com", "public", "{directResponse: {status: 200}}"),
        ],
        "unknown-gateway",
    );
    assert_eq!(diagnostic.field, "spec.gateways[0]");
    assert_eq!(diagnostic.help.as_deref(), Some("did you mean `infra/public`?"));
    assert_eq!(diagnostic.labels[0].span.line, 3);
}

#[test]
fn gateways_for_other_workloads() {
    let gateway = object(
        "Gateway",
        "name: g",
        "{selector: {istio: other}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
    );
    let yaml = format!("{gateway}{}", rules("name: v", "a.com", "g", "{directResponse: {status: 200}}"));
    let outcome = compiled_with(&ingress(), &yaml);
    assert_eq!(outcome.diagnostic("gateway-not-bound").labels[0].span.line, 3);
    assert_eq!(outcome.diagnostic("gateway-not-selected").severity, Severity::Note);
}

#[test]
fn hosts_that_no_gateway_has() {
    let diagnostic = warned(
        &[
            http_gateway("name: g", "'*.example.com', other.com"),
            rules("name: v", "a.example.com, example.org", "g", "{directResponse: {status: 200}}"),
        ],
        "host-not-covered",
    );
    assert_eq!(diagnostic.field, "spec.hosts[1]");
    assert_eq!(diagnostic.help.as_deref(), Some("they have: *.example.com, other.com"));
}

#[test]
fn hosts_for_another_namespace() {
    let diagnostic = warned(
        &[
            http_gateway("name: g", "shop/*.example.com"),
            rules("name: v", "a.example.com", "g", "{directResponse: {status: 200}}"),
        ],
        "host-of-other-namespace",
    );
    assert!(
        diagnostic.message.contains("in namespace `shop`, and this one is in `default`"),
        "{}",
        diagnostic.message
    );
    assert_eq!(diagnostic.labels.len(), 1);
}

#[test]
fn gateways_that_share_a_host() {
    let note =
        warned(&[http_gateway("name: a", "x.com"), http_gateway("name: b", "x.com, y.com")], "shared-host");
    assert_eq!(note.severity, Severity::Note);
    assert_eq!(note.field, "spec.servers[0].hosts[0]");
    let apart = [http_gateway("name: a", "n1/x.com"), http_gateway("name: b", "n2/x.com")].concat();
    assert!(!compiled(&apart).has("shared-host"));
}

fn two_services(first: &str, second: &str) -> Outcome {
    compiled(&format!(
        "{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: a", "x.com", "g", &format!("{{match: [{first}], directResponse: {{status: 201}}}}")),
        rules("name: b", "x.com", "g", &format!("{{match: [{second}], directResponse: {{status: 202}}}}")),
    ))
}

#[test]
fn rules_that_are_shadowed() {
    for (first, second) in [
        ("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}"),
        ("{uri: {prefix: /a}}", "{uri: {exact: /a/b}}"),
        ("{uri: {prefix: /a}}", "{uri: {prefix: /ab}, method: {exact: GET}}"),
        ("{uri: {prefix: /A}, ignoreUriCase: true}", "{uri: {prefix: /a/b}}"),
        ("{uri: {exact: /A}, ignoreUriCase: true}", "{uri: {exact: /a}}"),
        ("{uri: {exact: /a}}", "{uri: {exact: /a}, headers: {x: {exact: y}}}"),
        ("{uri: {regex: '/a.*'}}", "{uri: {regex: '/a.*'}}"),
        ("{method: {exact: GET}}", "{uri: {regex: '/a.*'}, method: {exact: GET}}"),
        ("{headers: {a: {}, b: {exact: c}}}", "{headers: {b: {exact: c}, a: {}}, uri: {prefix: /x}}"),
        ("{uri: {prefix: /1/2/3}}, {uri: {prefix: /1}}", "{uri: {prefix: /1/2/4}}"),
    ] {
        assert!(two_services(first, second).has("shadowed-rule"), "{first} {second}");
    }
}

#[test]
fn rules_that_are_not() {
    for (first, second) in [
        ("{uri: {prefix: /a/b}}", "{uri: {prefix: /a}}"),
        ("{uri: {exact: /a}}", "{uri: {prefix: /a}}"),
        ("{uri: {prefix: /a}, method: {exact: GET}}", "{uri: {prefix: /a/b}}"),
        ("{uri: {prefix: /a}, method: {exact: GET}}", "{uri: {prefix: /a/b}, method: {exact: PUT}}"),
        ("{uri: {prefix: /a}}", "{uri: {prefix: /A/b}}"),
        ("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}, ignoreUriCase: true}"),
        ("{headers: {a: {exact: b}}}", "{withoutHeaders: {a: {exact: b}}}"),
        ("{queryParams: {a: {}}}", "{headers: {a: {}}}"),
        ("{uri: {regex: '/a.*'}}", "{uri: {regex: '/a.+'}}"),
    ] {
        assert!(!two_services(first, second).has("shadowed-rule"), "{first} {second}");
    }
}

#[test]
fn one_pair_of_rules_is_told_once() {
    let outcome = compiled(&format!(
        "{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: a", "x.com, y.com", "g", "{directResponse: {status: 201}}"),
        rules("name: b", "x.com, y.com", "g", "{directResponse: {status: 202}}"),
    ));
    assert!(outcome.diagnostic("shadowed-rule").message.contains("`x.com`"));
}

#[test]
fn wildcards_behind_narrower_hosts() {
    let objects = |last: &str| {
        [
            http_gateway("name: g", "'*'"),
            rules("name: a", "'*.example.com'", "g", "{directResponse: {status: 201}}"),
            rules(
                "name: b",
                "www.example.com",
                "g",
                &format!("{{match: [{{uri: {{prefix: /a}}}}], directResponse: {{status: 202}}}}{last}"),
            ),
        ]
        .concat()
    };
    let outcome = compiled(&objects(""));
    assert_eq!(outcome.get("www.example.com/b"), "404");
    let hidden = outcome.diagnostic("hidden-wildcard");
    assert_eq!(hidden.object.as_ref().unwrap().name.as_ref(), "a");
    assert!(hidden.message.contains("`www.example.com`"), "{}", hidden.message);
    // With a rule for everything else nobody could expect the wildcard.
    assert!(!compiled(&objects(", {directResponse: {status: 203}}")).has("hidden-wildcard"));
}

#[test]
fn secrets() {
    let secret = |namespace: &str, name: &str, keys: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{namespace: {namespace}, name: {name}}}\nstringData: {{{keys}}}\n---\n"
        )
    };
    let server = |tls: &str| gateway("name: g", &[("HTTPS", 443, "a.com", &format!(", tls: {{{tls}}}"))]);
    let code = |tls: &str, secrets: &[String]| {
        let yaml = format!("{}{}", server(tls), secrets.concat());
        let outcome = compiled(&yaml);
        outcome.warnings().into_iter().find(|w| w.contains("secret")).unwrap_or_default()
    };
    let simple = "mode: SIMPLE, credentialName: c";
    let good = secret("default", "c", "tls.crt: x, tls.key: y");
    assert_eq!(code(simple, std::slice::from_ref(&good)), "");
    assert_eq!(code(simple, &[secret("default", "c", "cert: x, key: y")]), "");
    assert_eq!(code(simple, &[]), "missing-secret 4");
    assert_eq!(code(simple, &[secret("app", "c", "tls.crt: x, tls.key: y")]), "missing-secret 4");
    assert_eq!(code(simple, &[secret("default", "c", "tls.crt: x, tls.key: ''")]), "incomplete-secret 4");
    assert_eq!(
        code("mode: SIMPLE, credentialName: app/c", std::slice::from_ref(&good)),
        "secret-namespace 4"
    );
    let mutual = "mode: MUTUAL, credentialName: c";
    assert_eq!(code(mutual, std::slice::from_ref(&good)), "incomplete-secret 4");
    assert_eq!(code(mutual, &[secret("default", "c", "tls.crt: x, tls.key: y, ca.crt: z")]), "");
    let with_ca = |keys| [good.clone(), secret("default", "c-cacert", keys)];
    assert_eq!(code(mutual, &with_ca("cacert: z")), "");
    assert_eq!(code(mutual, &with_ca("other: z")), "incomplete-secret 4");
    // Case 46b: the first three keys are named, in order.
    let yaml = format!("{}{}", server(simple), secret("default", "c", "d: x, c: x, b: x, a: x"));
    let help = compiled(&yaml).diagnostic("incomplete-secret").help.clone().unwrap();
    assert!(help.ends_with("with content; found a, b, c"), "{help}");
}

#[test]
fn destination_rules_for_nothing() {
    let diagnostic = warned(
        &[service("p.com"), object("DestinationRule", "name: r", "{host: reviews, subsets: [{name: v1}]}")],
        "no-service",
    );
    assert!(diagnostic.message.contains("`reviews.default.svc.cluster.local`"));
    assert!(diagnostic.help.as_ref().unwrap().contains("a name without dots"));
}

#[test]
fn subsets_that_nobody_names_and_nothing_has() {
    let with = |subsets: &str, destination: &str| {
        let rule = object("DestinationRule", "name: r", &format!("{{host: p.com, subsets: [{subsets}]}}"));
        let http = format!("{{route: [{{destination: {destination}}}]}}");
        let list =
            [http_gateway("name: g", "'*'"), rules("name: v", "'*'", "g", &http), service("p.com"), rule];
        compiled(&list.concat())
    };
    let empty = with("{name: v1}, {name: v2, labels: {a: b}}", "{host: p.com}");
    assert!(
        empty.diagnostic("empty-subset").message.contains("the subset `v2` selects no endpoint of `p.com`")
    );
    assert_eq!(
        empty.diagnostic("empty-subset").object.as_ref().unwrap().to_string(),
        "DestinationRule default/r"
    );
    // Where it is named, that is said there.
    let named = with("{name: v2, labels: {a: b}}", "{host: p.com, subset: v2}");
    assert!(named.has("no-endpoints") && !named.has("empty-subset"));
}

#[test]
fn rules_for_sidecars_do_not_hold_here() {
    let split = rules("name: split", "p", "mesh", "{route: [{destination: {host: p, subset: v2}}]}");
    let host = "p.default.svc.cluster.local";
    let bound = |to: &str| {
        let list = [
            http_gateway("name: g", "'*'"),
            rules("name: v", "'*'", "g", &everything_to(to)),
            service(host),
            service("q.com"),
            split.clone(),
        ];
        compiled(&list.concat())
    };
    let found = bound("p");
    let found = found.diagnostic("mesh-rules");
    assert!(found.message.starts_with("requests that VirtualService default/v sends to `p` are not routed"));
    assert_eq!((found.field.as_str(), found.labels.len()), ("spec.hosts[0]", 1));
    assert!(!bound("q.com").has("mesh-rules"));
}

#[test]
fn gateways_that_istiod_makes() {
    let diagnostic = warned(
        &[rules("name: v", "'*'", "x-istio-autogenerated-k8s-gateway-http", &everything_to("p.com"))],
        "unknown-gateway",
    );
    assert!(diagnostic.help.as_ref().unwrap().contains("Gateway API"), "{diagnostic:?}");
}

#[test]
fn rules_that_no_server_uses() {
    let tls = "tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: p.com}}]}]";
    let all = format!("http: [{rule}], {tls}, tcp: [{rule}]", rule = everything_to("p.com"));
    let with = |gateways: &str, servers: &[(&str, u16, &str, &str)]| {
        let bound = connections("name: v", "a.com", gateways, &all);
        let outcome = compiled(&format!("{}{bound}{}", gateway("name: g", servers), service("p.com")));
        let unused = outcome.0.diagnostics.iter().filter(|d| d.code == "unused-rules");
        unused.map(|d| d.field.clone()).collect::<Vec<_>>()
    };
    let (http, tcp) = (("HTTP", 80, "a.com", ""), ("TCP", 9000, "a.com", ""));
    let end = |protocol| (protocol, 443, "a.com", ", tls: {mode: SIMPLE, credentialName: c}");
    let pass = ("HTTPS", 443, "a.com", ", tls: {mode: PASSTHROUGH}");
    assert_eq!(with("g", &[http]), ["spec.tls", "spec.tcp"]);
    assert_eq!(with("g", &[end("HTTPS")]), ["spec.tls", "spec.tcp"]);
    assert_eq!(with("g", &[end("TLS")]), ["spec.http", "spec.tls"]);
    assert_eq!(with("g", &[pass]), ["spec.http", "spec.tcp"]);
    assert_eq!(with("g", &[http, pass, tcp]), [""; 0]);
    assert_eq!(with("g, mesh", &[http]), [""; 0]);
}

#[test]
fn plain_text_to_a_port_that_speaks_tls() {
    let entry = object(
        "ServiceEntry",
        "name: p",
        "{hosts: [p.com], resolution: DNS, ports: [{number: 443, name: https, protocol: HTTPS}]}",
    );
    let outcome = compiled(&format!(
        "{}{}{entry}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com"))
    ));
    assert!(outcome.diagnostic("plain-text-to-tls-port").message.contains("`p.com`, port 443"));
}

#[test]
fn the_worked_example_of_appendix_e() {
    let redirect = ", tls: {httpsRedirect: true}";
    let tls = ", tls: {mode: SIMPLE, credentialName: wildcard}";
    let yaml = [
        gateway(
            "name: public, namespace: infra",
            &[("HTTP", 80, "'*.example.com'", redirect), ("HTTPS", 443, "shop/*.example.com, api.example.com", tls)],
        ),
        rules(
            "name: web, namespace: shop",
            "www.example.com, api.example.com",
            "infra/public",
            "{match: [{uri: {prefix: /api}}], route: [{destination: {host: api, port: {number: 8080}}}]}, {route: [{destination: {host: web}}]}",
        ),
    ]
    .concat();
    let outcome = compiled_with(&ingress(), &yaml);
    assert_eq!(outcome.tables(), ["http.80", "https.443.https-443-35.public.infra"]);
    assert_eq!(outcome.hosts(80), ["www.example.com 2", "api.example.com 2", "*.example.com 0"]);
    assert_eq!(outcome.get("other.example.com/"), "301");
    assert_eq!(outcome.get("example.com/"), "404");
    for (sni, found) in
        [("www.example.com", true), ("a.b.example.com", true), ("example.com", false), ("", false)]
    {
        assert_eq!(outcome.sni(sni) != "closed", found, "{sni}");
    }
    assert_eq!(
        outcome.https("www.example.com", "api.example.com/x"),
        "outbound|443||web.shop.svc.cluster.local (NC)"
    );
    assert_eq!(
        outcome.https("www.example.com", "www.example.com/apix"),
        "outbound|8080||api.shop.svc.cluster.local (NC)"
    );
    assert_eq!(outcome.https("foo.example.com", "foo.example.com/"), "404");
    let https = &outcome.0.inventory.servers[1];
    assert_eq!(https.hosts, ["*.example.com", "api.example.com"]);
    assert_eq!(https.virtual_services.len(), 1);
    assert!(outcome.diagnostic("missing-secret").message.contains("istio-system/wildcard"));
}

#[test]
fn the_same_files_give_the_same_result() {
    let yaml: String = (0..40)
        .map(|n| {
            rules(
                &format!("name: v{n}"),
                &format!("h{n}.com, '*.x{n}.com'"),
                "g, missing",
                &everything_to("p.com"),
            )
        })
        .chain([http_gateway("name: g", "'*'")])
        .collect();
    let text = |outcome: &Outcome| {
        format!("{:?} {:?} {:?}", outcome.hosts(80), outcome.0.diagnostics, outcome.0.snapshot.clusters)
    };
    let first = text(&compiled(&yaml));
    for _ in 0..5 {
        assert_eq!(text(&compiled(&yaml)), first);
    }
}
