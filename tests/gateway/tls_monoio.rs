//! Another TLS stream on the gateway's own runtime: monoio-rustls as the client, with much to send and as much to get back.

use super::{
    certificates::Authority,
    harness::{Gateway, service_entry},
    origin::Origin,
    tls_client::believing,
    tls_files::{WEB, secret},
};
use monoio::{
    RuntimeBuilder,
    io::{AsyncReadRent, AsyncWriteRentExt},
    net::TcpStream,
};
use monoio_rustls::TlsConnector;
use rustls::pki_types::ServerName;

/// More than the largest buffer, and no multiple of a record.
const BODY: usize = 1_000_003;

#[test]
fn large_bodies_pass_both_ways() {
    let authority = Authority::new("servers");
    let identity = authority.leaf(&["web.test"]);
    let origin = Origin::echo();
    let yaml = [WEB, &service_entry("web.internal", origin.port()), &secret("web", &identity, None)].concat();
    let gateway = Gateway::start(&[443], &yaml);
    let connector = TlsConnector::from(believing(&[&authority], None));
    let address = ("127.0.0.1", gateway.port(443));
    let body = "x".repeat(BODY);
    let request = format!(
        "POST /echo HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\nContent-Length: {BODY}\r\n\r\n{body}"
    );
    let mut runtime = RuntimeBuilder::<monoio::LegacyDriver>::new().build().unwrap();
    let answer = runtime.block_on(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = connector.connect(ServerName::try_from("web.test").unwrap(), stream).await.unwrap();
        stream.write_all(request.into_bytes()).await.0.unwrap();
        let mut answer = Vec::new();
        loop {
            let (result, buffer) = stream.read(vec![0; 1 << 16]).await;
            match result.unwrap() {
                0 => return answer,
                count => answer.extend_from_slice(&buffer[..count]),
            }
        }
    });
    let text = String::from_utf8(answer).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{}", &text[..100]);
    assert!(text.ends_with(&format!("\n\n{body}")), "{} bytes", text.len());
    gateway.stop();
}
