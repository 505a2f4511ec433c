//! Whose certificates are accepted.

use super::support::*;
use crate::tls::{
    CertificateFacts, ClientAuthentication, Material, PeerCertificate, Pins, ServerContext, ServerSpec,
};
use rustls::{AlertDescription, ClientConfig, version};

/// A server's authority, its certificate, and the authority for clients.
struct Scene {
    ours: Authority,
    leaf: Leaf,
    theirs: Authority,
}

impl Scene {
    fn new() -> Scene {
        let ours = Authority::new("ours");
        let leaf = ours.leaf(&["a"]);
        Scene { ours, leaf, theirs: Authority::new("theirs") }
    }

    fn material(&self, revoked: Option<&str>) -> Material {
        Material {
            certificates: vec![certificate(&self.leaf)],
            authorities: Some(authorities(&self.theirs.pem(), revoked)),
            ..Material::default()
        }
    }

    fn context(&self, spec: &ServerSpec, revoked: Option<&str>) -> ServerContext {
        server(spec, &self.material(revoked))
    }

    /// What comes of a client with this certificate, in both versions: nothing, or the alert.
    fn alert(&self, context: &ServerContext, own: Option<&Leaf>) -> Option<AlertDescription> {
        let [thirteen, twelve] = [&version::TLS13, &version::TLS12].map(|version| {
            let client: ClientConfig = foreign_client_of(&self.ours, own, &[version]);
            let failed = shake(&client, context, "a").err()?;
            Some(failed.alert().unwrap_or_else(|| panic!("{failed:?}")))
        });
        // TLS 1.2 has no alert of its own for a certificate that is missing.
        let is_missing = thirteen == Some(AlertDescription::CertificateRequired);
        assert!(thirteen == twelve || is_missing && twelve.is_some(), "{thirteen:?} {twelve:?}");
        thirteen
    }
}

fn with(change: impl FnOnce(&mut Vec<Box<str>>, &mut Pins, &mut bool)) -> ServerSpec {
    let mut spec = mutual(true);
    if let ClientAuthentication::Certificate { names, pins, accept_untrusted, .. } = &mut spec.client {
        change(names, pins, accept_untrusted);
    }
    spec
}

#[test]
fn required_and_optional() {
    let scene = Scene::new();
    let (known, unknown) = (scene.theirs.leaf(&["client"]), Authority::new("x").leaf(&["client"]));
    let between = scene.theirs.intermediate("between").leaf(&["client"]);
    let ended = scene.theirs.make(LeafParams::new(&["client"]).years(2020, 2021));
    for is_required in [true, false] {
        let context = scene.context(&mutual(is_required), None);
        assert_eq!(scene.alert(&context, Some(&known)), None);
        assert_eq!(scene.alert(&context, Some(&between)), None);
        // Case 37 where it is optional, 41 where it is not.
        assert_eq!(scene.alert(&context, Some(&unknown)), Some(AlertDescription::UnknownCA));
        assert_eq!(scene.alert(&context, Some(&ended)), Some(AlertDescription::CertificateExpired));
        let missing = is_required.then_some(AlertDescription::CertificateRequired);
        assert_eq!(scene.alert(&context, None), missing);
    }
    assert_eq!(scene.alert(&scene.context(&simple(), None), Some(&unknown)), None, "nobody asks for it");
}

#[test]
fn who_is_the_authority_needs_no_word() {
    let scene = Scene::new();
    let own = LeafParams::new(&["client"]).self_signed();
    let material =
        |leaf: &Leaf| Material { authorities: Some(authorities(&leaf.chain, None)), ..scene.material(None) };
    assert_eq!(scene.alert(&server(&mutual(true), &material(&own)), Some(&own)), None);
    let other = LeafParams::new(&["client"]).self_signed();
    assert!(scene.alert(&server(&mutual(true), &material(&own)), Some(&other)).is_some());
    let ended = LeafParams::new(&["client"]).years(2020, 2021).self_signed();
    let alert = scene.alert(&server(&mutual(true), &material(&ended)), Some(&ended));
    assert_eq!(alert, Some(AlertDescription::CertificateExpired));
}

#[test]
fn cases_43_to_45_what_was_revoked() {
    let scene = Scene::new();
    let made = |serial| scene.theirs.make(LeafParams::new(&["client"]).serial(serial));
    let context = scene.context(&mutual(true), Some(&scene.theirs.revoked(&[7])));
    assert_eq!(scene.alert(&context, Some(&made(8))), None);
    assert_eq!(scene.alert(&context, Some(&made(7))), Some(AlertDescription::CertificateRevoked));

    let other = scene.context(&mutual(true), Some(&Authority::new("x").revoked(&[7])));
    assert_eq!(scene.alert(&other, Some(&made(8))), Some(AlertDescription::UnknownCA));

    // Every authority of a chain has to have a list.
    let between = scene.theirs.intermediate("between");
    let below = between.make(LeafParams::new(&["client"]).serial(9));
    assert_eq!(scene.alert(&context, Some(&below)), Some(AlertDescription::UnknownCA));
    let both = scene.theirs.revoked(&[7]) + &between.revoked(&[1]);
    assert_eq!(scene.alert(&scene.context(&mutual(true), Some(&both)), Some(&below)), None);
    let both = scene.theirs.revoked(&[7]) + &between.revoked(&[9]);
    let revoked = scene.alert(&scene.context(&mutual(true), Some(&both)), Some(&below));
    assert_eq!(revoked, Some(AlertDescription::CertificateRevoked));
}

#[test]
fn names_and_pins() {
    let scene = Scene::new();
    let client = scene.theirs.leaf(&["b.example.com", "spiffe://td/ns/x/sa/y"]);
    let facts = CertificateFacts::parse(&client.der).unwrap();
    let refused = Some(AlertDescription::CertificateUnknown);
    for (names, expected) in [
        (&["spiffe://td/ns/x/sa/y"][..], None),
        (&["nobody", "B.example.com"][..], None),
        (&["example.com", "spiffe://td/ns/x/sa/Y"][..], refused),
    ] {
        let spec = with(|to, _, _| *to = names.iter().map(|name| Box::from(*name)).collect());
        assert_eq!(scene.alert(&scene.context(&spec, None), Some(&client)), expected, "{names:?}");
    }
    let other = [9; 32];
    for (keys, certificates, expected) in [
        (vec![facts.key_sha256], vec![], None),
        (vec![], vec![facts.sha256], None),
        (vec![other], vec![facts.sha256], None),
        (vec![facts.key_sha256], vec![other], None),
        (vec![other], vec![], refused),
        (vec![facts.sha256], vec![facts.key_sha256], refused),
    ] {
        let spec = with(|_, pins, _| *pins = Pins { keys, certificates });
        assert_eq!(scene.alert(&scene.context(&spec, None), Some(&client)), expected);
    }
}

#[test]
fn untrusted_ones_are_accepted_where_that_is_asked_for() {
    let scene = Scene::new();
    let unknown = Authority::new("x").leaf(&["client"]);
    let context = scene.context(&with(|_, _, accept| *accept = true), None);
    assert_eq!(scene.alert(&context, Some(&unknown)), None);
    assert_eq!(scene.alert(&context, None), Some(AlertDescription::CertificateRequired));
    let named = scene.context(
        &with(|names, _, accept| {
            *accept = true;
            names.push("other".into());
        }),
        None,
    );
    assert_eq!(scene.alert(&named, Some(&unknown)), Some(AlertDescription::CertificateUnknown));
    // Somebody else's certificate, without its key.
    let thief = Leaf { key: scene.theirs.leaf(&["thief"]).key, ..unknown };
    let stolen = foreign_client_with(&scene.ours, &thief);
    assert_eq!(shake(&stolen, &context, "a").unwrap_err().alert(), Some(AlertDescription::DecryptError));
}

#[test]
fn what_a_certificate_says() {
    let authority = Authority::new("root, \"of\" all");
    let names = ["a.example.com", "*.b.example.com", "spiffe://td/a", "10.1.2.3", "::1", "x@example.com"];
    let leaf = authority.make(LeafParams::new(&names).organization("Ä+B").serial(0xab).years(2020, 2030));
    let facts = CertificateFacts::parse(&leaf.der).unwrap();
    assert_eq!(&*facts.subject, "O=\\C3\\84\\+B,CN=a.example.com");
    assert_eq!(&*facts.issuer, "CN=root\\, \\\"of\\\" all");
    assert_eq!((&*facts.serial, facts.not_before, facts.not_after), ("ab", 1_577_836_800, 1_893_456_000));
    assert_eq!(facts.dns_names, ["a.example.com".into(), Box::from("*.b.example.com")]);
    assert_eq!((&*facts.uris[0], &*facts.emails[0]), ("spiffe://td/a", "x@example.com"));
    assert_eq!(facts.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.2.3", "::1"]);
    assert_eq!(CertificateFacts::parse(b"\x30\x03abc"), None);
}

#[test]
fn nothing_that_a_certificate_says_panics() {
    let names = ["a.example.com", "spiffe://td/a", "10.1.2.3", "x@example.com"];
    let leaf = Authority::new("root").make(LeafParams::new(&names).organization("Ä+B").padded(300));
    for at in 0..leaf.der.len() {
        for value in [0, 1, 2, 12, 30, 48, 127, 128, 129, 132, 255] {
            let mut mutant = leaf.der.clone();
            mutant[at] = value;
            if let Some(peer) = PeerCertificate::new(&mutant, None) {
                assert!(peer.xfcc.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{at} {value}");
            }
        }
        assert_eq!(CertificateFacts::parse(&leaf.der[..at]), None);
    }
}
