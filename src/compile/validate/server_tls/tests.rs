use crate::compile::validate::testing::{diagnostics, expect, object};

const FILES: &str = "serverCertificate: /c, privateKey: /k";

/// One server; `tls` is on line 8.
fn server(protocol: &str, tls: &str) -> String {
    let port = format!("port: {{number: 443, name: https, protocol: {protocol}}}");
    object("Gateway", &format!("servers:\n- {port}\n  hosts: [a.com]\n  tls: {tls}"))
}

#[track_caller]
fn tls(protocol: &str, tls: &str, expected: &[(&str, &str, &str)]) {
    let lines: Vec<String> = expected
        .iter()
        .map(|(level, code, field)| {
            let separator = if field.is_empty() { "" } else { "." };
            format!("{level} {code} 8 spec.servers[0].tls{separator}{field}")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    expect(&server(protocol, tls), &lines);
}

#[test]
fn case_146_tls_and_protocol() {
    let https = "servers:\n- port: {number: 443, name: a, protocol: HTTPS}\n  hosts: [a.com]";
    expect(&object("Gateway", https), &["error missing-field 6 spec.servers[0].tls"]);
    tls("HTTP", "{mode: SIMPLE}", &[("error", "tls-on-plain-port", "")]);
    tls("HTTP", "{httpsRedirect: true}", &[]);
}

#[test]
fn plain_ports() {
    tls("HTTP2", "{serverCertificate: /c}", &[("error", "tls-on-plain-port", "")]);
    tls("HTTP", "{mode: AUTO_PASSTHROUGH}", &[]);
    tls("HTTP", "{credentialName: a}", &[("warning", "no-effect", "credentialName")]);
    tls("TCP", "{}", &[("error", "tls-on-plain-port", "")]);
    tls("MONGO", "{mode: SIMPLE, credentialName: a}", &[("error", "tls-on-plain-port", "")]);
}

#[test]
fn case_29_https_redirect_on_https() {
    tls(
        "HTTPS",
        "{mode: SIMPLE, credentialName: a, httpsRedirect: true}",
        &[("warning", "no-effect", "httpsRedirect")],
    );
}

#[test]
fn case_148_simple() {
    let certificate = ("error", "missing-field", "serverCertificate");
    let key = ("error", "missing-field", "privateKey");
    tls("HTTPS", "{mode: SIMPLE, privateKey: /k}", &[certificate]);
    tls("HTTPS", "{mode: SIMPLE, serverCertificate: /c}", &[key]);
    tls("HTTPS", "{mode: SIMPLE}", &[certificate, key]);
    tls("HTTPS", "{mode: SIMPLE, credentialName: a}", &[]);
    let both = format!("{{mode: SIMPLE, {FILES}, credentialName: a}}");
    tls("HTTPS", &both, &[("error", "conflicting-fields", "credentialName")]);
    let unused = ("warning", "no-effect", "privateKey");
    tls("HTTPS", "{mode: SIMPLE, privateKey: /k, credentialName: a}", &[unused]);
}

#[test]
fn case_149_mutual() {
    let ca = ("error", "missing-field", "caCertificates");
    tls("HTTPS", &format!("{{mode: MUTUAL, {FILES}}}"), &[ca]);
    tls("HTTPS", &format!("{{mode: OPTIONAL_MUTUAL, {FILES}}}"), &[ca]);
    tls("HTTPS", &format!("{{mode: MUTUAL, {FILES}, caCertificates: /ca, caCrl: /crl}}"), &[]);
    tls("HTTPS", "{mode: MUTUAL, credentialName: a}", &[]);
    tls("HTTPS", "{mode: MUTUAL, credentialNames: [a, b]}", &[]);
}

#[test]
fn case_151_passthrough() {
    tls("TLS", "{mode: PASSTHROUGH, credentialName: a}", &[("warning", "no-effect", "credentialName")]);
    tls("TLS", "{mode: PASSTHROUGH, caCrl: /crl}", &[("warning", "no-effect", "caCrl")]);
    tls("TLS", "{mode: PASSTHROUGH}", &[]);
    let no_mode = server("HTTPS", "{credentialName: a}");
    expect(&no_mode, &["warning no-effect 8 spec.servers[0].tls.credentialName"]);
    assert!(diagnostics(&no_mode)[0].help.as_ref().unwrap().contains("mode: SIMPLE"));
}

#[test]
fn case_152_istio_mutual() {
    let fields = "serverCertificate: /c, privateKey: /k, caCertificates: /ca, credentialName: a, \
                  tlsCertificates: [{}], credentialNames: [b]";
    let conflict = |field| ("error", "conflicting-fields", field);
    tls(
        "HTTPS",
        &format!("{{mode: ISTIO_MUTUAL, {fields}}}"),
        &[
            conflict("serverCertificate"),
            conflict("privateKey"),
            conflict("caCertificates"),
            conflict("credentialName"),
            conflict("tlsCertificates"),
            conflict("credentialNames"),
        ],
    );
    tls("HTTPS", "{mode: ISTIO_MUTUAL, caCrl: /crl, subjectAltNames: [a]}", &[]);
}

#[test]
fn sources() {
    let conflict = |field| ("error", "conflicting-fields", field);
    let pair = "{serverCertificate: /c, privateKey: /k}";
    tls("HTTPS", "{mode: SIMPLE, credentialName: a, credentialNames: [b]}", &[conflict("credentialNames")]);
    let pairs = format!("{{mode: SIMPLE, tlsCertificates: [{pair}], credentialNames: [b]}}");
    tls("HTTPS", &pairs, &[conflict("credentialNames")]);
    let more = "{mode: SIMPLE, credentialNames: [a, b, c]}";
    tls("HTTPS", more, &[("error", "too-many-items", "credentialNames")]);
    let passed = format!("{{mode: PASSTHROUGH, {FILES}, credentialName: a}}");
    let warning = ("warning", "no-effect", "serverCertificate");
    tls("TLS", &passed, &[warning, conflict("credentialName")]);
}

#[test]
fn several_certificates() {
    let pair = "{serverCertificate: /c, privateKey: /k}";
    tls("HTTPS", &format!("{{mode: SIMPLE, tlsCertificates: [{pair}, {pair}]}}"), &[]);
    let three = format!("{{mode: SIMPLE, tlsCertificates: [{pair}, {pair}, {pair}]}}");
    tls("HTTPS", &three, &[("warning", "too-many-items", "tlsCertificates")]);
    tls(
        "HTTPS",
        "{mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, caCertificates: /ca}]}",
        &[
            ("warning", "no-effect", "tlsCertificates[0].caCertificates"),
            ("error", "missing-field", "tlsCertificates[0].privateKey"),
        ],
    );
}

#[test]
fn revocations() {
    let crl = ("error", "conflicting-fields", "caCrl");
    tls("HTTPS", &format!("{{mode: SIMPLE, {FILES}, caCrl: /crl}}"), &[crl]);
    let unused = ("warning", "no-effect", "caCrl");
    tls("HTTPS", "{mode: SIMPLE, credentialName: a, caCrl: /crl}", &[unused]);
    let warning = ("warning", "no-effect", "credentialName");
    tls("TLS", "{mode: PASSTHROUGH, credentialName: a, caCrl: /crl}", &[warning, crl]);
}

#[test]
fn case_49_cipher_suites() {
    let unknown = |index: usize| format!("cipherSuites[{index}]");
    tls(
        "HTTPS",
        "{mode: SIMPLE, credentialName: a, cipherSuites: [AES128-SHA, fake, AES128-SHA, ALL, '-ALL', '']}",
        &[
            ("warning", "unknown-tls-name", &unknown(1)),
            ("warning", "duplicate-item", &unknown(2)),
            ("warning", "unsupported-tls-name", &unknown(0)),
            ("warning", "unsupported-tls-name", &unknown(2)),
            ("warning", "unsupported-tls-name", &unknown(4)),
        ],
    );
    let kept = "ECDHE-RSA-AES128-GCM-SHA256, ALL, '!ECDHE-RSA-AES256-GCM-SHA384', '-AES128-SHA', '+ECDHE-RSA-AES128-GCM-SHA256'";
    tls("HTTPS", &format!("{{mode: SIMPLE, credentialName: a, cipherSuites: [{kept}]}}"), &[]);
    tls(
        "HTTPS",
        "{mode: SIMPLE, credentialName: a, cipherSuites: [AES128-SHA], ecdhCurves: [P-521, P-224]}",
        &[
            ("warning", "unsupported-tls-name", "cipherSuites[0]"),
            ("warning", "unsupported-tls-name", "cipherSuites"),
            ("warning", "unsupported-tls-name", "ecdhCurves[0]"),
            ("warning", "unsupported-tls-name", "ecdhCurves[1]"),
            ("warning", "unsupported-tls-name", "ecdhCurves"),
        ],
    );
    tls(
        "HTTPS",
        "{mode: SIMPLE, credentialName: a, ecdhCurves: [P-256, X25519MLKEM768, P-257]}",
        &[("warning", "unknown-tls-name", "ecdhCurves[2]")],
    );
}

#[test]
fn versions() {
    let simple = |rest: &str| format!("{{mode: SIMPLE, credentialName: a, {rest}}}");
    let low = simple("minProtocolVersion: TLSV1_1");
    tls("HTTPS", &low, &[("warning", "old-tls-version", "minProtocolVersion")]);
    tls("HTTPS", &simple("minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_3"), &[]);
    let crossed = simple("minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2");
    tls("HTTPS", &crossed, &[("error", "bad-tls-version", "minProtocolVersion")]);
    let below = simple("maxProtocolVersion: TLSV1_1");
    tls("HTTPS", &below, &[("error", "bad-tls-version", "maxProtocolVersion")]);
}

#[test]
fn client_settings() {
    let effect = |field| ("warning", "no-effect", field);
    tls("HTTPS", "{mode: SIMPLE, credentialName: a, subjectAltNames: [b]}", &[effect("subjectAltNames")]);
    tls("HTTPS", "{mode: MUTUAL, credentialName: a, subjectAltNames: [b]}", &[]);
    let spki = format!("{}=", "A".repeat(43));
    let (hex, pairs) = ("ab".repeat(32), vec!["AB"; 32].join(":"));
    let pins = format!("verifyCertificateSpki: ['{spki}'], verifyCertificateHash: ['{hex}', '{pairs}']");
    tls("HTTPS", &format!("{{mode: MUTUAL, credentialName: a, {pins}}}"), &[]);
    let files = format!("{{mode: MUTUAL, {FILES}, caCertificates: /ca, {pins}}}");
    tls("HTTPS", &files, &[effect("verifyCertificateSpki"), effect("verifyCertificateHash")]);
    tls(
        "HTTPS",
        "{mode: MUTUAL, credentialName: a, verifyCertificateSpki: [abc], verifyCertificateHash: ['a:b']}",
        &[("error", "bad-pin", "verifyCertificateSpki[0]"), ("error", "bad-pin", "verifyCertificateHash[0]")],
    );
}
