use crate::compile::validate::testing::expect;

/// `meshConfig` is on line 5.
#[track_caller]
fn mesh(config: &str, expected: &[&str]) {
    let head = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: x}\nspec:\n";
    let lines: Vec<String> = expected
        .iter()
        .map(|line| {
            let (start, field) = line.rsplit_once(' ').unwrap();
            format!("{start} 5 spec.meshConfig.{field}")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    expect(&format!("{head}  meshConfig: {{{config}}}\n"), &lines);
}

#[test]
fn a_good_one() {
    mesh(
        "accessLogFile: /dev/stdout, connectTimeout: 10s, rootNamespace: istio-system, trustDomain: cluster.local, \
         defaultServiceExportTo: ['*'], defaultConfig: {concurrency: 0, gatewayTopology: {numTrustedProxies: 1}}",
        &[],
    );
}

#[test]
fn settings_of_other_kinds() {
    mesh("connectTimeout: 0s", &["error bad-duration connectTimeout"]);
    mesh("dnsRefreshRate: 1us", &["error bad-duration dnsRefreshRate"]);
    mesh("tcpKeepalive: {time: 0s}", &["error bad-duration tcpKeepalive.time"]);
    mesh(
        "tlsDefaults: {cipherSuites: [x]}",
        &[
            "warning unknown-tls-name tlsDefaults.cipherSuites[0]",
            "warning unsupported-tls-name tlsDefaults.cipherSuites",
        ],
    );
    mesh("tlsDefaults: {ecdhCurves: [x, P-256]}", &["warning unknown-tls-name tlsDefaults.ecdhCurves[0]"]);
    mesh(
        "defaultHttpRetryPolicy: {attempts: -1}",
        &["error negative-number defaultHttpRetryPolicy.attempts"],
    );
    mesh(
        "defaultTrafficPolicy: {connectionPool: {}}",
        &["error missing-field defaultTrafficPolicy.connectionPool"],
    );
    mesh(
        "defaultTrafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}",
        &["error bad-percentage defaultTrafficPolicy.outlierDetection.maxEjectionPercent"],
    );
    mesh(
        "localityLbSetting: {failover: [{from: us, to: us}]}",
        &["error bad-locality localityLbSetting.failover[0].to"],
    );
}

#[test]
fn names() {
    mesh("rootNamespace: a.b", &["error bad-name rootNamespace"]);
    mesh("trustDomain: a_b", &["error bad-name trustDomain"]);
    mesh("trustDomainAliases: [a.b, '']", &["error bad-name trustDomainAliases[1]"]);
    mesh("defaultVirtualServiceExportTo: ['~']", &["error bad-export-to defaultVirtualServiceExportTo[0]"]);
    mesh(
        "defaultDestinationRuleExportTo: [a, a]",
        &["error bad-export-to defaultDestinationRuleExportTo[1]"],
    );
    mesh("defaultServiceExportTo: ['~']", &[]);
    mesh("defaultServiceExportTo: ['.', '.']", &["error bad-export-to defaultServiceExportTo[1]"]);
}

#[test]
fn proxies() {
    mesh("defaultConfig: {concurrency: -1}", &["error negative-number defaultConfig.concurrency"]);
    mesh("defaultConfig: {drainDuration: 0s}", &["error bad-duration defaultConfig.drainDuration"]);
    mesh("defaultConfig: {statusPort: 0}", &["error bad-port defaultConfig.statusPort"]);
    mesh("defaultConfig: {proxyAdminPort: 70000}", &["error bad-port defaultConfig.proxyAdminPort"]);
}

#[test]
fn connections_of_clients() {
    let settings = |fields: &str, expected: &[&str]| {
        mesh(&format!("defaultConfig: {{connectionSettings: {{{fields}}}}}"), expected);
    };
    settings("httpMaxConcurrentStreams: 1, http2InitialStreamWindowSize: 65535", &[]);
    settings("http2InitialConnectionWindowSize: 2147483647, httpMaxConnectionDuration: 1h", &[]);
    let at = "defaultConfig.connectionSettings";
    settings("httpMaxConcurrentStreams: 0", &[&format!("error bad-number {at}.httpMaxConcurrentStreams")]);
    settings(
        "http2InitialStreamWindowSize: 65534",
        &[&format!("error bad-number {at}.http2InitialStreamWindowSize")],
    );
    settings(
        "http2InitialConnectionWindowSize: -1",
        &[&format!("error bad-number {at}.http2InitialConnectionWindowSize")],
    );
    settings(
        "httpMaxConnectionDuration: 0s",
        &[&format!("error bad-duration {at}.httpMaxConnectionDuration")],
    );
}

#[test]
fn the_old_place() {
    let head = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: x}\nspec:\n";
    expect(
        &format!("{head}  values: {{meshConfig: {{connectTimeout: 0s}}}}\n"),
        &["error bad-duration 5 spec.values.meshConfig.connectTimeout"],
    );
}
