//! What is spoken with clients and to destinations, and how HTTP/2 is (specification sections 1.4, 2.6 and 4.4).

use super::*;
use crate::{
    config::Severity,
    table::{Http2Keepalive, Http2Settings, STREAMS_MAX, UnderscoreAction, UpstreamProtocol},
};
use std::time::Duration;

/// A rule to `p.com`, whose port says this protocol, with a DestinationRule that has this under `connectionPool.http`.
fn with(protocol: &str, http: &str, more: &str) -> Outcome {
    let policy = match http {
        "" => String::new(),
        http => object(
            "DestinationRule",
            "name: r",
            &format!("{{host: p.com, trafficPolicy: {{connectionPool: {{http: {{{http}}}}}}}}}"),
        ),
    };
    let spec = format!(
        "{{hosts: [p.com], ports: [{{number: 80, name: x, protocol: {protocol}}}], resolution: STATIC, endpoints: [{{address: 10.0.0.1}}]}}"
    );
    let yaml = [
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        object("ServiceEntry", "name: p", &spec),
        policy,
        more.to_owned(),
    ];
    compiled(&yaml.concat())
}

fn spoken(protocol: &str, http: &str, more: &str) -> UpstreamProtocol {
    let outcome = with(protocol, http, more);
    assert_eq!(outcome.warnings(), [""; 0]);
    outcome.cluster("outbound|80||p.com").protocol
}

fn mesh(config: &str) -> String {
    format!(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: o}}\nspec: {{meshConfig: {{{config}}}}}\n---\n"
    )
}

/// What is spoken with clients.
fn settings(options: &Options, connections: &str) -> (Http2Settings, Outcome) {
    let config = format!("defaultConfig: {{connectionSettings: {{{connections}}}}}");
    let outcome = compiled_with(options, &mesh(&config));
    (outcome.0.snapshot.settings.http2, outcome)
}

#[test]
fn case_103_a_port_of_http_gets_http1() {
    assert_eq!(spoken("HTTP", "", ""), UpstreamProtocol::Http1);
}

#[test]
fn case_104_what_the_client_speaks() {
    for protocol in ["HTTP", "HTTP2", "GRPC"] {
        assert_eq!(spoken(protocol, "useClientProtocol: true", ""), UpstreamProtocol::Client, "{protocol}");
    }
    let kept = "useClientProtocol: true, h2UpgradePolicy: DO_NOT_UPGRADE";
    assert_eq!(spoken("HTTP", kept, &mesh("h2UpgradePolicy: UPGRADE")), UpstreamProtocol::Client);
    assert_eq!(spoken("HTTP", "useClientProtocol: false", ""), UpstreamProtocol::Http1);
}

#[test]
fn case_170_what_the_client_speaks_and_http2_exclude_each_other() {
    let outcome = with("HTTP", "useClientProtocol: true, h2UpgradePolicy: UPGRADE", "");
    let problem = outcome.diagnostic("conflicting-fields");
    assert_eq!(problem.severity, Severity::Error);
    assert_eq!(problem.field, "spec.trafficPolicy.connectionPool.http.useClientProtocol");
}

#[test]
fn http2_is_what_the_port_or_the_rule_or_the_mesh_says() {
    use UpstreamProtocol::{Http1, Http2};
    let upgrading = mesh("h2UpgradePolicy: UPGRADE");
    for (port, policy, of_mesh, expected) in [
        ("HTTP2", "", "", Http2),
        ("GRPC", "", "", Http2),
        ("grpc-web", "", "", Http2),
        // A port that says HTTP/2 stays with it.
        ("HTTP2", "DO_NOT_UPGRADE", "", Http2),
        ("HTTP", "UPGRADE", "", Http2),
        ("HTTP", "DO_NOT_UPGRADE", "", Http1),
        ("HTTP", "", &upgrading, Http2),
        ("HTTP_PROXY", "DEFAULT", &upgrading, Http2),
        ("HTTP", "DO_NOT_UPGRADE", &upgrading, Http1),
        // Only who means this very destination knows that there is HTTP on it.
        ("TCP", "", &upgrading, Http1),
        ("TCP", "UPGRADE", "", Http2),
    ] {
        let http = if policy.is_empty() { String::new() } else { format!("h2UpgradePolicy: {policy}") };
        assert_eq!(spoken(port, &http, of_mesh), expected, "{port} {policy} {of_mesh}");
    }
}

#[test]
fn a_destination_of_tls_can_be_one_of_http2() {
    let entry = "hosts: [p.com], resolution: DNS, ports: [{number: 80, name: x, protocol: HTTPS}]";
    let rule = "{host: p.com, trafficPolicy: {tls: {mode: SIMPLE}, connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}}";
    let yaml = [
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        object("ServiceEntry", "name: p", &format!("{{{entry}}}")),
        object("DestinationRule", "name: r", rule),
    ];
    let outcome = compiled(&yaml.concat());
    let cluster = outcome.cluster("outbound|80||p.com");
    assert_eq!(cluster.protocol, UpstreamProtocol::Http2);
    let context = cluster.tls.as_ref().unwrap().context;
    let spec = &outcome.0.snapshot.client_tls[context.0 as usize];
    assert_eq!((spec.alpn.as_slice(), spec.alpn_http2.as_slice()), (&[][..], &[Box::from(*b"h2")][..]));
}

#[test]
fn streams_and_pings() {
    let pool = |http: &str| {
        let outcome = with("HTTP2", http, "");
        assert_eq!(outcome.warnings(), [""; 0]);
        let cluster = outcome.cluster("outbound|80||p.com");
        (cluster.max_concurrent_streams, cluster.http2_keepalive)
    };
    assert_eq!(pool(""), (STREAMS_MAX, None));
    assert_eq!(pool("maxConcurrentStreams: 0"), (STREAMS_MAX, None));
    let keepalive = Http2Keepalive { interval: Duration::from_secs(30), timeout: Duration::from_millis(500) };
    assert_eq!(
        pool("maxConcurrentStreams: 10, http2KeepAlive: {interval: 30s, timeout: 500ms}"),
        (10, Some(keepalive))
    );
    // Where no rule has a pool, that of the mesh holds.
    let of_mesh = mesh("defaultTrafficPolicy: {connectionPool: {http: {maxConcurrentStreams: 7}}}");
    assert_eq!(with("HTTP2", "", &of_mesh).cluster("outbound|80||p.com").max_concurrent_streams, 7);
}

#[test]
fn limits_are_istios_unless_the_configuration_or_the_command_line_says_others() {
    let (none, outcome) = settings(&Options::default(), "");
    assert_eq!(none, Http2Settings::default());
    assert_eq!(outcome.0.snapshot.settings.underscores, UnderscoreAction::Allow);

    let fields = "httpMaxConcurrentStreams: 50, http2InitialStreamWindowSize: 65535, http2InitialConnectionWindowSize: 2147483647, httpMaxConnectionDuration: 1h";
    let (of_fields, outcome) = settings(&Options::default(), fields);
    assert_eq!(outcome.warnings(), [""; 0]);
    let expected = Http2Settings {
        max_concurrent_streams: 50,
        initial_stream_window: 65_535,
        initial_connection_window: 2_147_483_647,
        connection_age_max: Some(Duration::from_secs(3600)),
        ..Http2Settings::default()
    };
    assert_eq!(of_fields, expected);

    let options = Http2Options {
        max_concurrent_streams: Some(1),
        stream_window: Some(70_000),
        connection_window: Some(80_000),
        connection_age_max: Some(Duration::from_secs(60)),
        connection_requests_max: Some(9),
        extended_connect: Some(false),
    };
    let (of_options, _) = settings(&Options { http2: options, ..Options::default() }, fields);
    let expected = Http2Settings {
        max_concurrent_streams: 1,
        initial_stream_window: 70_000,
        initial_connection_window: 80_000,
        connection_age_max: Some(Duration::from_secs(60)),
        connection_requests_max: Some(9),
        extended_connect: false,
    };
    assert_eq!(of_options, expected);
}

#[test]
fn the_profile_of_edges() {
    let (edge, outcome) = settings(&Options::default(), "profile: EDGE");
    assert_eq!(edge, Http2Settings::edge());
    assert_eq!(outcome.0.snapshot.settings.underscores, UnderscoreAction::Reject);
    assert!(outcome.diagnostic("not-supported-yet").message.contains("timeouts"));
    // What is written is stronger than the profile.
    let own = "profile: EDGE, httpMaxConcurrentStreams: 200, httpHeadersWithUnderscoresAction: HEADERS_WITH_UNDERSCORES_DROP_HEADER";
    let (own, outcome) = settings(&Options::default(), own);
    assert_eq!(own, Http2Settings { max_concurrent_streams: 200, ..Http2Settings::edge() });
    assert_eq!(outcome.0.snapshot.settings.underscores, UnderscoreAction::Drop);
    let (other, outcome) = settings(&Options::default(), "profile: SIDECAR");
    assert_eq!(other, Http2Settings::default());
    assert!(outcome.diagnostic("not-supported-yet").message.ends_with("only EDGE is known"));
}

#[test]
fn case_50_servers_of_one_port_that_share_a_certificate() {
    let tls = |credential: &str| format!(", tls: {{mode: SIMPLE, {credential}}}");
    let (wild, other) = (tls("credentialName: wild"), tls("credentialName: other"));
    let two = |second: &str, port| {
        let first = gateway("name: a", &[("HTTPS", 443, "a.example.com", &wild)]);
        format!("{first}{}", gateway("name: b", &[("HTTPS", port, "bc.example.com", second)]))
    };
    // Browsers ask again where they get 421, so that nobody need do anything.
    let outcome = compiled(&two(&wild, 443));
    let note = outcome.diagnostic("shared-certificate");
    assert_eq!((note.severity, note.field.as_str()), (Severity::Note, "spec.servers[0].tls"));
    assert!(note.message.contains("`wild` is also that of Gateway default/a servers[0]"), "{}", note.message);
    let options = Options { misdirected: Misdirected::Status404, ..Options::default() };
    let warned = compiled_with(&options, &two(&wild, 443));
    assert_eq!(warned.diagnostic("shared-certificate").severity, Severity::Warning);
    let several = tls("credentialNames: [other, wild]");
    assert!(compiled(&two(&several, 443)).has("shared-certificate"));

    assert!(!compiled(&two(&other, 443)).has("shared-certificate"));
    // Another port is another connection, and what is not HTTP has no requests.
    assert!(!compiled(&two(&wild, 444)).has("shared-certificate"));
    let tcp =
        gateway("name: a", &[("TLS", 443, "a.example.com", &wild), ("HTTPS", 443, "bc.example.com", &wild)]);
    assert!(!compiled(&tcp).has("shared-certificate"));
}

#[test]
fn calls_of_grpc_to_a_destination_of_http1() {
    let warned = |server: &str, destination: &str, policy: &str| {
        let entry = format!(
            "{{hosts: [p.com], ports: [{{number: 80, name: x, protocol: {destination}}}], resolution: STATIC, endpoints: [{{address: 10.0.0.1}}]}}"
        );
        let rule = format!("{{host: p.com, trafficPolicy: {{connectionPool: {{http: {{{policy}}}}}}}}}");
        let yaml = [
            gateway("name: g", &[(server, 80, "'*'", "")]),
            rules("name: v", "'*'", "g", &everything_to("p.com")),
            object("ServiceEntry", "name: p", &entry),
            object("DestinationRule", "name: r", &rule),
        ];
        compiled(&yaml.concat()).has("grpc-over-http1")
    };
    let no_policy = "useClientProtocol: false";
    for server in ["GRPC", "GRPC-WEB"] {
        assert!(warned(server, "HTTP", no_policy));
        assert!(!warned(server, "GRPC", no_policy));
        assert!(!warned(server, "HTTP", "h2UpgradePolicy: UPGRADE"));
        assert!(!warned(server, "HTTP", "useClientProtocol: true"));
    }
    assert!(!warned("HTTP", "HTTP", no_policy));
    assert!(!warned("HTTP2", "HTTP", no_policy));
}
