//! What clients get.

use super::support::*;
use crate::tls::{Group, Material, Parameters, ServerSpec, Suite};
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, DigitallySignedStruct, NamedGroup, ProtocolVersion,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    version,
};
use std::sync::{Arc, OnceLock};

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

/// A client that knows nothing but RSA, in one version.
fn rsa_only(authority: &Authority, tls13: bool) -> ClientConfig {
    let mut provider = default_provider();
    let known = provider.signature_verification_algorithms.mapping;
    let is_rsa = |scheme: SignatureScheme| format!("{scheme:?}").starts_with("RSA");
    let rsa: Vec<_> = known.iter().copied().filter(|(scheme, _)| is_rsa(*scheme)).collect();
    provider.signature_verification_algorithms.mapping = rsa.leak();
    let versions = if tls13 { [&version::TLS13] } else { [&version::TLS12] };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&versions).unwrap();
    builder.with_root_certificates(roots(authority)).with_no_client_auth()
}

#[test]
fn the_certificate_that_the_client_can_check() {
    let (root, rsa_root) = (Authority::new("root"), Authority::with_key("rsa root", KeyKind::Rsa));
    let rsa = rsa_root.make(LeafParams::new(&["a"]).key(KeyKind::Rsa));
    let ecdsa = root.leaf(&["a"]);
    // Whatever the order in which they are written.
    for leaves in [[&rsa, &ecdsa], [&ecdsa, &rsa]] {
        let context = server(&simple(), &material(&leaves));
        assert_eq!(shake(&foreign_client(&root, None), &context, "a").unwrap().shown(), ecdsa.der);
        for tls13 in [true, false] {
            let shaken = shake(&rsa_only(&rsa_root, tls13), &context, "a").unwrap();
            assert_eq!(shaken.shown(), rsa.der, "{tls13}");
        }
    }
    let failed =
        shake(&rsa_only(&rsa_root, true), &server(&simple(), &material(&[&ecdsa])), "a").unwrap_err();
    assert_eq!(failed.alert(), Some(AlertDescription::HandshakeFailure));
}

#[test]
fn versions_suites_and_groups() {
    let root = Authority::new("root");
    let material = material(&[&root.leaf(&["a"])]);
    let client = foreign_client(&root, None);
    let only12 = Parameters { tls13: false, ..Parameters::default() };
    let shaken = |parameters: Parameters| {
        shake(&client, &server(&ServerSpec { parameters, ..simple() }, &material), "a").unwrap()
    };
    let twelve = shaken(only12.clone());
    assert_eq!(twelve.version(), ProtocolVersion::TLSv1_2);
    assert_eq!(twelve.suite(), CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    let suites = vec![Suite::EcdsaChacha20, Suite::EcdsaAes128];
    let chosen = shaken(Parameters { suites, ..only12 });
    assert_eq!(chosen.suite(), CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    for (group, expected) in [
        (Group::X25519, NamedGroup::X25519),
        (Group::P256, NamedGroup::secp256r1),
        (Group::P384, NamedGroup::secp384r1),
        (Group::X25519MlKem768, NamedGroup::X25519MLKEM768),
    ] {
        assert_eq!(shaken(Parameters { groups: vec![group], ..Parameters::default() }).group(), expected);
    }

    let only13 = Parameters { tls12: false, ..Parameters::default() };
    let context = server(&ServerSpec { parameters: only13, ..simple() }, &material);
    let failed = shake(&foreign_client_of(&root, None, &[&version::TLS12]), &context, "a").unwrap_err();
    assert_eq!(failed.alert(), Some(AlertDescription::ProtocolVersion));
}

#[test]
fn the_cipher_that_is_fast_for_the_client() {
    let root = Authority::new("root");
    let context = server(&simple(), &material(&[&root.leaf(&["a"])]));
    for (version, aes, chacha) in [
        (&version::TLS13, CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        (
            &version::TLS12,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
    ] {
        for (is_reversed, expected) in [(false, aes), (true, chacha)] {
            let mut provider = default_provider();
            if is_reversed {
                // The last one of ours is ChaCha20.
                provider.cipher_suites.reverse();
            }
            let builder = ClientConfig::builder_with_provider(Arc::new(provider));
            let builder = builder.with_protocol_versions(&[version]).unwrap();
            let client = builder.with_root_certificates(roots(&root)).with_no_client_auth();
            assert_eq!(shake(&client, &context, "a").unwrap().suite(), expected);
        }
    }
}

#[test]
fn case_47_a_staple_is_sent_to_who_asks() {
    #[derive(Debug)]
    struct Seen(OnceLock<Vec<u8>>, Arc<rustls::client::WebPkiServerVerifier>);

    impl ServerCertVerifier for Seen {
        fn verify_server_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            intermediates: &[CertificateDer<'_>],
            server_name: &ServerName<'_>,
            ocsp_response: &[u8],
            now: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            self.0.set(ocsp_response.to_vec()).unwrap();
            self.1.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            self.1.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            self.1.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.1.supported_verify_schemes()
        }
    }

    let root = Authority::new("root");
    let mut certificate = certificate(&root.leaf(&["a"]));
    certificate.staple = Some(bytes("tls.ocsp-staple", "a response"));
    let context = server(&simple(), &Material { certificates: vec![certificate], ..Material::default() });
    for version in [&version::TLS13, &version::TLS12] {
        let mut client = foreign_client_of(&root, None, &[version]);
        let provider = Arc::new(default_provider());
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots(&root).into(), provider);
        let seen = Arc::new(Seen(OnceLock::new(), verifier.build().unwrap()));
        client.dangerous().set_certificate_verifier(Arc::clone(&seen) as _);
        shake(&client, &context, "a").unwrap();
        assert_eq!(seen.0.get().unwrap(), b"a response");
    }
}
