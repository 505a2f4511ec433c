//! What clients get.

use super::support::*;
use crate::tls::Material;
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

fn material(leaves: &[&Leaf]) -> Material {
    Material { certificates: leaves.iter().map(|leaf| certificate(leaf)).collect(), ..Material::default() }
}

#[test]
fn keys_of_all_kinds_and_chains() {
    let root = Authority::new("root");
    let between = root.intermediate("between");
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa] {
        let leaf = between.make(LeafParams::new(&["a.example.com"]).key(kind));
        let shaken =
            shake(&foreign_client(&root, None), &server(&simple(), &material(&[&leaf])), "a.example.com");
        let shaken = shaken.unwrap();
        assert_eq!(shaken.shown(), leaf.der, "{kind:?}");
        assert_eq!(shaken.version(), ProtocolVersion::TLSv1_3);
        assert_eq!(shaken.group(), NamedGroup::X25519MLKEM768);
        assert_eq!(shaken.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    }
}

#[test]
fn alpn_is_chosen_by_us_and_none_in_common_is_no_failure() {
    let root = Authority::new("root");
    let context = server(&simple(), &material(&[&root.leaf(&["a"])]));
    for (offered, expected) in [
        (&[][..], None),
        (&["http/1.1"][..], Some("http/1.1")),
        (&["http/1.1", "h2"][..], Some("h2")),
        (&["spdy/3", "http/1.1"][..], Some("http/1.1")),
        (&["spdy/3"][..], None),
    ] {
        let mut client = foreign_client(&root, None);
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let shaken = shake(&client, &context, "a").unwrap();
        assert_eq!(shaken.client.alpn_protocol(), expected.map(str::as_bytes), "{offered:?}");
    }
}

#[test]
fn keys_leave_for_the_record_layer() {
    let root = Authority::new("root");
    let shaken =
        shake(&foreign_client(&root, None), &server(&simple(), &material(&[&root.leaf(&["a"])])), "a")
            .unwrap();
    assert!(shaken.server.dangerous_extract_secrets().is_ok());
}
