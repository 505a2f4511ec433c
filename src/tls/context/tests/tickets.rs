//! Sessions that are taken up again.

use super::support::*;
use crate::tls::{
    Alpn, ClientAuthentication, ClientContext, Material, NameRule, ServerContext, ServerSpec, TicketSecret,
};
use rustls::{ClientConfig, version};
use std::sync::Arc;

struct Scene {
    ours: Authority,
    theirs: Authority,
    material: Material,
    secret: TicketSecret,
    client: Leaf,
}

impl Scene {
    fn new() -> Scene {
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        let material = Material {
            certificates: vec![certificate(&ours.leaf(&["a"]))],
            authorities: Some(authorities(&theirs.pem(), None)),
            ..Material::default()
        };
        let client = theirs.leaf(&["client"]);
        Scene { ours, theirs, material, secret: TicketSecret::new().unwrap(), client }
    }

    fn context(&self, spec: &ServerSpec) -> ServerContext {
        server_with(spec, &self.material, &self.secret)
    }

    /// Clients of both versions, which remember sessions.
    fn clients(&self) -> [ClientConfig; 2] {
        [&version::TLS13, &version::TLS12]
            .map(|version| foreign_client_of(&self.ours, Some(&self.client), &[version]))
    }

    /// Whether a session of one server is taken up by another, in both versions.
    fn resumes(&self, first: &ServerContext, then: &ServerContext) -> bool {
        let [thirteen, twelve] = self.clients().map(|client| {
            assert!(!shake(&client, first, "a").unwrap().is_resumed());
            shake(&client, then, "a").unwrap().is_resumed()
        });
        assert_eq!(thirteen, twelve);
        thirteen
    }
}

#[test]
fn by_the_same_server_on_another_shard_or_after_a_reload() {
    let scene = Scene::new();
    assert!(scene.resumes(&scene.context(&simple()), &scene.context(&simple())));
    assert!(scene.resumes(&scene.context(&mutual(true)), &scene.context(&mutual(true))));
    // Another certificate of our own decides nothing about clients.
    let certificates = vec![certificate(&scene.ours.leaf(&["a"]))];
    let renewed = Material { certificates, ..scene.material.clone() };
    let renewed = server_with(&simple(), &renewed, &scene.secret);
    assert!(scene.resumes(&scene.context(&simple()), &renewed));
}

#[test]
fn the_client_is_still_known() {
    let scene = Scene::new();
    let context = scene.context(&mutual(true));
    for client in scene.clients() {
        shake(&client, &context, "a").unwrap();
        let shaken = shake(&client, &context, "a").unwrap();
        assert!(shaken.is_resumed());
        assert_eq!(**shaken.server.peer_certificates().unwrap().first().unwrap(), *scene.client.der);
    }
}

#[test]
fn by_nobody_who_believes_others() {
    let scene = Scene::new();
    let changed = |change: fn(&mut ClientAuthentication)| {
        let mut spec = mutual(true);
        change(&mut spec.client);
        scene.context(&spec)
    };
    let base = || scene.context(&mutual(true));
    let mut others = vec![
        ("none", scene.context(&simple())),
        ("optional", scene.context(&mutual(false))),
        ("server", scene.context(&ServerSpec { name: "other".into(), ..mutual(true) })),
        (
            "names",
            changed(|client| {
                if let ClientAuthentication::Certificate { names, .. } = client {
                    names.push("client".into());
                }
            }),
        ),
        (
            "untrusted",
            changed(|client| {
                if let ClientAuthentication::Certificate { accept_untrusted, .. } = client {
                    *accept_untrusted = true;
                }
            }),
        ),
    ];
    let more = scene.theirs.pem() + &Authority::new("more").pem();
    for (what, material) in [
        ("authorities", authorities(&more, None)),
        ("revoked", authorities(&scene.theirs.pem(), Some(&scene.theirs.revoked(&[200])))),
    ] {
        let material = Material { authorities: Some(material), ..scene.material.clone() };
        others.push((what, server_with(&mutual(true), &material, &scene.secret)));
    }
    for (what, other) in &others {
        assert!(!scene.resumes(&base(), other), "{what}");
        assert!(!scene.resumes(other, &base()), "{what}");
    }
    assert!(scene.resumes(&base(), &base()));
}

#[test]
fn until_the_secret_after_the_next() {
    let scene = Scene::new();
    let first = scene.context(&mutual(true));
    let next = scene.secret.next().unwrap();
    let second = first.with_tickets(&next);
    assert!(scene.resumes(&first, &second));
    assert!(scene.resumes(&second, &second));
    assert!(!scene.resumes(&first, &second.with_tickets(&next.next().unwrap())));
}

#[test]
fn two_tickets_and_none_early() {
    let scene = Scene::new();
    let context = scene.context(&simple());
    let [client, _] = scene.clients();
    let shaken = shake(&client, &context, "a").unwrap();
    assert_eq!(shaken.client.tls13_tickets_received(), 2);
    let again = shake(&client, &context, "a").unwrap();
    assert!(again.is_resumed() && !again.client.is_early_data_accepted());
}

#[test]
fn upstreams_resume_on_one_shard_alone() {
    let ours = Authority::new("ours");
    let server = foreign_server(&ours.leaf(&["a"]));
    let material = Material { authorities: Some(authorities(&ours.pem(), None)), ..Material::default() };
    let context = client(&upstream(NameRule::ServerName), &material);
    let shake = |context: &ClientContext| {
        let name = ClientContext::server_name(Some("a")).unwrap();
        handshake(context.config(), server.clone(), name).unwrap().is_resumed()
    };
    assert!(!shake(&context));
    assert!(shake(&context));
    assert!(!shake(&context.for_shard()));
}

#[test]
fn upstreams_of_http2_have_sessions_of_their_own() {
    let ours = Authority::new("ours");
    let mut server = (*foreign_server(&ours.leaf(&["a"]))).clone();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let server = Arc::new(server);
    let material = Material { authorities: Some(authorities(&ours.pem(), None)), ..Material::default() };
    let context = client(&upstream(NameRule::ServerName), &material);
    let shake = |alpn| {
        let name = ClientContext::server_name(Some("a")).unwrap();
        let shaken = handshake(Arc::clone(context.config_for(alpn)), server.clone(), name).unwrap();
        (shaken.client.alpn_protocol().map(<[u8]>::to_vec), shaken.is_resumed())
    };
    let http2 = Some(b"h2".to_vec());
    for (alpn, expected) in [
        (Alpn::None, (None, false)),
        (Alpn::Http2, (http2.clone(), false)),
        (Alpn::Http2, (http2, true)),
        (Alpn::None, (None, true)),
    ] {
        assert_eq!(shake(alpn), expected, "{alpn:?}");
    }
}
