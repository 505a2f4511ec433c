//! The header fields that every gateway adds, sets and removes (specification section 2.6).

use super::{ConnectionInfo, Environment, client_cert};
use crate::{
    http::{Fields, Name, RequestHead, ResponseHead, Scheme},
    table::{ServerHeader, Settings},
    upstream::Random,
};

/// Changes the fields of a request as it comes in, before a route is looked for. `text` is memory to work with.
pub(super) fn request(
    head: &mut RequestHead,
    settings: &Settings,
    info: &ConnectionInfo,
    random: &Random,
    text: &mut Vec<u8>,
) {
    let fields = &mut head.fields;
    // All clients are external, so none may steer retries, timeouts and the like (Envoy's `x-envoy-*` controls).
    fields.remove(Name::XEnvoy);
    client_cert::forward(fields, settings.forward_client_cert, info.peer_certificate(), text);
    forwarded_for(fields, settings, info, text);
    if settings.trusted_proxies == 0 || fields.get(Name::XForwardedProto).is_none() {
        fields.remove(Name::XForwardedProto);
        fields.push_known(Name::XForwardedProto, "x-forwarded-proto", head.scheme.as_str().as_bytes());
    }
    if settings.x_forwarded_port
        && (settings.trusted_proxies == 0 || fields.get_text(b"x-forwarded-port").is_none())
        && let Some(local) = info.local
    {
        fields.set(b"x-forwarded-port", itoa::Buffer::new().format(local.port()).as_bytes());
    }
    if settings.request_id {
        fields.remove(Name::XRequestId);
        fields.push_known(Name::XRequestId, "x-request-id", &request_id(random));
    }
}

/// Appends the peer to `x-forwarded-for`, and names the client that may be believed in `x-envoy-external-address`.
fn forwarded_for(fields: &mut Fields, settings: &Settings, info: &ConnectionInfo, text: &mut Vec<u8>) {
    let peer = info.peer_ip_text().as_bytes();
    text.clear();
    for value in fields.get_all_known(Name::XForwardedFor).filter(|value| !value.is_empty()) {
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(value);
    }
    if settings.envoy_debug_headers {
        let trusted = trusted_client(text, settings.trusted_proxies).unwrap_or(peer);
        if !trusted.is_empty() {
            fields.push_known(Name::XEnvoy, "x-envoy-external-address", trusted);
        }
    }
    if peer.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push(b',');
        fields.remove(Name::XForwardedFor);
    }
    text.extend_from_slice(peer);
    fields.push_known(Name::XForwardedFor, "x-forwarded-for", text);
}

/// With N trusted proxies in front, the Nth address from the right of what they said.
fn trusted_client(forwarded_for: &[u8], trusted_proxies: u32) -> Option<&[u8]> {
    let nth = trusted_proxies.checked_sub(1)? as usize;
    let address = forwarded_for.rsplit(|byte| *byte == b',').nth(nth)?.trim_ascii();
    std::str::from_utf8(address).ok()?.parse::<std::net::IpAddr>().ok().map(|_| address)
}

/// The address of the client that may be believed, of a request that `request` has been done to: the peer's, or with N
/// trusted proxies in front the Nth from the right of what they said. Nothing for a Unix socket without such.
pub fn client_address(
    head: &RequestHead,
    settings: &Settings,
    info: &ConnectionInfo,
) -> Option<std::net::IpAddr> {
    let peer = info.peer_ip();
    let Some(nth) = settings.trusted_proxies.checked_sub(1) else { return peer };
    // The peer was appended, where it has an address.
    let skipped = nth as usize + usize::from(peer.is_some());
    let mut text = Vec::new();
    for value in head.fields.get_all_known(Name::XForwardedFor) {
        text.extend_from_slice(value);
        text.push(b',');
    }
    let said = text.strip_suffix(b",").and_then(|said| said.rsplit(|byte| *byte == b',').nth(skipped));
    let said = said.and_then(|address| std::str::from_utf8(address.trim_ascii()).ok()?.parse().ok());
    said.or(peer)
}

/// The scheme that redirects and matches go by: that of the connection, or what a trusted proxy says.
pub(super) fn effective_scheme(head: &RequestHead) -> Scheme {
    match head.fields.get(Name::XForwardedProto) {
        Some(value) if value.eq_ignore_ascii_case(b"https") => Scheme::Https,
        _ => Scheme::Http,
    }
}

/// A UUID of version 4 (RFC 9562 section 5.4). It tells requests apart; nothing secret depends on it.
fn request_id(random: &Random) -> [u8; 36] {
    let high = random.next() & !0xf000 | 0x4000;
    let low = random.next() & !(0b11 << 62) | (0b10 << 62);
    let [a, b] = hex((high >> 32) as u32);
    let [c, d] = hex(high as u32);
    let [e, f] = hex((low >> 32) as u32);
    let [g, h] = hex(low as u32);
    let mut text = [b'-'; 36];
    for (at, digits) in [(0, a), (4, b), (9, c), (14, d), (19, e), (24, f), (28, g), (32, h)] {
        text[at..at + 4].copy_from_slice(&digits);
    }
    text
}

/// Eight digits. All at once: this is done for every request, and digit by digit it takes six times as long.
fn hex(number: u32) -> [[u8; 4]; 2] {
    // Each half byte gets a byte of its own, the highest one first.
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 where there is a letter: 6 more than 9 is the first that has the bit 0x10.
    let letters = (digits + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    let text = digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10);
    let [a, b, c, d, e, f, g, h] = text.to_be_bytes();
    [[a, b, c, d], [e, f, g, h]]
}

/// Changes the fields of an upstream's response on its way to the client.
pub(super) fn response(head: &mut ResponseHead, settings: &Settings, env: &Environment, service_ms: u64) {
    let fields = &mut head.fields;
    if fields.contains(Name::XEnvoy) {
        fields.remove_text(b"x-envoy-decorator-operation");
        fields.remove_text(b"x-envoy-upstream-service-time");
    }
    if let ServerHeader::Overwrite(server) = &settings.server_header {
        fields.remove(Name::Server);
        fields.push_known(Name::Server, "server", server);
    }
    if fields.get(Name::Date).is_none() {
        env.with_date(|date| fields.push_known(Name::Date, "date", date));
    }
    if settings.envoy_debug_headers {
        let mut number = itoa::Buffer::new();
        fields.push_known(
            Name::XEnvoy,
            "x-envoy-upstream-service-time",
            number.format(service_ms).as_bytes(),
        );
    }
}

/// Adds what every local reply has.
pub(super) fn local_reply(head: &mut ResponseHead, settings: &Settings, env: &Environment) {
    if let ServerHeader::Overwrite(server) = &settings.server_header {
        head.fields.push_known(Name::Server, "server", server);
    }
    env.with_date(|date| head.fields.push_known(Name::Date, "date", date));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Peer;

    fn through(settings: &Settings, client: &[(&str, &str)]) -> Vec<(String, String)> {
        let peer = Peer::Tcp(([10, 0, 0, 9], 5000).into());
        let info = ConnectionInfo::new(peer, None, "".into());
        let mut head = RequestHead::default();
        client.iter().for_each(|(name, value)| head.fields.push(name.as_bytes(), value.as_bytes()));
        request(&mut head, settings, &info, &Random::default(), &mut Vec::new());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        head.fields.iter().map(|field| (text(field.text), text(field.value))).collect()
    }

    fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
        fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn an_untrusted_client_is_not_believed() {
        let got = through(
            &Settings::default(),
            &[
                ("X-Forwarded-For", "1.2.3.4"),
                ("X-Forwarded-For", "5.6.7.8"),
                ("X-Forwarded-Proto", "https"),
                ("X-Request-Id", "mine"),
                ("X-Envoy-Max-Retries", "9"),
                ("X-Forwarded-Client-Cert", "forged"),
            ],
        );
        assert_eq!(value(&got, "x-forwarded-for"), Some("1.2.3.4,5.6.7.8,10.0.0.9"));
        assert_eq!(value(&got, "x-forwarded-proto"), Some("http"));
        assert_eq!(value(&got, "x-envoy-external-address"), Some("10.0.0.9"));
        assert_eq!(value(&got, "x-envoy-max-retries"), None);
        assert_eq!(value(&got, "x-forwarded-client-cert"), None);
        let id = value(&got, "x-request-id").unwrap();
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
    }

    #[test]
    fn a_trusted_proxy_is_believed_for_as_many_hops_as_were_said() {
        let settings = Settings { trusted_proxies: 2, ..Settings::default() };
        let got = through(
            &settings,
            &[("x-forwarded-for", "9.9.9.9, 1.2.3.4, 5.6.7.8"), ("x-forwarded-proto", "https")],
        );
        assert_eq!(value(&got, "x-envoy-external-address"), Some("1.2.3.4"));
        assert_eq!(value(&got, "x-forwarded-proto"), Some("https"));
    }

    #[test]
    fn the_address_that_counts_is_the_one_that_is_passed_on() {
        for trusted_proxies in 0..4 {
            let settings = Settings { trusted_proxies, ..Settings::default() };
            for said in
                [None, Some("9.9.9.9, 1.2.3.4,2001:db8::1"), Some("1.2.3.4"), Some("forged, 1.2.3.4, x")]
            {
                let peer = Peer::Tcp(([10, 0, 0, 9], 5000).into());
                let info = ConnectionInfo::new(peer, None, "".into());
                let mut head = RequestHead::default();
                said.into_iter().for_each(|said| head.fields.push(b"x-forwarded-for", said.as_bytes()));
                request(&mut head, &settings, &info, &Random::default(), &mut Vec::new());
                let passed_on = head.fields.get_text(b"x-envoy-external-address").unwrap();
                let passed_on = std::str::from_utf8(passed_on).unwrap().parse().unwrap();
                assert_eq!(
                    client_address(&head, &settings, &info),
                    Some(passed_on),
                    "{trusted_proxies} {said:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_are_written_as_everybody_writes_them() {
        for number in (0..32).map(|bit| 0x9abc_def1_u32.rotate_left(bit)).chain([0, u32::MAX, 0x0123_4567]) {
            assert_eq!(hex(number).concat(), format!("{number:08x}").as_bytes());
        }
    }

    #[test]
    fn what_is_switched_off_is_not_added() {
        let settings = Settings { request_id: false, envoy_debug_headers: false, ..Settings::default() };
        let got = through(&settings, &[]);
        let names: Vec<_> = got.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-forwarded-for", "x-forwarded-proto"]);
    }
}
