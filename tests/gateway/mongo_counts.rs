//! What is counted on a MONGO port, byte by byte, and that nothing that is sent changes by it.

use super::{
    harness::Gateway,
    tcp::{Raw, dial, rest, take, tcp},
};
use std::{
    io::Write,
    net::{Shutdown, TcpStream},
    thread,
};

fn start() -> (Gateway, TcpStream, TcpStream) {
    let origin = Raw::new();
    let yaml = tcp("MONGO", "{destination: {host: a.test}}", &[&[origin.port()]]);
    let gateway = Gateway::start(&[2000], &yaml);
    let client = dial(&gateway, 2000);
    let server = origin.accept();
    (gateway, client, server)
}

/// A message of OP_MSG with one document.
fn message(id: i32, response_to: i32, elements: &[&[u8]]) -> Vec<u8> {
    let inner = elements.concat();
    let document = [&(inner.len() as i32 + 5).to_le_bytes()[..], &inner, &[0]].concat();
    let numbers = [document.len() as i32 + 21, id, response_to, 2013, 0];
    let head: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [&head[..], &[0], &document].concat()
}

/// `{<command>: 1, $db: "shop"}`
fn command(id: i32, name: &str) -> Vec<u8> {
    let first = [&[16], name.as_bytes(), &[0, 1, 0, 0, 0]].concat();
    message(id, 0, &[&first, b"\x02$db\0\x05\0\0\0shop\0"])
}

/// `{ok: <ok>}`
fn answer(id: i32, response_to: i32, ok: f64) -> Vec<u8> {
    message(id, response_to, &[&[&b"\x01ok\0"[..], &ok.to_le_bytes()].concat()])
}

/// A sample of the metrics page; 0 if it is not there.
fn sample(gateway: &Gateway, sample: &str) -> f64 {
    let page = gateway.admin_page("/stats/prometheus");
    let line =
        page.text().lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0.0, |number| number.parse().unwrap())
}

const SHOP: &str = "database=\"shop\"}";

fn pass(mut from: &TcpStream, to: &TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    assert_eq!(take(to, bytes.len()), bytes);
}

#[test]
fn commands_errors_and_durations_are_counted() {
    let (gateway, client, server) = start();
    // One byte after another, each waited for.
    for byte in command(1, "find") {
        pass(&client, &server, &[byte]);
    }
    for byte in answer(7, 1, 1.0) {
        pass(&server, &client, &[byte]);
    }
    // Several at once, answered in another order.
    pass(&client, &server, &[command(2, "find"), command(3, "drop"), command(4, "find")].concat());
    pass(&server, &client, &[answer(8, 4, 1.0), answer(9, 3, 0.0), answer(10, 2, 0.0)].concat());
    drop((client, server));
    for (name, value) in [
        ("commands_total{command=\"find\",", 3.0),
        ("commands_total{command=\"drop\",", 1.0),
        ("errors_total{command=\"find\",", 1.0),
        ("errors_total{command=\"drop\",", 1.0),
        ("duration_seconds_count{command=\"find\",", 3.0),
        ("duration_seconds_count{command=\"drop\",", 1.0),
    ] {
        assert_eq!(sample(&gateway, &format!("sluicegate_mongo_{name}{SHOP}")), value, "{name}");
    }
    let last = "sluicegate_mongo_duration_seconds_bucket{command=\"find\",database=\"shop\",le=\"+Inf\"}";
    assert_eq!(sample(&gateway, last), 3.0);
    let text = gateway.admin_page("/stats");
    assert!(text.text().contains("sluicegate_mongo_commands_total{command=\"find\",database=\"shop\"}: 3\n"));
    gateway.stop();
}

#[test]
fn large_messages_pass_unseen_and_unchanged() {
    let (gateway, client, server) = start();
    let blob = |id: i32, len: usize| {
        let mut element = b"\x05blob\0".to_vec();
        element.extend((len as i32).to_le_bytes());
        element.push(0);
        element.extend((0..len).map(|at| (at * 7 + at / 251) as u8));
        message(id, 0, &[b"\x10insert\0\x01\0\0\0", b"\x02$db\0\x05\0\0\0shop\0", &element])
    };
    let mut sent = Vec::new();
    for id in 0..12 {
        sent.extend(blob(id, if id % 3 == 0 { 3_000_000 } else { 500 * id as usize }));
        sent.extend(command(100 + id, "ping"));
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            (&client).write_all(&sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        assert!(rest(&server) == sent);
    });
    drop((client, server));
    for command in ["insert", "ping"] {
        let name = format!("sluicegate_mongo_commands_total{{command=\"{command}\",{SHOP}");
        assert_eq!(sample(&gateway, &name), 12.0, "{command}");
    }
    gateway.stop();
}

#[test]
fn what_is_not_mongodb_passes_and_is_counted_no_more() {
    let (gateway, client, server) = start();
    pass(&client, &server, &command(1, "find"));
    // A header that is too short, then a good message: nobody can know where it begins.
    pass(&client, &server, &[&[3, 0, 0, 0][..], &[1; 40]].concat());
    pass(&client, &server, &command(2, "find"));
    pass(&server, &client, &answer(7, 1, 0.0));
    // Much of what nobody understands goes by splice.
    let noise: Vec<u8> = (0..5_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    thread::scope(|scope| {
        scope.spawn(|| (&server).write_all(&noise).unwrap());
        assert!(take(&client, noise.len()) == noise);
    });
    drop((client, server));
    assert_eq!(sample(&gateway, &format!("sluicegate_mongo_commands_total{{command=\"find\",{SHOP}")), 1.0);
    assert_eq!(sample(&gateway, &format!("sluicegate_mongo_errors_total{{command=\"find\",{SHOP}")), 0.0);
    assert_eq!(gateway.metric("sluicegate_mongo_not_understood_total"), 1.0);
    gateway.stop();
}

#[test]
fn names_that_clients_make_up_fill_nothing() {
    let (gateway, client, server) = start();
    for id in 0..1000 {
        pass(&client, &server, &command(id, &format!("made_up_{id}")));
    }
    pass(&client, &server, &command(1, "a\"}\nb"));
    drop((client, server));
    let page = gateway.admin_page("/stats/prometheus");
    let pairs = page.text().lines().filter(|line| line.starts_with("sluicegate_mongo_commands_total{"));
    assert_eq!(pairs.count(), 257);
    assert_eq!(gateway.metric("sluicegate_mongo_commands_total"), 1001.0);
    assert!(
        sample(&gateway, "sluicegate_mongo_commands_total{command=\"other\",database=\"other\"}") > 700.0
    );
    gateway.stop();
}
