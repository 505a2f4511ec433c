//! How an endpoint is chosen.

use super::{
    super::{
        place::{Place, conflicting, deprecated, missing, text, without_effect},
        scalars::{OMIT_FOR_DEFAULT, check_duration},
        wording::shown,
    },
    locality::{check_failover, check_locality},
};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{ConsistentHashLb, HttpCookie, LoadBalancerSettings, SimpleLb, WarmupConfiguration},
    },
    http::is_token_byte,
};
use std::collections::HashMap;

/// Maglev's table must be smaller than this (Envoy's limit).
const MAGLEV_SIZE_END: u64 = 5_000_011;
/// The largest ring (Envoy's limit).
const RING_SIZE_MAX: u64 = 8 << 20;

/// `has_outlier`: whether endpoints are left out when they fail.
pub(super) fn check(settings: &LoadBalancerSettings, has_outlier: bool, at: &Place<'_>) {
    if let Some(simple) = &settings.simple {
        let at = at.field("simple", simple);
        match **simple {
            SimpleLb::LeastConn => {
                at.report(deprecated("LEAST_CONN", "write LEAST_REQUEST, which is the same"))
            }
            SimpleLb::Passthrough => {
                let message = "PASSTHROUGH leaves a gateway without endpoints: every request gets 503";
                let help = "clients ask a gateway for the gateway, not for an endpoint; write LEAST_REQUEST";
                at.report(Diagnostic::warning("no-endpoints", message).help(help));
            }
            _ => {}
        }
    }
    if let Some(hash) = &settings.consistent_hash {
        check_hash(hash, &at.field("consistentHash", hash));
    }
    if let Some(locality) = &settings.locality_lb_setting {
        check_locality(locality, has_outlier, &at.field("localityLbSetting", locality));
    }
    if let Some(zones) = &settings.zone_aware_lb_setting {
        let at = at.field("zoneAwareLbSetting", zones);
        if let Some(locality) = &settings.locality_lb_setting {
            let problem =
                conflicting("localityLbSetting", "zoneAwareLbSetting").label(locality.span, "the other one");
            at.report(problem.help("remove one of the two"));
        }
        check_failover(&zones.failover, &zones.failover_priority, has_outlier, &at);
    }
    check_warmups(settings, at);
}

fn check_hash(hash: &ConsistentHashLb, at: &Place<'_>) {
    if let Some(name) = &hash.http_header_name
        && (name.is_empty() || !name.bytes().all(is_token_byte))
    {
        let message = format!("`{}` is not the name of a header field", shown(name));
        at.field("httpHeaderName", name).report(Diagnostic::error("bad-header-name", message));
    }
    if let Some(name) = hash.http_query_parameter_name.as_ref().filter(|name| name.is_empty()) {
        let problem = Diagnostic::error("missing-field", "the parameter has no name");
        at.field("httpQueryParameterName", name).report(problem);
    }
    if let Some(cookie) = &hash.http_cookie {
        check_cookie(cookie, &at.field("httpCookie", cookie));
    }
    let by_address = hash.use_source_ip.as_ref().is_some_and(|by| **by);
    let has_name = hash.http_header_name.is_some() || hash.http_query_parameter_name.is_some();
    if !(by_address || has_name || hash.http_cookie.is_some()) {
        let problem = without_effect("consistentHash", "it does not say what of a request decides");
        at.report(
            problem.help("write httpHeaderName, httpCookie, useSourceIp: true or httpQueryParameterName"),
        );
    }
    check_algorithm(hash, at);
}

fn check_algorithm(hash: &ConsistentHashLb, at: &Place<'_>) {
    if let Some(size) = hash.minimum_ring_size.as_ref().filter(|size| ***size != 0) {
        let at = at.field("minimumRingSize", size);
        at.report(deprecated("minimumRingSize", "write `ringHash: {minimumRingSize: ...}`"));
        let ring = hash.ring_hash.as_ref().map(|ring| ("ringHash", ring.span));
        if let Some((name, span)) = ring.or(hash.maglev.as_ref().map(|maglev| ("maglev", maglev.span))) {
            at.report(
                conflicting(name, "minimumRingSize")
                    .label(span, "the other one")
                    .help("remove the deprecated one"),
            );
        }
        check_ring_size(size, &at);
    }
    if let Some(ring) = &hash.ring_hash
        && let Some(size) = &ring.minimum_ring_size
    {
        check_ring_size(size, &at.field("ringHash", ring).field("minimumRingSize", size));
    }
    let Some(maglev) = &hash.maglev else { return };
    let at = at.field("maglev", maglev);
    let Some(size) = maglev.table_size.as_ref().filter(|size| ***size != 0) else {
        return at
            .absent("tableSize")
            .report(missing("tableSize").help("write a prime number, such as 65537"));
    };
    let at = at.field("tableSize", size);
    if **size >= MAGLEV_SIZE_END {
        let problem =
            Diagnostic::error("bad-table-size", format!("a table of {} places is too large", **size));
        at.report(problem.help(format!("expected a prime number below {MAGLEV_SIZE_END}, such as 65537")));
    } else if !is_prime(**size) {
        let problem = Diagnostic::error("bad-table-size", format!("{} is not a prime number", **size));
        at.report(problem.help("Maglev's permutations need one, such as 65537"));
    }
}

fn check_ring_size(size: &Spanned<u64>, at: &Place<'_>) {
    if **size > RING_SIZE_MAX {
        let problem =
            Diagnostic::error("bad-table-size", format!("a ring of {} places is too large", **size));
        at.report(problem.help(format!("expected at most {RING_SIZE_MAX}; absent: 1024")));
    }
}

/// By trial: a table's size is below [`MAGLEV_SIZE_END`], so some thousand divisions are enough.
fn is_prime(number: u64) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && !divisors.any(|divisor| number.is_multiple_of(divisor))
}

fn check_cookie(cookie: &HttpCookie, at: &Place<'_>) {
    if let Some(name) = at.require_text("name", &cookie.name, "name the cookie")
        && !name.bytes().all(is_token_byte)
    {
        let problem =
            Diagnostic::error("bad-name", format!("`{}` can't be the name of a cookie", shown(name)));
        at.field("name", name).report(problem.help("expected a token (RFC 6265, section 4.1.1)"));
    }
    let is_attribute = |text: &str| text.bytes().all(|byte| !byte.is_ascii_control() && byte != b';');
    if let Some(path) = text(&cookie.path).filter(|path| !is_attribute(path)) {
        let problem =
            Diagnostic::error("bad-name", "the path of a cookie has no `;` and no control characters");
        at.field("path", path).report(problem);
    }
    let mut names: HashMap<String, &Spanned<String>> = HashMap::new();
    for (at, attribute) in at.items("attributes", &cookie.attributes) {
        let value = attribute.value.value.as_ref().filter(|value| !is_attribute(value));
        if let Some(value) = value {
            let problem = Diagnostic::error(
                "bad-name",
                "the value of an attribute has no `;` and no control characters",
            );
            at.field("value", value).report(problem);
        }
        let Some(name) = at.require_text("name", &attribute.name, "name the attribute, such as `SameSite`")
        else {
            continue;
        };
        let at = at.field("name", name);
        if !name.bytes().all(is_token_byte) {
            let problem =
                Diagnostic::error("bad-name", format!("`{}` can't be the name of an attribute", shown(name)));
            at.report(problem.help("expected a token (RFC 6265, section 4.1.1)"));
        }
        if let Some(first) = names.insert(name.to_ascii_lowercase(), name) {
            let problem = Diagnostic::error(
                "duplicate-item",
                format!("the attribute `{}` is there twice", shown(name)),
            );
            at.report(problem.label(first.span, "the first one").help("remove one of the two"));
        }
    }
}

fn check_warmups(settings: &LoadBalancerSettings, at: &Place<'_>) {
    let old = settings.warmup_duration_secs.as_ref();
    if let Some(duration) = old {
        let at = at.field("warmupDurationSecs", duration);
        at.report(deprecated("warmupDurationSecs", "write `warmup: {duration: ...}`"));
        check_duration(**duration, &at, OMIT_FOR_DEFAULT);
        if let Some(warmup) = &settings.warmup {
            let problem = conflicting("warmup", "warmupDurationSecs").label(warmup.span, "the other one");
            at.report(problem.help("remove the deprecated one"));
        }
    }
    if let Some(warmup) = &settings.warmup {
        check_warmup(warmup, &at.field("warmup", warmup));
    }
    let is_without = match &settings.simple {
        Some(simple) => matches!(**simple, SimpleLb::Random | SimpleLb::Passthrough),
        None => settings.consistent_hash.is_some(),
    };
    let first = settings.warmup.as_ref().map(|warmup| ("warmup", warmup.span));
    if let Some((name, span)) = first.or(old.map(|old| ("warmupDurationSecs", old.span)))
        && is_without
    {
        let problem = without_effect(name, "only ROUND_ROBIN and LEAST_REQUEST let an endpoint's share grow");
        at.absent(name).pointing_at(span).report(problem.help("remove it, or choose one of the two"));
    }
}

fn check_warmup(warmup: &WarmupConfiguration, at: &Place<'_>) {
    if let Some(duration) =
        at.require("duration", &warmup.duration, "write how long the share grows, such as 30s")
    {
        check_duration(**duration, &at.field("duration", duration), "remove `warmup` for none");
    }
    if let Some(percent) = &warmup.minimum_percent {
        super::super::scalars::check_percent(**percent, &at.field("minimumPercent", percent));
    }
    if let Some(aggression) = warmup.aggression.as_ref().filter(|aggression| ***aggression <= 0.0) {
        let problem = Diagnostic::error("bad-number", format!("{} is not above 0", **aggression));
        at.field("aggression", aggression).report(problem.help("expected a number above 0; absent: 1"));
    }
}
