//! The five servers of the Bookinfo example, all of them serving: the configuration is that of `config/bookinfo`, with
//! ports of this test in place of the origins' and without its place in the file system.

use super::{
    client::Client,
    harness::{Folder, Gateway, Launch},
    mongo,
    origin::{Origin, dead_port},
    tools::{Ask, Tool, has},
};
use std::{fs, path::Path};

/// The ports that its Gateway declares.
const PORTS: [u16; 5] = [80, 443, 9443, 9080, 2379];

/// A team whose VirtualService is not in the namespace that the server on 9443 is for.
const STRANGER: &str = "\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: stranger, namespace: other-namespace}
spec:
  hosts: [fr.bookinfo.com]
  gateways: [some-config-namespace/my-gateway]
  http:
  - directResponse: {status: 200, body: {string: stranger}}
";

struct Bookinfo {
    gateway: Gateway,
    mongo: u16,
}

/// The example's files with these changes.
fn files(changes: &[(&str, String)]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bookinfo");
    let mut text = String::new();
    for file in ["gateway.yaml", "routes.yaml", "services.yaml", "secret.yaml"] {
        text.push_str("---\n");
        text.push_str(&fs::read_to_string(folder.join(file)).unwrap());
    }
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), if from.contains("certs/") { 2 } else { 1 }, "{from}");
        text = text.replace(from, to);
    }
    text + STRANGER
}

impl Bookinfo {
    fn start(arguments: &[&str]) -> Bookinfo {
        let certificates = concat!(env!("CARGO_MANIFEST_DIR"), "/config/bookinfo/certs/");
        let mongo = dead_port();
        let entry = "ports: [{number: 27017, name: mongo, protocol: MONGO}]\n  resolution: STATIC\n  \
                     endpoints: [{address: 127.0.0.1";
        let mut changes = vec![
            ("config/bookinfo/certs/", certificates.to_owned()),
            (entry, format!("{entry}, ports: {{mongo: {mongo}}}")),
        ];
        for (port, name) in [
            ("http: 9901", "productpage"),
            ("http: 9902", "reviews-v1"),
            ("http: 9903", "reviews-v2"),
            ("http: 9904", "ratings"),
        ] {
            changes.push((port, format!("http: {}", Origin::named(name).port())));
        }
        let yaml = files(&changes);
        let arguments = [&["--labels", "app=my-gateway-controller"], arguments].concat();
        let launch = Launch { declared: &PORTS, yaml: &yaml, arguments: &arguments, ..Launch::default() };
        Bookinfo { gateway: Gateway::launch(launch), mongo }
    }

    /// What curl gets from `https://NAME:PORT/` with the right authority, or with another.
    fn curl(&self, declared: u16, name: &str, host: &str, authority: &Path) -> Result<(u16, String), String> {
        let port = self.gateway.port(declared);
        let ask =
            Ask { port, name: Some(name), host: Some(host), authority: Some(authority), ..Ask::default() };
        match Tool::Curl.get(ask) {
            super::tools::Outcome::Served(served) => Ok((served.status, served.body)),
            super::tools::Outcome::Refused(why) => Err(why),
        }
    }
}

#[test]
fn port_80_sends_everybody_to_https() {
    let site = Bookinfo::start(&[]);
    for host in ["uk.bookinfo.com", "eu.bookinfo.com"] {
        let answer = site.gateway.get(80, host, "/reviews/1?a=b");
        let location = format!("https://{host}/reviews/1?a=b");
        assert_eq!((answer.status, answer.field("location")), (301, Some(&*location)));
    }
    assert_eq!(site.gateway.get(80, "fr.bookinfo.com", "/").status, 404);
    site.gateway.stop();
}

#[test]
fn ports_443_and_9443_serve_curl_with_the_right_authority() {
    if !has("curl") {
        return;
    }
    let site = Bookinfo::start(&[]);
    // A certificate that vouches for itself.
    let right = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bookinfo/certs/example-cert.pem");
    let folder = Folder::new();
    let wrong = folder.put("wrong.crt", &super::certificates::Authority::new("wrong").pem());
    for declared in [443, 9443] {
        let (status, body) = site.curl(declared, "uk.bookinfo.com", "uk.bookinfo.com", &right).unwrap();
        assert!(status == 200 && body.starts_with("origin: productpage\n"), "{declared}: {status} {body}");
        // The same server has both names.
        assert_eq!(site.curl(declared, "uk.bookinfo.com", "eu.bookinfo.com", &right).unwrap().0, 200);
        let why = site.curl(declared, "uk.bookinfo.com", "uk.bookinfo.com", &wrong).unwrap_err();
        assert!(why.contains("certificate"), "{declared}: {why}");
        // A name that no server has gets no certificate.
        assert!(site.curl(declared, "uk.example.com", "uk.bookinfo.com", &right).is_err(), "{declared}");
        // A Host that no server has.
        assert_eq!(
            site.curl(declared, "uk.bookinfo.com", "uk.example.com", &right).unwrap().0,
            404,
            "{declared}"
        );
    }
    // 443 has two names, 9443 all of the domain, of which the routes have two.
    assert!(site.curl(443, "fr.bookinfo.com", "fr.bookinfo.com", &right).is_err());
    // A VirtualService of another namespace is not for it, though it is for 9080.
    assert_eq!(site.curl(9443, "fr.bookinfo.com", "fr.bookinfo.com", &right).unwrap().0, 404);
    assert_eq!(site.gateway.get(9080, "fr.bookinfo.com", "/").text(), "stranger");
    site.gateway.stop();
}

#[test]
fn a_secret_of_another_namespace_closes_its_server_alone() {
    if !has("curl") {
        return;
    }
    // The Secret is in `default`, and the gateway is not.
    let site = Bookinfo::start(&["--namespace", "elsewhere"]);
    let right = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/bookinfo/certs/example-cert.pem");
    assert!(site.curl(9443, "uk.bookinfo.com", "uk.bookinfo.com", &right).is_err());
    assert_eq!(site.curl(443, "uk.bookinfo.com", "uk.bookinfo.com", &right).unwrap().0, 200);
    assert_eq!(site.gateway.get(9080, "uk.bookinfo.com", "/").status, 200);
    site.gateway.stop();
}

#[test]
fn port_9080_serves_every_host_that_the_routes_have() {
    let site = Bookinfo::start(&[]);
    for host in ["uk.bookinfo.com", "eu.bookinfo.com", "reviews.prod.svc.cluster.local"] {
        let name = |path| site.gateway.get(9080, host, path).echoed("origin").unwrap().to_owned();
        assert_eq!(name("/productpage"), "productpage");
        assert_eq!(name("/ratings/1"), "ratings");
        assert!(name("/reviews/1").starts_with("reviews-v"));
        let jason = site.gateway.request(9080, "GET", host, "/reviews/1", &[("end-user", "jason")]);
        assert_eq!(jason.echoed("origin"), Some("reviews-v2"));
    }
    assert_eq!(site.gateway.get(9080, "example.com", "/").status, 404);
    site.gateway.stop();
}

#[test]
fn port_2379_serves_a_real_driver_of_mongodb() {
    let site = Bookinfo::start(&[]);
    if mongo::cases(site.gateway.port(2379), site.mongo, &[]).is_some() {
        assert!(site.gateway.metric("sluicegate_mongo_commands_total") > 500.0);
    }
    // Whoever speaks something else is passed on as well: nobody listens there, and it is closed.
    let mut client: Client = site.gateway.connect(2379);
    client.try_send(b"no MongoDB\r\n");
    assert!(client.is_closed());
    site.gateway.stop();
}
