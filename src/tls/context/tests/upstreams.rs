//! Which upstreams are believed.

use super::support::*;
use crate::tls::{
    Cache, CertificateSource, ClientContext, ClientHello, ClientSpec, Material, NameRule, ServerVerification,
    SystemRoots,
};
use rustls::{
    CertificateError, Error, HandshakeKind,
    pki_types::{CertificateDer, pem::PemObject},
};

fn material(authority: &Authority, revoked: Option<&str>) -> Material {
    Material { authorities: Some(authorities(&authority.pem(), revoked)), ..Material::default() }
}

/// What a context says of a server, by the name that is sent.
fn judge(context: &ClientContext, leaf: &Leaf, name: Option<&str>) -> Result<(), Error> {
    let name = ClientContext::server_name(name).unwrap();
    match handshake(context.config(), foreign_server(leaf), name) {
        Ok(shaken) => {
            assert_eq!(shaken.client.handshake_kind(), Some(HandshakeKind::Full));
            Ok(())
        }
        Err(failed) => Err(failed.client.unwrap()),
    }
}

#[test]
fn names() {
    let root = Authority::new("root");
    let leaf = root.leaf(&["a.example.com", "*.b.example.com", "127.0.0.1", "spiffe://td/x"]);
    let listed = |names: &[&str]| NameRule::Listed(names.iter().map(|name| Box::from(*name)).collect());
    for (rule, name, expected) in [
        (NameRule::ServerName, Some("a.example.com"), true),
        (NameRule::ServerName, Some("A.Example.COM."), true),
        (NameRule::ServerName, Some("x.b.example.com"), true),
        (NameRule::ServerName, Some("other"), false),
        (NameRule::ServerName, Some("127.0.0.1"), true),
        (NameRule::ServerName, Some("[::1]"), false),
        (NameRule::ServerName, None, true),
        (NameRule::Any, Some("other"), true),
        (NameRule::Any, None, true),
        (listed(&["spiffe://td/x"]), Some("other"), true),
        (listed(&["y.b.example.com"]), None, true),
        (listed(&["spiffe://td/y", "other"]), Some("a.example.com"), false),
    ] {
        let context = client(&upstream(rule.clone()), &material(&root, None));
        assert_eq!(judge(&context, &leaf, name).is_ok(), expected, "{rule:?} {name:?}");
    }
    assert!(ClientContext::server_name(Some("a b")).is_none());
    assert!(ClientContext::server_name(Some("outbound_.80_._.a.default.svc.cluster.local")).is_some());
}

#[test]
fn the_chain_comes_before_the_name() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    for rule in [NameRule::Any, NameRule::ServerName, NameRule::Listed(vec!["b".into()])] {
        let context = client(&upstream(rule), &material(&root, None));
        let judged = judge(&context, &other.leaf(&["b"]), Some("a"));
        assert_eq!(judged, Err(CertificateError::UnknownIssuer.into()));
        let ended = root.make(LeafParams::new(&["b"]).years(2020, 2021));
        let judged = judge(&context, &ended, Some("a"));
        assert!(matches!(judged, Err(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))));
    }
}

#[test]
fn revoked_ones() {
    let root = Authority::new("root");
    let list = root.revoked(&[7]);
    let context = client(&upstream(NameRule::Any), &material(&root, Some(&list)));
    let made = |serial| root.make(LeafParams::new(&["a"]).serial(serial));
    assert_eq!(judge(&context, &made(8), Some("b")), Ok(()));
    assert_eq!(judge(&context, &made(7), Some("b")), Err(CertificateError::Revoked.into()));
}

#[test]
fn its_own_authority_none_and_those_of_the_system() {
    let own = LeafParams::new(&["a"]).self_signed();
    let named = Material { authorities: Some(authorities(&own.chain, None)), ..Material::default() };
    let context = client(&upstream(NameRule::ServerName), &named);
    assert_eq!(judge(&context, &own, Some("a")), Ok(()));
    assert_eq!(judge(&context, &own, Some("b")), Err(CertificateError::NotValidForName.into()));

    let spec = ClientSpec { verify: ServerVerification::None, ..upstream(NameRule::Any) };
    assert_eq!(judge(&client(&spec, &Material::default()), &own, Some("b")), Ok(()));

    let root = Authority::new("root");
    let verify = ServerVerification::Chain { authorities: None, names: NameRule::ServerName };
    let spec = ClientSpec { verify, ..upstream(NameRule::Any) };
    let none = ClientContext::build(&spec, &Material::default(), &Cache::default());
    assert!(none.context.is_none() && none.problems[0].to_string().contains("install ca-certificates"));
    let system = SystemRoots::new([CertificateDer::from_pem_slice(root.pem().as_bytes()).unwrap()]);
    assert_eq!(system.as_ref().map(SystemRoots::count), Some(1));
    let context = client(&spec, &Material { system_roots: system, ..Material::default() });
    assert_eq!(judge(&context, &root.leaf(&["a"]), Some("a")), Ok(()));
    assert!(judge(&context, &own, Some("a")).is_err());
}

#[test]
fn our_own_certificate_is_shown() {
    let (theirs, ours) = (Authority::new("theirs"), Authority::new("ours"));
    let own = ours.leaf(&["client"]);
    let source = CertificateSource::Files { certificate: "tls.crt".into(), key: "tls.key".into() };
    let spec = ClientSpec { certificate: Some(source), ..upstream(NameRule::ServerName) };
    let context =
        client(&spec, &Material { certificates: vec![certificate(&own)], ..material(&theirs, None) });
    let material = Material {
        certificates: vec![certificate(&theirs.leaf(&["a"]))],
        authorities: Some(authorities(&ours.pem(), None)),
        ..Material::default()
    };
    let server = server(&mutual(true), &material);
    let name = ClientContext::server_name(Some("a")).unwrap();
    let shaken = handshake(context.config(), server.config(&ClientHello::default()), name).unwrap();
    assert_eq!(**shaken.server.peer_certificates().unwrap().first().unwrap(), *own.der);
    assert_eq!(context.certificate().unwrap().dns_names, [Box::from("client")]);
    assert!(ClientContext::build(&spec, &material_without(&material), &Cache::default()).context.is_none());
}

fn material_without(material: &Material) -> Material {
    Material { certificates: Vec::new(), ..material.clone() }
}
