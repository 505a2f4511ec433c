//! Certificates: which there are, until when they hold, and what is wrong with them. Nothing of a key is in here.

use super::{metrics::escaped, pages::unix_seconds};
use crate::{
    control::{Condition, Gateway, View},
    telemetry::TimestampCache,
    tls::CertificateFacts,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::SystemTime};

/// All of them as JSON: Envoy's names where it has them, and for every server and upstream its name, its state (`good`,
/// `kept`: what was there before is used, `failed`) and what is wrong.
pub(super) fn dump(gateway: &Gateway) -> Value {
    let now = unix_seconds(SystemTime::now());
    let credentials = gateway.credentials.borrow();
    let all: Vec<Value> = credentials.views().map(|view| of_view(&view, now)).collect();
    json!({"certificates": all, "load_failures": credentials.failures()})
}

fn of_view(view: &View<'_>, now: u64) -> Value {
    let each = |all: &[CertificateFacts]| all.iter().map(|facts| certificate(facts, now)).collect::<Vec<_>>();
    json!({
        "name": view.name,
        "state": match view.condition {
            Condition::Good => "good",
            Condition::Kept => "kept",
            Condition::Failed => "failed",
        },
        "problems": view.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "cert_chain": each(view.certificates),
        "ca_cert": each(view.authorities),
    })
}

fn certificate(facts: &CertificateFacts, now: u64) -> Value {
    let left = facts.not_after.saturating_sub(i64::try_from(now).unwrap_or(i64::MAX));
    let dns = facts.dns_names.iter().map(|name| json!({"dns": name}));
    let uris = facts.uris.iter().map(|name| json!({"uri": name}));
    let addresses = facts.addresses.iter().map(|address| json!({"ip_address": address.to_string()}));
    let emails = facts.emails.iter().map(|name| json!({"email": name}));
    json!({
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial_number": facts.serial,
        "subject_alt_names": dns.chain(uris).chain(addresses).chain(emails).collect::<Vec<_>>(),
        "days_until_expiration": (left / 86_400).max(0).to_string(),
        "valid_from": timestamp(facts.not_before),
        "expiration_time": timestamp(facts.not_after),
        "sha256": facts.sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    })
}

fn timestamp(unix_seconds: i64) -> String {
    let mut text = Vec::new();
    let unix_ms = u64::try_from(unix_seconds).unwrap_or(0).saturating_mul(1000);
    TimestampCache::default().append(unix_ms, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// When certificates end: labels of Prometheus, and Unix time in seconds.
pub(super) fn ends(gateway: &Gateway) -> Vec<(String, u64)> {
    let credentials = gateway.credentials.borrow();
    let mut ends = BTreeSet::new();
    for view in credentials.views() {
        for facts in view.certificates {
            let labels = format!(
                "server=\"{}\",subject=\"{}\",serial=\"{}\"",
                escaped(view.name),
                escaped(&facts.subject),
                escaped(&facts.serial)
            );
            ends.insert((labels, u64::try_from(facts.not_after).unwrap_or(0)));
        }
    }
    ends.into_iter().collect()
}

/// How many servers and upstreams are in each state, by the label `state`.
pub(super) fn states(gateway: &Gateway) -> [(&'static str, u64); 3] {
    let credentials = gateway.credentials.borrow();
    let count = |condition| credentials.views().filter(|view| view.condition == condition).count() as u64;
    [("good", count(Condition::Good)), ("kept", count(Condition::Kept)), ("failed", count(Condition::Failed))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_in_envoys_words() {
        let facts = CertificateFacts {
            subject: "CN=a".into(),
            serial: "0a".into(),
            not_before: 0,
            not_after: 10 * 86_400,
            dns_names: vec!["a.example.com".into()],
            uris: vec!["spiffe://a".into()],
            ..CertificateFacts::default()
        };
        let value = certificate(&facts, 2 * 86_400 + 1);
        assert_eq!(value["days_until_expiration"], "7");
        assert_eq!(value["valid_from"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["expiration_time"], "1970-01-11T00:00:00.000Z");
        assert_eq!(value["subject_alt_names"], json!([{"dns": "a.example.com"}, {"uri": "spiffe://a"}]));
        assert_eq!(certificate(&facts, 20 * 86_400)["days_until_expiration"], "0");
        assert_eq!(escaped("O=\\\"b\\\"\n"), "O=\\\\\\\"b\\\\\\\"\\n");
    }
}
