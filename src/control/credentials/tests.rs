//! Loading, keeping and telling.

use super::{Change, Condition, Credentials, News};
use crate::{
    config::{FileId, Input, Sources},
    control::{
        block_on,
        testing::Folder,
        watch::{Due, Keeper, Signature},
    },
    table::{ServerTlsId, Snapshot},
    tls::{
        CertificateSource, ClientAuthentication, ClientSpec, NameRule, Parameters, Place, SecretName,
        Secrets, ServerSpec, ServerVerification,
        testing::{Authority, Leaf, LeafParams},
    },
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

fn server(name: &str, source: CertificateSource) -> ServerSpec {
    ServerSpec {
        name: name.into(),
        place: Place {
            object: "Gateway infra/public".into(),
            field: "spec.servers[0].tls".into(),
            file: "a.yaml".into(),
            line: 2,
            column: 3,
        },
        certificates: vec![source],
        client: ClientAuthentication::None,
        parameters: Parameters::default(),
        alpn: Vec::new(),
    }
}

fn files(at: &Path) -> CertificateSource {
    CertificateSource::Files { certificate: at.join("tls.crt"), key: at.join("tls.key") }
}

fn write(at: &Path, leaf: &Leaf) {
    fs::write(at.join("tls.crt"), &leaf.chain).unwrap();
    fs::write(at.join("tls.key"), &leaf.key).unwrap();
}

fn snapshot(servers: Vec<ServerSpec>) -> Snapshot {
    Snapshot { server_tls: servers, ..Snapshot::default() }
}

fn load(snapshot: &Snapshot, secrets: Secrets) -> Credentials {
    Credentials::load(snapshot, secrets, SystemTime::now()).unwrap()
}

/// The serial numbers that servers show.
fn serials(credentials: &Credentials) -> Vec<Option<&str>> {
    credentials.views().map(|view| view.certificates.first().map(|facts| &*facts.serial)).collect()
}

fn said(news: &[News]) -> Vec<&str> {
    news.iter()
        .map(|news| match news {
            News::Good(text) | News::Bad(text) => text.as_str(),
        })
        .collect()
}

fn numbered(authority: &Authority, serial: u8) -> Leaf {
    authority.make(LeafParams::new(&["a"]).serial(serial))
}

#[test]
fn what_is_missing_takes_nobody_else_out_and_heals() {
    let folder = Folder::new();
    let authority = Authority::new("root");
    let (good, other) = (folder.path().join("good"), folder.path().join("other"));
    fs::create_dir(&good).unwrap();
    write(&good, &numbered(&authority, 1));
    let mut credentials =
        load(&snapshot(vec![server("a", files(&good)), server("b", files(&other))]), Secrets::default());
    assert_eq!(serials(&credentials), [Some("01"), None]);
    assert_eq!(credentials.failures(), 1);
    let initial = credentials.initial();
    assert!(initial.servers[0].is_some() && initial.servers[1].is_none());
    let found = credentials.refresh(SystemTime::now());
    assert!(found.changes.is_empty() && found.news.is_empty(), "{found:?}");

    fs::create_dir(&other).unwrap();
    write(&other, &numbered(&authority, 2));
    let found = credentials.refresh(SystemTime::now());
    assert!(matches!(found.changes.as_slice(), [Change::Server(ServerTlsId(1), _)]));
    assert!(said(&found.news)[0].starts_with("b: good again: in use is `CN=a` with serial number 02 until "));
    assert_eq!(serials(&credentials), [Some("01"), Some("02")]);
    assert_eq!(credentials.failures(), 1);
}

#[test]
fn the_last_good_one_stays() {
    let folder = Folder::new();
    let authority = Authority::new("root");
    let (first, second) = (numbered(&authority, 1), numbered(&authority, 2));
    write(folder.path(), &first);
    let mut credentials = load(&snapshot(vec![server("a", files(folder.path()))]), Secrets::default());

    // Half of the new one: the key does not belong to it.
    folder.write("tls.crt", &second.chain);
    let found = credentials.refresh(SystemTime::now());
    assert!(found.changes.is_empty());
    let expected = format!(
        "a: `{0}/tls.key` is not the key of the first certificate in `{0}/tls.crt`; what was there before stays in use",
        folder.path().display()
    );
    assert_eq!(said(&found.news), [expected]);
    assert_eq!(serials(&credentials), [Some("01")]);
    assert_eq!(credentials.views().next().unwrap().condition, Condition::Kept);
    // Said once.
    assert!(credentials.refresh(SystemTime::now()).news.is_empty());

    folder.write("tls.key", &second.key);
    assert_eq!(credentials.refresh(SystemTime::now()).changes.len(), 1);
    assert_eq!(serials(&credentials), [Some("02")]);
    assert_eq!(credentials.views().next().unwrap().condition, Condition::Good);

    // Gone altogether.
    fs::remove_file(folder.path().join("tls.key")).unwrap();
    assert!(credentials.refresh(SystemTime::now()).changes.is_empty());
    assert_eq!(serials(&credentials), [Some("02")]);
    assert_eq!(credentials.failures(), 2);
}

#[test]
fn what_has_ended_is_told_and_still_used() {
    let folder = Folder::new();
    let authority = Authority::new("root");
    write(folder.path(), &authority.make(LeafParams::new(&["a"]).years(2020, 2021)));
    let mut credentials = load(&snapshot(vec![server("a", files(folder.path()))]), Secrets::default());
    assert!(credentials.initial().servers[0].is_some());
    let mut sources = Sources::default();
    sources.add("a.yaml", "kind: Gateway\n  tls: {mode: SIMPLE}  \n");
    let diagnostics = credentials.diagnostics(&sources);
    let [diagnostic] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
    assert_eq!((diagnostic.code, diagnostic.field.as_str()), ("expired-certificate", "spec.servers[0].tls"));
    assert_eq!(
        diagnostic.message,
        format!(
            "the certificate `CN=a` in `{}/tls.crt` has ended at 2021-01-01 00:00 UTC: it is used all the same",
            folder.path().display()
        )
    );
    let span = diagnostic.span.unwrap();
    assert_eq!((span.file, span.start, span.end), (FileId(0), 16, 35));
    assert_eq!(diagnostic.object.as_ref().unwrap().to_string(), "Gateway infra/public");

    write(folder.path(), &authority.make(LeafParams::new(&["a"]).years(2020, 2120)));
    assert_eq!(credentials.refresh(SystemTime::now()).changes.len(), 1);
    // A hundred years later.
    let later = SystemTime::now() + Duration::from_secs(100 * 365 * 86_400);
    let found = credentials.refresh(later);
    assert!(
        found.changes.is_empty() && said(&found.news)[0].contains("has ended at 2120-01-01"),
        "{found:?}"
    );
}

#[test]
fn what_many_share_is_not_told_a_thousand_times() {
    let folder = Folder::new();
    write(folder.path(), &numbered(&Authority::new("root"), 1));
    let servers = (0..250).map(|number| server(&format!("s{number}"), files(folder.path()))).collect();
    let mut credentials = load(&snapshot(servers), Secrets::default());
    fs::remove_file(folder.path().join("tls.crt")).unwrap();
    let found = credentials.refresh(SystemTime::now());
    assert_eq!((found.news.len(), found.untold), (20, 230));
    let told = credentials.diagnostics(&Sources::default());
    assert_eq!(told.len(), 201);
    assert_eq!(told[200].message, "50 more diagnostics like `missing-certificate` are not listed");
}

#[test]
fn new_secrets_of_tickets_reach_every_server() {
    let folder = Folder::new();
    write(folder.path(), &numbered(&Authority::new("root"), 1));
    let missing =
        server("b", CertificateSource::Secret(SecretName { namespace: "x".into(), name: "y".into() }));
    let mut credentials =
        load(&snapshot(vec![server("a", files(folder.path())), missing]), Secrets::default());
    let changes = credentials.rotate_tickets().unwrap();
    assert!(matches!(changes.as_slice(), [Change::Server(ServerTlsId(0), _)]));
}

#[test]
fn an_upstream_with_the_authorities_of_the_system() {
    let client = ClientSpec {
        name: "DestinationRule default/a".into(),
        place: Place::default(),
        certificate: None,
        verify: ServerVerification::Chain { authorities: None, names: NameRule::ServerName },
        parameters: Parameters::default(),
        alpn: Vec::new(),
        alpn_http2: Vec::new(),
    };
    let snapshot = Snapshot { client_tls: vec![client], ..Snapshot::default() };
    let credentials = load(&snapshot, Secrets::default());
    // Whether the system has any is not ours to say.
    match credentials.views().next().unwrap() {
        view if view.condition == Condition::Good => assert!(view.authorities.is_empty()),
        view => assert!(view.problems[0].to_string().contains("install ca-certificates")),
    }
}

#[test]
fn what_is_asked_again_goes_on_and_is_not_lost_to_a_mistake() {
    let authority = Authority::new("root");
    let name = SecretName { namespace: "infra".into(), name: "web".into() };
    let secret = |serial: u8| {
        let leaf = numbered(&authority, serial);
        let values = [("tls.crt", leaf.chain), ("tls.key", leaf.key)];
        let values = values.map(|(key, value)| (key.to_owned(), value.into_bytes()));
        Secrets([(name.clone(), BTreeMap::from(values))].into())
    };
    let spec = |called: &str| server(called, CertificateSource::Secret(name.clone()));
    let first = load(&snapshot(vec![spec("a")]), secret(1));
    let next = |before: &Credentials, servers: Vec<ServerSpec>, secrets: Secrets| {
        Credentials::load_after(before.known(), &snapshot(servers), secrets, SystemTime::now())
    };
    // The same under another name, and one more of it: nothing is built.
    let (second, found) = next(&first, vec![spec("b"), spec("c")], first.secrets.clone());
    assert!(found.changes.is_empty() && found.news.is_empty(), "{found:?}");
    let context = |credentials: &Credentials, at: usize| credentials.initial().servers[at].clone().unwrap();
    assert!(Arc::ptr_eq(&context(&first, 0), &context(&second, 1)));
    assert_eq!(second.views().next().unwrap().name, "b");

    let (third, found) = next(&second, vec![spec("b")], secret(2));
    assert_eq!((found.changes.len(), serials(&third)), (1, vec![Some("02")]));

    let (fourth, found) = next(&third, vec![spec("b")], Secrets::default());
    let gone = "b: Secret `infra/web` is not in the configuration; what was there before stays in use";
    assert_eq!(said(&found.news), [gone]);
    assert_eq!(serials(&fourth), [Some("02")]);
    assert_eq!(fourth.views().next().unwrap().condition, Condition::Kept);

    // Keys of tickets that have changed meanwhile are those of the new ones.
    let mut before = first;
    let (mut after, _) = next(&before, vec![spec("a")], secret(1));
    before.rotate_tickets().unwrap();
    let old = context(&after, 0);
    after.follow(&before);
    assert!(!Arc::ptr_eq(&old, &context(&after, 0)));
}

/// Waits for the next change of a file.
async fn look(keeper: &mut Keeper, credentials: &mut Credentials) -> usize {
    let within = tokio::time::timeout(Duration::from_secs(30), keeper.due()).await;
    match within.expect("the change was not noticed") {
        Due::Reload => usize::MAX,
        _ => keeper.look(credentials).changes.len(),
    }
}

#[test]
fn changes_of_files_volumes_and_configurations_are_noticed() {
    let folder = Folder::new();
    let authority = Authority::new("root");
    let at = folder.path();
    // As Kubernetes mounts a volume.
    let volume = |number: u8| {
        let version = at.join(format!("..{number}"));
        fs::create_dir(&version).unwrap();
        write(&version, &numbered(&authority, number));
        symlink(format!("..{number}"), at.join("..new")).unwrap();
        fs::rename(at.join("..new"), at.join("..data")).unwrap();
    };
    volume(1);
    symlink("..data/tls.crt", at.join("tls.crt")).unwrap();
    symlink("..data/tls.key", at.join("tls.key")).unwrap();
    let later = at.join("later");
    let configuration = Folder::new();
    let servers = vec![server("volume", files(at)), server("later", files(&later))];
    let mut credentials = load(&snapshot(servers), Secrets::default());
    let run = async {
        let inputs = vec![Input::Path(configuration.path().to_owned())];
        let signature = Signature::of(&inputs);
        let mut keeper = Keeper::new(inputs, signature);
        assert_eq!(look(&mut keeper, &mut credentials).await, 0);
        assert_eq!(serials(&credentials), [Some("01"), None]);

        volume(2);
        assert_eq!(look(&mut keeper, &mut credentials).await, 1);
        fs::remove_dir_all(at.join("..1")).unwrap();
        assert_eq!(serials(&credentials), [Some("02"), None]);

        volume(3);
        while serials(&credentials)[0] != Some("03") {
            look(&mut keeper, &mut credentials).await;
        }
        fs::create_dir(&later).unwrap();
        write(&later, &numbered(&authority, 4));
        while serials(&credentials)[1] != Some("04") {
            look(&mut keeper, &mut credentials).await;
        }
        configuration.write("new.yaml", "a: b");
        while look(&mut keeper, &mut credentials).await != usize::MAX {}
        // The configuration as a volume: its files are links.
        keeper.has_read(Signature::of(&[Input::Path(configuration.path().to_owned())]));
        fs::create_dir(configuration.path().join("..1")).unwrap();
        configuration.write("..1/linked.yaml", "a: b");
        symlink("..1/linked.yaml", configuration.path().join("linked.yaml")).unwrap();
        while look(&mut keeper, &mut credentials).await != usize::MAX {}
        keeper.has_read(Signature::of(&[Input::Path(configuration.path().to_owned())]));
        look(&mut keeper, &mut credentials).await;
        configuration.write("..1/linked.yaml", "a: c");
        while look(&mut keeper, &mut credentials).await != usize::MAX {}
        // The whole folder is another one.
        fs::rename(&later, at.join("before")).unwrap();
        fs::create_dir(&later).unwrap();
        write(&later, &numbered(&authority, 6));
        while serials(&credentials)[1] != Some("06") {
            look(&mut keeper, &mut credentials).await;
        }
        assert_eq!(serials(&credentials), [Some("03"), Some("06")]);
        write(&later, &numbered(&authority, 7));
        while serials(&credentials)[1] != Some("07") {
            look(&mut keeper, &mut credentials).await;
        }
    };
    block_on(run).unwrap();
}
