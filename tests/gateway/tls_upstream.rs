//! TLS towards upstreams (specification section 4.6): whom the gateway believes, and what it shows.

use super::{
    certificates::{Authority, Leaf, LeafParams},
    harness::{Folder, Gateway, routed},
    tls_origin::TlsOrigin,
};
use std::fs;

/// Everything goes to an origin, with this `tls` in its DestinationRule.
fn yaml(origin: &TlsOrigin, tls: &str) -> String {
    routed("  - route: [{destination: {host: a.test}}]\n    rewrite: {authority: up.test}", &[origin.port()])
        + &format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: a}}\nspec:\n  host: \
             a.test\n  trafficPolicy: {{tls: {{{tls}}}}}\n"
        )
}

#[test]
fn names_and_authorities() {
    let (root, folder) = (Authority::new("root"), Folder::new());
    let (ours, theirs) =
        (folder.put("ca.crt", &root.pem()), folder.put("other.crt", &Authority::new("other").pem()));
    let (ours, theirs) = (ours.display(), theirs.display());
    let origin = TlsOrigin::echo("o", &root.leaf(&["up.test", "spiffe://td/a"]));
    for (tls, expected) in [
        (format!("mode: SIMPLE, caCertificates: {ours}"), Ok("sni: up.test\n")),
        (format!("mode: SIMPLE, caCertificates: {ours}, sni: other.test"), Ok("sni: other.test\n")),
        (
            format!("mode: SIMPLE, caCertificates: {ours}, sni: x.test, subjectAltNames: [spiffe://td/a]"),
            Ok("sni: x.test\n"),
        ),
        (format!("mode: SIMPLE, caCertificates: {ours}, subjectAltNames: [other.test]"), Err(())),
        (format!("mode: SIMPLE, caCertificates: {theirs}"), Err(())),
        (format!("mode: SIMPLE, caCertificates: {}/missing", folder.path().display()), Err(())),
        // The operating system's do not know it.
        ("mode: SIMPLE".to_owned(), Err(())),
        ("mode: SIMPLE, insecureSkipVerify: true".to_owned(), Ok("sni: up.test\n")),
    ] {
        let gateway = Gateway::start(&[80], &yaml(&origin, &tls));
        let answer = gateway.get(80, "web.test", "/");
        match expected {
            Ok(text) => assert!(answer.status == 200 && answer.text().contains(text), "{tls}: {answer:?}"),
            Err(()) => {
                assert_eq!(answer.status, 503, "{tls}");
                let line = gateway.log_line();
                assert!(line.contains(" URX,UF "), "{tls}: {line}");
            }
        }
        gateway.stop();
    }
}

#[test]
fn what_it_shows_and_whom_it_believes_changes_with_the_files() {
    let (root, clients, folder) = (Authority::new("root"), Authority::new("clients"), Folder::new());
    let numbered = |serial| clients.make(LeafParams::new(&["gateway"]).serial(serial));
    let origin = TlsOrigin::asking(&root.leaf(&["up.test"]), &clients);
    let put = |leaf: &Leaf| {
        folder.put("new.crt", &leaf.chain);
        folder.put("new.key", &leaf.key);
        for name in ["crt", "key"] {
            let at = |stem: &str| folder.path().join(format!("{stem}.{name}"));
            fs::rename(at("new"), at("client")).unwrap();
        }
    };
    put(&numbered(1));
    let at = folder.path().display();
    folder.put("ca.crt", &Authority::new("other").pem());
    let tls = format!(
        "mode: MUTUAL, clientCertificate: {at}/client.crt, privateKey: {at}/client.key, caCertificates: {at}/ca.crt"
    );
    let gateway = Gateway::start(&[80], &yaml(&origin, &tls));
    assert_eq!(gateway.get(80, "web.test", "/").status, 503, "nobody vouches for the origin");
    folder.put("ca.crt", &root.pem());
    gateway.until("it is believed", || gateway.get(80, "web.test", "/").status == 200);
    assert_eq!(gateway.get(80, "web.test", "/").text(), "01");
    put(&numbered(2));
    gateway.until("the new one is shown", || gateway.get(80, "web.test", "/").text() == "02");
    fs::remove_file(folder.path().join("client.key")).unwrap();
    gateway.said("client.key` does not exist; what was there before stays in use");
    assert_eq!(gateway.get(80, "web.test", "/").text(), "02");
    gateway.stop();
}
