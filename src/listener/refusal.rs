//! Why a connection was not served before it was known what it asks for: counted, told to the client, and written into the access log.

use crate::{
    driver::WriteHalf,
    proxy::{ConnectionInfo, Environment, LogFacts},
    telemetry::{Counter, Flag, Record, bump},
    tls::{BadHello, HandshakeError},
};
use std::time::Instant;

/// What a client reads that speaks plain-text HTTP to a TLS port.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 50\r\n\
    connection: close\r\n\r\nThe client sent plain-text HTTP to a port for TLS\n";

/// Why a connection was not served.
pub(super) enum Refusal {
    /// As many handshakes were under way as may be.
    Overload,
    /// PROXY headers are not believed from where it came.
    Untrusted,
    /// It did not begin with a PROXY header; how.
    NoProxyHeader(&'static str),
    /// The client left before its ClientHello was whole.
    Left,
    /// It took too long.
    TooLate,
    /// What it said first is no ClientHello.
    Hello(BadHello),
    /// No filter chain is there for what it asked for. Closed without an alert, as in Istio.
    NoChain,
    /// The filter chain's server has no usable certificate. Closed without an alert, as in Istio (specification section
    /// 1.8).
    NoCertificate,
    /// The handshake failed; the client has been told.
    Handshake(HandshakeError),
}

impl Refusal {
    /// Tells the client what was wrong with what it sent first, if it will understand.
    pub(super) fn tell(&self, write: &WriteHalf) {
        const FATAL: u8 = 2;
        match self {
            Refusal::Hello(BadHello::PlainHttp) => write.send_now(PLAIN_HTTP),
            Refusal::Hello(bad) => {
                if let Some(alert) = bad.alert() {
                    write.send_now(&[21, 3, 3, 0, 2, FATAL, alert]);
                }
            }
            _ => {}
        }
    }

    /// Counts it and writes its line.
    pub(super) fn note(&self, info: &ConnectionInfo, env: &Environment, started: Instant) {
        bump(self.counter(env), 1);
        if let Refusal::Handshake(HandshakeError::Tls(error)) = self
            && is_about_certificate(error)
        {
            bump(&env.counters.tls_client_certificate_failures, 1);
        }
        if !env.log.is_on() {
            return;
        }
        let (flag, details, termination) = self.words();
        let record = Record {
            start_ms: env.clock.unix_ms(started),
            flag: Some(flag),
            details,
            termination,
            duration_ms: started.elapsed().as_millis() as u64,
            downstream_local: info.local_text.as_bytes(),
            downstream_remote: info.peer_text.as_bytes(),
            server_name: info.server_name.as_deref().unwrap_or_default().as_bytes(),
            connection_id: info.id,
            ..Record::default()
        };
        env.log.write(&record, &LogFacts::of_connection(info));
    }

    fn counter<'e>(&self, env: &'e Environment) -> &'e Counter {
        let counters = &env.counters;
        match self {
            Refusal::Overload => &counters.tls_overflow,
            Refusal::Untrusted => &counters.proxy_protocol_untrusted,
            Refusal::NoProxyHeader(_) => &counters.proxy_protocol_errors,
            Refusal::TooLate => &counters.tls_timeouts,
            Refusal::NoChain => &counters.no_filter_chain,
            Refusal::NoCertificate => &counters.tls_no_certificate,
            Refusal::Left | Refusal::Hello(_) | Refusal::Handshake(_) => &counters.tls_failures,
        }
    }

    /// Flag, detail and, where it is TLS that failed, why, in fixed words that can be counted in a log.
    fn words(&self) -> (Flag, &'static str, &'static str) {
        const TLS: &str = "tls_handshake_failed";
        match self {
            Refusal::Overload => (Flag::Overload, TLS, "too_many_handshakes"),
            Refusal::Untrusted => (Flag::DownstreamProtocolError, "proxy_protocol", "untrusted_proxy"),
            Refusal::NoProxyHeader(how) => (Flag::DownstreamProtocolError, "proxy_protocol", how),
            Refusal::Left => (Flag::DownstreamDisconnect, TLS, "client_left"),
            Refusal::TooLate => (Flag::StreamIdleTimeout, TLS, "handshake_timeout"),
            Refusal::NoChain => (Flag::NoRoute, "filter_chain_not_found", ""),
            Refusal::NoCertificate => (Flag::NoRoute, TLS, "server_has_no_certificate"),
            Refusal::Hello(bad) => (
                Flag::DownstreamProtocolError,
                TLS,
                match bad {
                    BadHello::PlainHttp => "plain_text_http",
                    BadHello::NotTls => "not_tls",
                    BadHello::TooLarge => "client_hello_too_large",
                    BadHello::Malformed => "client_hello_malformed",
                    BadHello::BadName => "bad_server_name",
                },
            ),
            Refusal::Handshake(error) => (Flag::DownstreamProtocolError, TLS, reason(error)),
        }
    }
}

fn is_about_certificate(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
}

/// Why a handshake failed.
fn reason(error: &HandshakeError) -> &'static str {
    use rustls::{CertificateError, Error, PeerIncompatible};
    match error {
        HandshakeError::Io(_) => "client_left",
        HandshakeError::TooLarge => "client_certificates_too_large",
        HandshakeError::Tls(error) => match error {
            Error::NoCertificatesPresented => "no_client_certificate",
            Error::InvalidCertificate(why) => match why {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "client_certificate_expired"
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "client_certificate_not_yet_valid"
                }
                CertificateError::Revoked => "client_certificate_revoked",
                CertificateError::UnknownIssuer => "client_certificate_unknown_ca",
                _ => "client_certificate_refused",
            },
            Error::AlertReceived(_) => "client_gave_up",
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => "no_cipher_suite_in_common",
            Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => "no_group_in_common",
            Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon) => {
                "no_signature_scheme_in_common"
            }
            Error::PeerIncompatible(_) => "nothing_in_common",
            Error::NoApplicationProtocol => "no_protocol_in_common",
            _ => "protocol_error",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_text_http_is_whole() {
        let text = std::str::from_utf8(PLAIN_HTTP).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{text}");
    }

    #[test]
    fn what_fails_is_said_in_words() {
        let refused = |error| reason(&HandshakeError::Tls(error));
        assert_eq!(refused(rustls::Error::NoCertificatesPresented), "no_client_certificate");
        assert_eq!(refused(rustls::CertificateError::Revoked.into()), "client_certificate_revoked");
        assert_eq!(refused(rustls::Error::General("x".into())), "protocol_error");
    }
}
