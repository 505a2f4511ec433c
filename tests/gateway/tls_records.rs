//! What may come between a handshake and the end of a TLS connection: new keys, empty records, and records that are none.

use super::{
    certificates::Authority,
    client::{Client, End},
    harness::{Gateway, service_entry},
    origin::Origin,
    tls_client::{believing, connection},
    tls_files::{WEB, secret},
    tools::{Ask, Tool, has},
};
use rustls::ClientConfig;
use std::sync::Arc;

/// Records without data in a row, after which the gateway gives up.
const BARREN_MAX: usize = 32;

struct Site {
    gateway: Gateway,
    authority: Authority,
}

impl Site {
    fn new() -> Site {
        let authority = Authority::new("servers");
        let yaml = [
            WEB,
            &service_entry("web.internal", Origin::named("web").port()),
            &secret("web", &authority.leaf(&["web.test"]), None),
        ];
        Site { gateway: Gateway::start(&[443], &yaml.concat()), authority }
    }

    fn connect(&self) -> Client {
        self.connect_with(believing(&[&self.authority], None))
    }

    fn connect_with(&self, config: ClientConfig) -> Client {
        self.gateway.connect(443).handshake(connection(&Arc::new(config), "web.test")).unwrap()
    }
}

fn is_served(client: &mut Client) -> bool {
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    client.answer("GET").status == 200
}

#[test]
fn keys_are_renewed_as_often_as_there_is_data_between() {
    let site = Site::new();
    let mut client = site.connect();
    for _ in 0..100 {
        assert!(client.update_keys() && is_served(&mut client));
    }
    // In the middle of a request.
    client.send(b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 10\r\n\r\nhello");
    assert!(client.update_keys());
    client.send(b"world");
    assert!(client.answer("POST").text().ends_with("\n\nhelloworld"));
    // Several in a row, and then too many.
    for _ in 0..BARREN_MAX / 2 {
        assert!(client.update_keys());
    }
    assert!(is_served(&mut client));
    for _ in 0..10 * BARREN_MAX {
        if !client.update_keys() {
            break;
        }
    }
    assert!(matches!(client.drain(), End::Alert | End::Reset));
    site.gateway.stop();
}

#[test]
fn small_records_and_large_ones_are_one_stream() {
    let site = Site::new();
    for size in [32, 100, 1000, 16_384 + 5] {
        let mut config = believing(&[&site.authority], None);
        config.max_fragment_size = Some(size);
        let mut client = site.connect_with(config);
        let body = "0123456789".repeat(20_000);
        client.send(
            format!("POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                .as_bytes(),
        );
        let answer = client.answer("POST");
        assert!(
            answer.text().ends_with(&body),
            "records of {size} bytes: {} bytes came back",
            answer.body.len()
        );
    }
    site.gateway.stop();
}

#[test]
fn what_is_no_record_of_the_connection_ends_it() {
    let site = Site::new();
    let sealed = |len: u16| [&[23, 3, 3][..], &len.to_be_bytes(), &vec![7; usize::from(len)]].concat();
    for (what, bytes) in [
        ("noise under the seal", sealed(100)),
        ("a seal without content", sealed(16)),
        ("shorter than a seal", sealed(1)),
        ("a record of no bytes", sealed(0)),
        ("longer than a record may be", sealed(16_384 + 257)),
        ("the longest length", [&[23, 3, 3, 0xff, 0xff][..], &[0; 1000]].concat()),
        ("an alert in plain text", vec![21, 3, 3, 0, 2, 2, 40]),
        ("close_notify in plain text", vec![21, 3, 3, 0, 2, 1, 0]),
        ("a handshake in plain text", vec![22, 3, 3, 0, 4, 1, 0, 0, 0]),
        ("a kind that there is not", vec![99, 3, 3, 0, 1, 0]),
        ("HTTP in plain text", b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n".to_vec()),
    ] {
        for in_a_request in [false, true] {
            let mut client = site.connect();
            assert!(is_served(&mut client));
            if in_a_request {
                client.send(b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 100\r\n\r\nhalf");
            }
            client.inject(&bytes);
            let end = client.drain();
            assert!(matches!(end, End::Alert | End::Reset), "{what}, in a request: {in_a_request}: {end:?}");
        }
    }
    // Nobody else is affected.
    assert!(is_served(&mut site.connect()));
    site.gateway.stop();
}

#[test]
fn a_client_that_guesses_the_wrong_group_is_asked_again() {
    if !has("openssl") {
        return;
    }
    let site = Site::new();
    for groups in ["P-521:X25519", "P-521:P-256", "P-521:P-384", "X448:X25519"] {
        let ask = Ask {
            port: site.gateway.port(443),
            name: Some("web.test"),
            version: Some("1.3"),
            ..Ask::default()
        };
        let served = Tool::OpenSsl.get(Ask { more: &["-groups", groups], ..ask }).served();
        assert_eq!((served.status, &*served.version), (200, "TLSv1.3"), "{groups}");
        let outcome = Tool::OpenSsl.get(Ask { more: &["-groups", "P-521"], ..ask });
        assert!(outcome.is_refused(), "{outcome:?}");
    }
    site.gateway.stop();
}
