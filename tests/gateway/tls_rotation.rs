//! Certificates change while clients come and stay.

use super::{
    certificates::{Authority, Leaf, LeafParams},
    harness::Gateway,
    tls_client::{TlsClient, believing},
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

const SWAPS: u8 = 50;
/// Clients that make one connection after another, and clients that stay.
const CLIENTS: usize = 2;

/// A volume with the certificate, as Kubernetes replaces it: all at once, by another link at `..data`.
fn mount(at: &Path, leaf: &Leaf, number: u8) {
    let version = at.join(format!("..{number}"));
    fs::create_dir(&version).unwrap();
    fs::write(version.join("tls.crt"), &leaf.chain).unwrap();
    fs::write(version.join("tls.key"), &leaf.key).unwrap();
    symlink(format!("..{number}"), at.join("..new")).unwrap();
    fs::rename(at.join("..new"), at.join("..data")).unwrap();
    if let Some(before) = number.checked_sub(1) {
        let _ = fs::remove_dir_all(at.join(format!("..{before}")));
    }
}

#[test]
fn fifty_swaps_under_load() {
    let root = Authority::new("root");
    let leaves: Vec<Leaf> =
        (0..=SWAPS).map(|serial| root.make(LeafParams::new(&["a.test"]).serial(serial + 1))).collect();
    let volume = std::env::temp_dir().join(format!("sluicegate-rotation-{}", std::process::id()));
    fs::create_dir_all(&volume).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), volume.join(name)).unwrap();
    }
    mount(&volume, &leaves[0], 0);
    let at = volume.display();
    let yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  - port: {{number: \
         443, name: https, protocol: HTTPS}}\n    bind: 127.0.0.1\n    hosts: [a.test]\n    tls: {{mode: SIMPLE, \
         serverCertificate: {at}/tls.crt, privateKey: {at}/tls.key}}\n---\napiVersion: networking.istio.io/v1\nkind: \
         VirtualService\nmetadata: {{name: vs}}\nspec:\n  hosts: [a.test]\n  gateways: [gw]\n  http:\n  - \
         directResponse: {{status: 200, body: {{string: hi}}}}\n"
    );
    let gateway = Gateway::start(&[443], &yaml);
    let (port, config) = (gateway.port(443), Arc::new(believing(&[&root], None)));
    let over = AtomicBool::new(false);
    let (handshakes, requests) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut client = TlsClient::connect(port, &config, "a.test").expect("a handshake");
                    assert_eq!(client.get("a.test", &[]), Ok((200, "hi".into())));
                    handshakes.fetch_add(1, Ordering::Relaxed);
                }
            });
            scope.spawn(|| {
                let mut client = TlsClient::connect(port, &config, "a.test").unwrap();
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(client.get("a.test", &[]), Ok((200, "hi".into())), "a connection that stays");
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also if it panics: the others would go on for ever.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _end = End(&over);
        for number in 1..=SWAPS {
            let leaf = &leaves[usize::from(number)];
            mount(&volume, leaf, number);
            let shown = || TlsClient::connect(port, &config, "a.test").unwrap().shown();
            gateway.until("the new certificate is shown", || shown() == leaf.der);
        }
    });
    assert!(handshakes.load(Ordering::Relaxed) > usize::from(SWAPS), "{handshakes:?}");
    assert!(requests.load(Ordering::Relaxed) > usize::from(SWAPS), "{requests:?}");
    assert_eq!(gateway.metric("sluicegate_certificate_load_failures_total"), 0.0);
    gateway.stop();
    fs::remove_dir_all(volume).unwrap();
}

#[test]
fn a_signal_looks_at_once_and_half_a_change_changes_nothing() {
    let root = Authority::new("root");
    let (first, second) = (root.leaf(&["a.test"]), root.leaf(&["a.test"]));
    let directory = std::env::temp_dir().join(format!("sluicegate-signal-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("tls.crt"), &first.chain).unwrap();
    fs::write(directory.join("tls.key"), &first.key).unwrap();
    let at = directory.display();
    let yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  - port: {{number: \
         443, name: https, protocol: HTTPS}}\n    bind: 127.0.0.1\n    hosts: ['*']\n    tls: {{mode: SIMPLE, \
         serverCertificate: {at}/tls.crt, privateKey: {at}/tls.key}}\n"
    );
    let gateway = Gateway::start(&[443], &yaml);
    let config = Arc::new(believing(&[&root], None));
    let shown = || TlsClient::connect(gateway.port(443), &config, "a.test").unwrap().shown();
    assert_eq!(shown(), first.der);
    fs::write(directory.join("tls.crt"), &second.chain).unwrap();
    gateway.signal("HUP");
    gateway.said("is not the key of the first certificate in");
    assert_eq!(shown(), first.der);
    assert!(gateway.admin_page("/certs").text().contains("\"state\": \"kept\""));
    assert_eq!(gateway.metric("sluicegate_certificate_load_failures_total"), 1.0);
    fs::write(directory.join("tls.key"), &second.key).unwrap();
    gateway.signal("HUP");
    gateway.said("good again: in use is `CN=a.test`");
    gateway.until("the new one is shown", || shown() == second.der);
    let ends = gateway.admin_page("/stats/prometheus");
    let line = "sluicegate_certificate_expiry_timestamp_seconds{server=\"Gateway default/gw";
    assert!(ends.text().contains(line), "{}", ends.text());
    gateway.stop();
    fs::remove_dir_all(directory).unwrap();
}
