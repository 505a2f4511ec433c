//! The access log: its fields, where it goes, and what happens when it can't go there.

use super::{
    harness::{Gateway, Launch, answering, routed},
    origin::Origin,
};
use std::{
    fs,
    io::{BufRead, BufReader},
};

/// The fields of a line: quoted ones without their quotes.
pub(crate) fn fields(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a quote is closed"),
            None => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        fields.push(field.to_owned());
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    fields
}

#[test]
fn a_line_has_istios_fields() {
    let origin = Origin::echo();
    let route = "  - route: [{destination: {host: a.test}}]";
    let gateway = Gateway::start(&[80], &routed(route, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(
        b"POST /a?b HTTP/1.1\r\nhost: web.test\r\nuser-agent: \"me\"\r\nx-request-id: 7\r\ncontent-length: 3\r\n\r\nabc",
    );
    let answer = client.answer("POST");
    let line = gateway.log_line();
    let fields = fields(&line);
    assert_eq!(fields.len(), 22, "{line}");
    let wanted = [
        (1, "POST /a?b HTTP/1.1"),
        (2, "200"),
        (3, "-"),
        (4, "via_upstream"),
        (5, "-"),
        (6, "-"),
        (7, "3"),
        (8, &answer.body.len().to_string()),
        (11, "127.0.0.1"),
        (12, "\\x22me\\x22"),
        (14, "web.test"),
        (15, &format!("127.0.0.1:{}", origin.port())),
        (16, "outbound|80||a.test"),
        (18, &format!("127.0.0.1:{}", gateway.port(80))),
        (19, &client.local_address().to_string()),
        (20, "-"),
    ];
    for (at, value) in wanted {
        assert_eq!(fields[at], value, "field {at} of {line}");
    }
    assert!(fields[0].starts_with("[2") && fields[0].ends_with("Z]"), "{line}");
    gateway.stop();
}

#[test]
fn every_request_has_its_line_when_it_ends() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let mut client = gateway.connect(80);
    for number in 0..500 {
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes());
        assert_eq!(client.answer("GET").status, 200);
    }
    let ended = gateway.stop();
    let numbers = ended.log.iter().map(|line| fields(line)[1].split(' ').nth(1).unwrap_or("").to_owned());
    let wanted: Vec<String> = (0..500).map(|number| format!("/{number}")).collect();
    assert_eq!(numbers.collect::<Vec<_>>(), wanted);
}

#[test]
fn it_can_be_off() {
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--access-log", "off"]);
    assert_eq!(gateway.get(80, "web.test", "/").status, 200);
    assert_eq!(gateway.stop().log.len(), 0);
}

#[test]
fn a_file_is_opened_again_after_it_was_renamed() {
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--access-log", "access.log"]);
    let (file, renamed) = (gateway.directory().join("access.log"), gateway.directory().join("access.log.1"));
    gateway.get(80, "web.test", "/before");
    fs::rename(&file, &renamed).unwrap();
    gateway.signal("USR1");
    gateway.said("access.log opened again");
    gateway.get(80, "web.test", "/after");
    let count =
        || [&renamed, &file].map(|path| BufReader::new(fs::File::open(path).unwrap()).lines().count());
    gateway.until("both lines are written", || count().iter().sum::<usize>() == 2);
    let after = fs::read_to_string(&file).unwrap();
    assert!(after.contains("/after"), "{after}");
    gateway.stop();
}

#[test]
fn a_log_that_cannot_be_written_is_told_once_and_stops_nobody() {
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--access-log", "/dev/full"]);
    gateway.get(80, "web.test", "/");
    gateway.said("the access log can't be written to /dev/full: No space left on device");
    gateway.until("three failures are counted", || {
        gateway.get(80, "web.test", "/");
        gateway.metric("sluicegate_access_log_write_failures_total") >= 3.0
    });
    let ended = gateway.stop();
    assert_eq!(ended.said.matches("can't be written").count(), 1, "{}", ended.said);
}

#[test]
fn a_mesh_configuration_says_where_it_goes_and_the_option_is_stronger() {
    let operator = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: o}\nspec:\n  meshConfig: \
                    {accessLogFile: mesh.log}\n";
    let yaml = format!("{}---\n{operator}", answering("hi"));
    let by_mesh = Gateway::start(&[80], &yaml);
    assert!(by_mesh.said_so_far().contains("access log: mesh.log"), "{}", by_mesh.said_so_far());
    by_mesh.stop();
    let by_option = Gateway::start_with(&[80], &yaml, &["--access-log", "-"]);
    by_option.get(80, "web.test", "/");
    assert!(by_option.log_line().contains("GET / HTTP/1.1"));
    by_option.stop();
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let started = Gateway::try_start(&[80], &answering("hi"), &["--access-log", "no/such/directory"]);
    let ended = started.err().unwrap();
    assert_eq!(ended.code, Some(1));
    assert!(ended.said.contains("can't write the access log to no/such/directory"), "{}", ended.said);
}

#[test]
fn a_reader_that_stops_reading_stops_nobody() {
    let yaml = answering("hi");
    let gateway = Gateway::launch(Launch { declared: &[80], yaml: &yaml, unread: true, ..Launch::default() });
    let mut client = gateway.connect(80);
    let request = format!("GET /{} HTTP/1.1\r\nHost: web.test\r\n\r\n", "x".repeat(4000));
    // More than the pipe and all that may wait for it: then lines are lost, and counted.
    while gateway.metric("sluicegate_access_log_dropped_total") == 0.0 {
        for _ in 0..1000 {
            client.send(request.as_bytes());
            assert_eq!(client.answer("GET").status, 200);
        }
    }
    let ended = gateway.stop();
    assert!(ended.said.contains("the last lines of the access log could not be written"), "{}", ended.said);
}
