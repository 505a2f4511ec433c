//! Workers in balance (`--balance`): where the kernel's choice leaves one with fewer connections than others, it gets more.

use super::{
    certificates::Authority,
    client::Client,
    harness::{Folder, GATEWAY, Gateway, service_entry, virtual_service},
    origin::Origin,
    tls_client::{believing, connection},
    tls_files::secret,
};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
};

const WORKERS: usize = 3;
/// Connections of each worker when they are even.
const EACH: usize = 50;
/// A tenth of that.
const SPREAD_MAX: usize = EACH / 10;

/// Connections of each worker.
fn loads(gateway: &Gateway) -> [usize; WORKERS] {
    let page = gateway.admin_page("/stats/prometheus");
    let of = |shard: usize| {
        let name = format!("sluicegate_shard_connections_active{{shard=\"{shard}\"");
        let line = page.text().lines().find(|line| line.starts_with(&name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as usize
    };
    std::array::from_fn(of)
}

fn ask(client: &mut Client, host: &str) -> super::client::Answer {
    client.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes());
    client.answer("GET")
}

/// Uses a connection that has said nothing yet; says which worker serves it. It begins with this.
fn opened(gateway: &Gateway, mut client: Client, begins_with: &[u8]) -> (Client, usize) {
    let before = loads(gateway);
    client.send(begins_with);
    assert_eq!(ask(&mut client, "a.test").status, 200);
    let after = loads(gateway);
    let worker = (0..WORKERS).find(|worker| after[*worker] > before[*worker]);
    (client, worker.expect("a worker that serves it"))
}

/// Whether no worker has more than a tenth more or less than its part.
fn is_even(loads: [usize; WORKERS]) -> bool {
    loads.iter().all(|load| load.abs_diff(EACH) <= SPREAD_MAX)
}

/// Connections of clients until the workers are even, without those of the first worker.
fn without_the_first(gateway: &Gateway) -> Vec<Client> {
    let all: Vec<_> = (0..WORKERS * EACH).map(|_| opened(gateway, gateway.connect(80), b"")).collect();
    assert!(is_even(loads(gateway)), "{:?}", loads(gateway));
    let others = all.into_iter().filter(|(_, worker)| *worker != 0).map(|(client, _)| client).collect();
    gateway.until("the first worker has none", || loads(gateway)[0] == 0);
    others
}

fn handed_over(gateway: &Gateway) -> f64 {
    gateway.metric("sluicegate_connections_handed_over_total")
}

/// A gateway with a listener of each kind and this many workers.
fn start(folder: &Folder, authority: &Authority, origin: &Origin, arguments: &[&str]) -> Gateway {
    let socket = folder.path().join("gw.sock");
    let more = format!(
        "  - {{port: {{number: 443, name: https, protocol: HTTPS}}, bind: 127.0.0.1, hosts: [a.test], tls: {{mode: SIMPLE, credentialName: web}}}}\n  \
         - {{port: {{number: 90, name: tcp, protocol: TCP}}, bind: 127.0.0.1, hosts: ['*']}}\n  \
         - {{port: {{number: 0, name: unix, protocol: HTTP}}, bind: 'unix://{}', hosts: ['*']}}\n",
        socket.display()
    );
    let mut yaml =
        format!("{GATEWAY}{more}---\n{}", virtual_service("  - route: [{destination: {host: a.test}}]"));
    yaml = yaml.replace(
        "  http:\n",
        "  tcp:\n  - match: [{port: 90}]\n    route: [{destination: {host: a.test}}]\n  http:\n",
    );
    yaml.push_str(&service_entry("a.test", origin.port()));
    yaml.push_str(&secret("web", &authority.leaf(&["a.test"]), None));
    let usual = ["--workers", "3", "--balance", "connections"];
    Gateway::start_with(&[80, 90, 443], &yaml, &[&usual, arguments].concat())
}

#[test]
fn connections_go_to_the_worker_that_has_fewest() {
    let (folder, authority, origin) = (Folder::new(), Authority::new("root"), Origin::echo());
    let gateway = start(&folder, &authority, &origin, &[]);
    let mut others = without_the_first(&gateway);
    let before = handed_over(&gateway);
    let mut more: Vec<Client> = Vec::new();
    for _ in 0..WORKERS * EACH - others.len() {
        let mut client = gateway.connect(80);
        assert_eq!(ask(&mut client, "a.test").status, 200);
        more.push(client);
    }
    assert!(is_even(loads(&gateway)), "{:?}", loads(&gateway));
    // The kernel alone would have given it a third of them.
    assert!(handed_over(&gateway) - before >= EACH as f64 / 3.0);
    // All of them are still served.
    for client in others.iter_mut().chain(&mut more) {
        assert_eq!(ask(client, "a.test").status, 200);
    }
    drop((others, more));
    gateway.until("all have ended", || loads(&gateway) == [0; WORKERS]);
    gateway.stop();
}

#[test]
fn connections_of_every_kind_can_be_handed_over() {
    const OF_A_KIND: usize = 14;
    let (folder, authority, origin) = (Folder::new(), Authority::new("root"), Origin::echo());
    let gateway = start(&folder, &authority, &origin, &[]);
    let _others = without_the_first(&gateway);
    let config = Arc::new(believing(&[&authority], None));
    let tls = || gateway.connect(443).handshake(connection(&config, "a.test")).unwrap();
    let tcp = || gateway.connect(90);
    let mut clients = Vec::new();
    let open: [(&str, &dyn Fn() -> Client); 2] = [("TLS", &tls), ("TCP", &tcp)];
    for (kind, open) in open {
        let before = handed_over(&gateway);
        for _ in 0..OF_A_KIND {
            let mut client = open();
            assert_eq!(ask(&mut client, "a.test").status, 200, "{kind}");
            clients.push(client);
        }
        assert!(handed_over(&gateway) > before, "{kind}");
    }
    let (before, mut sockets) = (handed_over(&gateway), Vec::new());
    for _ in 0..OF_A_KIND {
        let mut socket = UnixStream::connect(folder.path().join("gw.sock")).unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").unwrap();
        let mut begin = [0; 15];
        socket.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200 OK");
        sockets.push(socket);
    }
    assert!(handed_over(&gateway) > before, "Unix");
    gateway.stop();
}

#[test]
fn a_proxy_header_is_read_by_the_worker_that_serves() {
    let (folder, authority, origin) = (Folder::new(), Authority::new("root"), Origin::echo());
    let gateway = start(&folder, &authority, &origin, &["--proxy-protocol-from", "127.0.0.0/8"]);
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.8 4000 80\r\n";
    let open = |_| opened(&gateway, gateway.connect(80), header);
    let all: Vec<_> = (0..WORKERS * 15).map(open).collect();
    let mut others: Vec<_> = all.into_iter().filter(|(_, worker)| *worker != 0).collect();
    gateway.until("the first worker has none", || loads(&gateway)[0] == 0);
    let before = handed_over(&gateway);
    // That the kernel gives all of them to the first worker is less likely than one in 10^6.
    for _ in 0..14 {
        let mut client = gateway.connect(80);
        client.send(header);
        assert_eq!(ask(&mut client, "a.test").echoed("x-forwarded-for"), Some("192.0.2.7"));
        others.push((client, 0));
    }
    assert!(handed_over(&gateway) > before);
    gateway.stop();
}

#[test]
fn without_the_option_a_worker_serves_what_it_accepts() {
    let origin = Origin::echo();
    let yaml = super::harness::routed("  - route: [{destination: {host: a.test}}]", &[origin.port()]);
    let gateway = Gateway::start_with(&[80], &yaml, &["--workers", "3"]);
    let clients: Vec<_> = (0..60).map(|_| opened(&gateway, gateway.connect(80), b"")).collect();
    assert_eq!((clients.len(), handed_over(&gateway)), (60, 0.0));
    gateway.stop();
}
