//! Acceptance cases of section 9.3, by their numbers: certificates and Secrets.

use super::{
    certificates::{Authority, Leaf, LeafParams},
    harness::{Gateway, run, service_entry},
    origin::Origin,
    tls_client::{Refused, TlsClient, ask, believing},
};
use rustls::AlertDescription;
use std::{fmt::Write, fs, path::Path, sync::Arc};

/// A Secret with these values as text.
fn secret(name: &str, values: &[(&str, &str)]) -> String {
    let mut yaml = format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n");
    for (key, value) in values {
        writeln!(yaml, "  {key}: |\n    {}", value.trim_end().replace('\n', "\n    ")).unwrap();
    }
    yaml
}

fn pair(leaf: &Leaf) -> [(&'static str, &str); 2] {
    [("tls.crt", &leaf.chain), ("tls.key", &leaf.key)]
}

/// HTTPS servers on port 443, each with a host and its `tls`; every request is answered with the host.
fn servers(all: &[(&str, &str)]) -> String {
    let mut yaml =
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\nspec:\n  servers:\n"
            .to_owned();
    for (position, (host, tls)) in all.iter().enumerate() {
        writeln!(
            yaml,
            "  - port: {{number: 443, name: https-{position}, protocol: HTTPS}}\n    bind: 127.0.0.1\n    hosts: \
             [{host}]\n    tls: {{{tls}}}"
        )
        .unwrap();
    }
    for (position, (host, _)) in all.iter().enumerate() {
        write!(
            yaml,
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs-{position}}}\nspec:\n  \
             hosts: [{host}]\n  gateways: [gw]\n  http:\n  - directResponse: {{status: 200, body: {{string: {host}}}}}\n"
        )
        .unwrap();
    }
    yaml
}

/// Replaces the configuration, as somebody does who does not want half of it to be read.
fn replace(gateway: &Gateway, yaml: &str) {
    let path = gateway.directory().join("config.yaml");
    fs::write(path.with_extension("new"), yaml).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

fn numbered(authority: &Authority, name: &str, serial: u8) -> Leaf {
    authority.make(LeafParams::new(&[name]).serial(serial))
}

#[test]
fn case_33_a_secret_is_replaced() {
    let root = Authority::new("root");
    let (first, second) = (numbered(&root, "a.test", 1), numbered(&root, "a.test", 2));
    let yaml = |leaf: &Leaf| {
        servers(&[("a.test", "mode: SIMPLE, credentialName: cred")]) + &secret("cred", &pair(leaf))
    };
    let gateway = Gateway::start(&[443], &yaml(&first));
    let client = Arc::new(believing(&[&root], None));
    let mut kept = TlsClient::connect(gateway.port(443), &client, "a.test").unwrap();
    assert_eq!(kept.shown(), first.der);
    assert_eq!(kept.get("a.test", &[]), Ok((200, "a.test".into())));
    replace(&gateway, &yaml(&second));
    gateway.said("in use is `CN=a.test` with serial number 02");
    gateway
        .until("the new one is shown", || ask(gateway.port(443), &client, "a.test").unwrap().0 == second.der);
    assert_eq!(kept.get("a.test", &[]), Ok((200, "a.test".into())), "the connection goes on");
    gateway.stop();
}

#[test]
fn case_34_mutual_with_the_authority_beside() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let (first, second) = (numbered(&root, "a.test", 1), numbered(&root, "a.test", 2));
    let yaml = |leaf: &Leaf| {
        servers(&[("a.test", "mode: MUTUAL, credentialName: cred")])
            + &secret("cred", &pair(leaf))
            + &secret("cred-cacert", &[("cacert", &clients.pem())])
    };
    let gateway = Gateway::start(&[443], &yaml(&first));
    let client = believing(&[&root], Some(&clients.leaf(&["client"])));
    assert_eq!(ask(gateway.port(443), &client, "a.test"), Ok((first.der.clone(), 200, "a.test".into())));
    // The server's half alone.
    replace(&gateway, &yaml(&second));
    gateway
        .until("the new one is shown", || ask(gateway.port(443), &client, "a.test").unwrap().0 == second.der);
    gateway.stop();
}

#[test]
fn case_35_mutual_with_everything_in_one_secret() {
    let (root, clients, others) =
        (Authority::new("root"), Authority::new("clients"), Authority::new("others"));
    let (first, second) = (numbered(&root, "a.test", 1), numbered(&root, "a.test", 2));
    for names in [["cert", "key", "cacert"], ["tls.crt", "tls.key", "ca.crt"]] {
        let yaml = |leaf: &Leaf, authority: &Authority| {
            let values = [leaf.chain.as_str(), &leaf.key, &authority.pem()];
            let values: Vec<(&str, &str)> = names.into_iter().zip(values).collect();
            servers(&[("a.test", "mode: MUTUAL, credentialName: cred")]) + &secret("cred", &values)
        };
        let gateway = Gateway::start(&[443], &yaml(&first, &clients));
        let own = clients.leaf(&["client"]);
        let client = believing(&[&root], Some(&own));
        assert_eq!(ask(gateway.port(443), &client, "a.test").unwrap().0, first.der);
        let other = believing(&[&root], Some(&others.leaf(&["client"])));
        replace(&gateway, &yaml(&second, &others));
        gateway.until("others are believed", || ask(gateway.port(443), &other, "a.test").is_ok());
        assert_eq!(ask(gateway.port(443), &other, "a.test").unwrap().0, second.der);
        let refused = ask(gateway.port(443), &client, "a.test");
        assert_eq!(
            refused,
            Err(Refused::Alert(AlertDescription::UnknownCA)),
            "nobody vouches for it any more"
        );
        gateway.stop();
    }
}

#[test]
fn case_37_and_41_nobody_vouches_for_the_client() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let yaml = servers(&[
        ("optional.test", "mode: OPTIONAL_MUTUAL, credentialName: cred"),
        ("mutual.test", "mode: MUTUAL, credentialName: cred"),
    ]);
    let leaf = root.leaf(&["optional.test", "mutual.test"]);
    let ca = clients.pem();
    let values = [&pair(&leaf)[..], &[("ca.crt", ca.as_str())]].concat();
    let gateway = Gateway::start(&[443], &(yaml + &secret("cred", &values)));
    let stranger = believing(&[&root], Some(&Authority::new("x").leaf(&["client"])));
    let (known, nobody) = (believing(&[&root], Some(&clients.leaf(&["client"]))), believing(&[&root], None));
    for name in ["optional.test", "mutual.test"] {
        let refused = ask(gateway.port(443), &stranger, name);
        assert_eq!(refused, Err(Refused::Alert(AlertDescription::UnknownCA)), "{name}");
        assert_eq!(ask(gateway.port(443), &known, name).unwrap().1, 200, "{name}");
    }
    assert_eq!(ask(gateway.port(443), &nobody, "optional.test").unwrap().1, 200);
    let refused = ask(gateway.port(443), &nobody, "mutual.test");
    assert_eq!(refused, Err(Refused::Alert(AlertDescription::CertificateRequired)));
    gateway.stop();
}

#[test]
fn case_38_many_servers_on_one_port() {
    let root = Authority::new("root");
    let names: Vec<String> = (0..20).map(|number| format!("n{number}.test")).collect();
    let leaves: Vec<Leaf> = names.iter().map(|name| root.leaf(&[name])).collect();
    let tls: Vec<String> =
        (0..20).map(|number| format!("mode: SIMPLE, credentialName: cred-{number}")).collect();
    let all: Vec<(&str, &str)> =
        names.iter().zip(&tls).map(|(name, tls)| (name.as_str(), tls.as_str())).collect();
    let mut yaml = servers(&all);
    for (number, leaf) in leaves.iter().enumerate() {
        yaml += &secret(&format!("cred-{number}"), &pair(leaf));
    }
    let gateway = Gateway::start(&[443], &yaml);
    let client = believing(&[&root], None);
    for (name, leaf) in names.iter().zip(&leaves) {
        assert_eq!(ask(gateway.port(443), &client, name), Ok((leaf.der.clone(), 200, name.clone())));
    }
    gateway.stop();
}

#[test]
fn case_39_a_secret_that_is_missing_closes_its_own_server_and_heals() {
    let root = Authority::new("root");
    let (good, late) = (root.leaf(&["good.test"]), root.leaf(&["late.test"]));
    let yaml = servers(&[
        ("good.test", "mode: SIMPLE, credentialName: good"),
        ("late.test", "mode: SIMPLE, credentialName: late"),
    ]) + &secret("good", &pair(&good));
    let gateway = Gateway::start(&[443], &yaml);
    let client = believing(&[&root], None);
    assert_eq!(ask(gateway.port(443), &client, "late.test"), Err(Refused::Closed));
    assert_eq!(ask(gateway.port(443), &client, "good.test").unwrap().0, good.der);
    assert_eq!(gateway.metric("sluicegate_tls_contexts"), 2.0);
    assert!(
        gateway.admin_page("/certs").text().contains("Secret `default/late` is not in the configuration")
    );

    // A key that does not belong to it.
    let broken = [("tls.crt", late.chain.as_str()), ("tls.key", &good.key)];
    replace(&gateway, &(yaml.clone() + &secret("late", &broken)));
    gateway.said("is not the key of the first certificate in key `tls.crt` of Secret `default/late`");
    assert_eq!(ask(gateway.port(443), &client, "late.test"), Err(Refused::Closed));

    replace(&gateway, &(yaml + &secret("late", &pair(&late))));
    gateway.until("it has healed", || ask(gateway.port(443), &client, "late.test").is_ok());
    assert_eq!(ask(gateway.port(443), &client, "late.test").unwrap().0, late.der);
    gateway.stop();
}

#[test]
fn case_40_mutual_without_authorities_fails_closed() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let leaf = root.leaf(&["a.test", "b.test"]);
    let invalid = [&pair(&leaf)[..], &[("ca.crt", "not a certificate")]].concat();
    let yaml = servers(&[
        ("a.test", "mode: MUTUAL, credentialName: missing"),
        ("b.test", "mode: MUTUAL, credentialName: invalid"),
    ]) + &secret("missing", &pair(&leaf))
        + &secret("invalid", &invalid);
    let gateway = Gateway::start(&[443], &yaml);
    let client = believing(&[&root], Some(&clients.leaf(&["client"])));
    for name in ["a.test", "b.test"] {
        assert_eq!(ask(gateway.port(443), &client, name), Err(Refused::Closed), "{name}");
    }
    gateway.stop();
}

#[test]
fn cases_43_to_45_lists_of_what_was_revoked() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let leaf = root.leaf(&["revoking.test", "other.test"]);
    let ca = clients.pem();
    let with = |name: &str, list: &str| {
        secret(name, &[&pair(&leaf)[..], &[("ca.crt", ca.as_str()), ("ca.crl", list)]].concat())
    };
    let yaml = servers(&[
        ("revoking.test", "mode: MUTUAL, credentialName: ours"),
        ("other.test", "mode: MUTUAL, credentialName: theirs"),
    ]) + &with("ours", &clients.revoked(&[7]))
        + &with("theirs", &Authority::new("x").revoked(&[7]));
    let gateway = Gateway::start(&[443], &yaml);
    let made = |serial| believing(&[&root], Some(&clients.make(LeafParams::new(&["client"]).serial(serial))));
    assert_eq!(ask(gateway.port(443), &made(8), "revoking.test").unwrap().1, 200);
    let alert = |alert| Err(Refused::Alert(alert));
    let revoked = ask(gateway.port(443), &made(7), "revoking.test");
    assert_eq!(revoked, alert(AlertDescription::CertificateRevoked));
    assert_eq!(ask(gateway.port(443), &made(8), "other.test"), alert(AlertDescription::UnknownCA));
    gateway.stop();
}

#[test]
fn case_46_generic_keys_of_a_secret_are_stronger() {
    let root = Authority::new("root");
    let (generic, other) = (root.leaf(&["a.test"]), root.leaf(&["a.test"]));
    let values = [&pair(&other)[..], &[("cert", generic.chain.as_str()), ("key", &generic.key)]].concat();
    let yaml = servers(&[("a.test", "mode: SIMPLE, credentialName: cred")]) + &secret("cred", &values);
    let gateway = Gateway::start(&[443], &yaml);
    assert_eq!(ask(gateway.port(443), &believing(&[&root], None), "a.test").unwrap().0, generic.der);
    gateway.stop();
}

fn checked(directory: &Path, yaml: &str) -> (Option<i32>, String) {
    let path = directory.join("checked.yaml");
    fs::write(&path, yaml).unwrap();
    let (code, _, said) = run(&["check", path.to_str().unwrap()]);
    (code, said)
}

#[test]
fn check_tells_what_is_wrong_with_files_and_secrets() {
    let root = Authority::new("root");
    let (good, other) = (root.leaf(&["a.test"]), root.leaf(&["a.test"]));
    let ended = root.make(LeafParams::new(&["a.test"]).years(2020, 2021));
    let directory = std::env::temp_dir().join(format!("sluicegate-check-tls-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (chain, key, wrong) =
        (file("a.crt", &good.chain), file("a.key", &good.key), file("other.key", &other.key));
    let tls = |chain: &str, key: &str| {
        servers(&[("a.test", &format!("mode: SIMPLE, serverCertificate: {chain}, privateKey: {key}"))])
    };
    let (code, said) = checked(&directory, &tls(&chain, &key));
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for (yaml, expected) in [
        (
            tls(&chain, "/nowhere/a.key"),
            "warning[missing-certificate]: `/nowhere/a.key` does not exist".to_owned(),
        ),
        (tls(&chain, &wrong), format!("`{wrong}` is not the key of the first certificate in `{chain}`")),
        (
            tls(&file("ended.crt", &ended.chain), &file("ended.key", &ended.key)),
            "has ended at 2021-01-01 00:00 UTC: it is used all the same".to_owned(),
        ),
        (
            servers(&[("a.test", "mode: SIMPLE, credentialName: cred")])
                + &secret("cred", &[("tls.crt", &good.chain), ("tls.key", "no key")]),
            "key `tls.key` of Secret `default/cred` has no key in it".to_owned(),
        ),
    ] {
        let (code, said) = checked(&directory, &yaml);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&expected), "{expected}: {said}");
        assert!(said.contains("checked.yaml:9:") && said.contains("Gateway default/gw"), "{said}");
        assert!(!said.contains("PRIVATE KEY-----\n") && !said.contains("no key\n"), "{said}");
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn origins_are_told_of_the_clients_certificate() {
    let (root, clients) = (Authority::new("root"), Authority::new("clients"));
    let (leaf, own) = (root.leaf(&["a.test", "spiffe://us"]), clients.leaf(&["c.test", "spiffe://td/ns/a"]));
    let origin = Origin::echo();
    let ca = clients.pem();
    let values = [&pair(&leaf)[..], &[("ca.crt", ca.as_str())]].concat();
    let yaml = servers(&[("a.test", "mode: OPTIONAL_MUTUAL, credentialName: cred")]).replace(
        "directResponse: {status: 200, body: {string: a.test}}",
        "route: [{destination: {host: o.test}}]\n    headers: {request: {set: {x-tls: \"%DOWNSTREAM_TLS_VERSION% \
         %DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_PEER_SUBJECT% %REQUESTED_SERVER_NAME%\"}}}",
    ) + &secret("cred", &values)
        + &service_entry("o.test", origin.port());
    let gateway = Gateway::start(&[443], &yaml);
    let forged = [("x-forwarded-client-cert", "Hash=forged"), ("x-forwarded-proto", "http")];
    let echo = |own: Option<&Leaf>| {
        let config = Arc::new(believing(&[&root], own));
        let mut client = TlsClient::connect(gateway.port(443), &config, "a.test").unwrap();
        let (status, body) = client.get("a.test", &forged).unwrap();
        assert_eq!(status, 200);
        body
    };
    let line = |body: &str, name: &str| {
        let prefix = format!("{name}: ");
        body.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    let shown = echo(Some(&own));
    let xfcc = line(&shown, "x-forwarded-client-cert").unwrap();
    assert!(xfcc.starts_with("By=spiffe://us;Hash="), "{xfcc}");
    assert!(xfcc.contains(";Cert=\"-----BEGIN%20CERTIFICATE-----%0A"), "{xfcc}");
    assert!(xfcc.ends_with(";Subject=\"CN=c.test\";URI=spiffe://td/ns/a;DNS=c.test"), "{xfcc}");
    assert_eq!(line(&shown, "x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(line(&shown, "x-tls").as_deref(), Some("TLSv1.3 TLS_AES_128_GCM_SHA256 CN=c.test a.test"));
    let anonymous = echo(None);
    assert_eq!(line(&anonymous, "x-forwarded-client-cert"), None);
    assert_eq!(line(&anonymous, "x-tls").as_deref(), Some("TLSv1.3 TLS_AES_128_GCM_SHA256  a.test"));
    gateway.stop();
}
