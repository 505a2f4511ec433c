//! Tests: TLS to the endpoints.

use super::policy;

#[track_caller]
fn tls(settings: &str, expected: &[(&str, &str)]) {
    let lines: Vec<String> = expected.iter().map(|(start, field)| format!("{start} tls.{field}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    policy(&format!("tls: {{{settings}}}"), &lines);
}

const MISSING: &str = "error missing-field";
const CONFLICT: &str = "error conflicting-fields";
const EFFECT: &str = "warning no-effect";

#[test]
fn mutual() {
    tls("mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl", &[]);
    tls("mode: MUTUAL, credentialName: a", &[]);
    tls("mode: MUTUAL, privateKey: /k", &[(MISSING, "clientCertificate")]);
    tls("mode: MUTUAL", &[(MISSING, "clientCertificate"), (MISSING, "privateKey")]);
}

#[test]
fn credentials() {
    for mode in ["SIMPLE", "MUTUAL"] {
        tls(
            &format!(
                "mode: {mode}, credentialName: a, clientCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl"
            ),
            &[
                (CONFLICT, "clientCertificate"),
                (CONFLICT, "privateKey"),
                (CONFLICT, "caCertificates"),
                (CONFLICT, "caCrl"),
            ],
        );
    }
    tls("mode: SIMPLE, credentialName: 'configmap://app/ca'", &[]);
    let bad = [("error bad-credential", "credentialName")];
    tls("mode: SIMPLE, credentialName: 'configmap://other/ca'", &bad);
    tls("mode: SIMPLE, credentialName: 'configmap://app/'", &bad);
    tls("mode: SIMPLE, credentialName: 'configmap://ca'", &bad);
    tls("mode: MUTUAL, credentialName: 'configmap://app/ca'", &bad);
}

#[test]
fn without_verification() {
    let skip = "insecureSkipVerify: true";
    tls(&format!("mode: SIMPLE, {skip}"), &[]);
    for field in ["caCertificates: /ca", "credentialName: a", "subjectAltNames: [a]"] {
        let name = field.split(':').next().unwrap();
        tls(&format!("mode: SIMPLE, {skip}, {field}"), &[(CONFLICT, name)]);
    }
    let files = "clientCertificate: /c, privateKey: /k";
    tls(&format!("mode: MUTUAL, {skip}, credentialName: a"), &[]);
    tls(&format!("mode: MUTUAL, {skip}, {files}, caCertificates: /ca"), &[(CONFLICT, "caCertificates")]);
    tls(&format!("mode: MUTUAL, {skip}, {files}, subjectAltNames: [a]"), &[(CONFLICT, "subjectAltNames")]);
    tls("mode: SIMPLE, insecureSkipVerify: false, caCertificates: /ca", &[]);
}

#[test]
fn modes_without_certificates() {
    tls("mode: SIMPLE, sni: a.com, subjectAltNames: [a.com]", &[]);
    tls(
        "mode: SIMPLE, clientCertificate: /c, privateKey: /k",
        &[(EFFECT, "clientCertificate"), (EFFECT, "privateKey")],
    );
    tls("mode: DISABLE", &[]);
    tls("sni: a.com", &[(EFFECT, "sni")]);
    tls("mode: ISTIO_MUTUAL, sni: a.com", &[]);
    tls("mode: ISTIO_MUTUAL, credentialName: a", &[(EFFECT, "credentialName")]);
}
