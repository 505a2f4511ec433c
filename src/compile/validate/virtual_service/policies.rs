//! What goes along with a rule: timeout, retries, faults, mirrors, CORS.

use super::{
    super::{
        place::{Place, deprecated, missing, text, without_effect},
        scalars::{OMIT_FOR_DEFAULT, check_duration, check_not_negative, check_percent},
        wording::shown,
    },
    actions::check_status,
    destinations,
    matches::check_text,
};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{
            CorsPolicy, FaultAbort, FaultDelay, HttpFaultInjection, HttpRetry, HttpRoute, Percent,
            StringMatch,
        },
    },
    grpc::STATUS_NAMES,
    http::is_token_byte,
};

/// The smallest share of faults that is not none, in percent (istiod's limit: one in a million).
const SHARE_MIN: f64 = 0.0001;

/// Reasons for a retry that Envoy knows.
const RETRY_REASONS: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];

pub(super) fn check(route: &HttpRoute, at: &Place<'_>) {
    if let Some(timeout) = &route.timeout {
        check_duration(
            **timeout,
            &at.field("timeout", timeout),
            "omit it: without `timeout` there is no limit",
        );
    }
    if let Some(retries) = &route.retries {
        check_retries(retries, &at.field("retries", retries));
    }
    if let Some(fault) = &route.fault {
        check_fault(fault, &at.field("fault", fault));
    }
    if let Some(cors) = &route.cors_policy {
        check_cors(cors, &at.field("corsPolicy", cors));
    }
    check_mirrors(route, at);
}

/// `retries` of a rule, or `defaultHttpRetryPolicy` of the mesh.
pub(in super::super) fn check_retries(retries: &HttpRetry, at: &Place<'_>) {
    let attempts = retries.attempts.as_ref().map_or(0, |attempts| **attempts);
    if let Some(attempts) = &retries.attempts {
        check_not_negative(**attempts, &at.field("attempts", attempts));
    }
    if let Some(timeout) = &retries.per_try_timeout {
        check_duration(
            **timeout,
            &at.field("perTryTimeout", timeout),
            "omit it: without it there is no limit",
        );
    }
    if let Some(backoff) = &retries.backoff {
        check_duration(**backoff, &at.field("backoff", backoff), OMIT_FOR_DEFAULT);
    }
    if let Some(reasons) = text(&retries.retry_on) {
        check_retry_on(reasons, &at.field("retryOn", reasons));
    }
    let settings = [
        ("perTryTimeout", retries.per_try_timeout.as_ref().map(|field| field.span)),
        ("retryOn", text(&retries.retry_on).map(|field| field.span)),
        ("retryRemoteLocalities", retries.retry_remote_localities.as_ref().map(|field| field.span)),
    ];
    let first = settings.into_iter().filter_map(|(name, span)| Some((name, span?))).next();
    if let (0, Some((name, span))) = (attempts, first) {
        let problem = match &retries.attempts {
            Some(zero) => Diagnostic::error(
                "conflicting-fields",
                format!("`{name}` can't go with `attempts: 0`, which switches retries off"),
            )
            .label(zero.span, "the number of retries"),
            None => Diagnostic::error(
                "conflicting-fields",
                format!("`{name}` can't stand without `attempts`, which is then 0"),
            ),
        };
        at.absent(name)
            .pointing_at(span)
            .report(problem.help("write `attempts: 2` or so, or remove the other settings"));
    }
}

fn check_retry_on(reasons: &str, at: &Place<'_>) {
    for reason in reasons.split(',') {
        let is_status = reason.parse().is_ok_and(is_registered_status);
        if RETRY_REASONS.contains(&reason) || is_status {
            continue;
        }
        let shown = shown(reason);
        let help = match reason.trim() {
            "" => "remove the comma that nothing follows".to_owned(),
            trimmed if trimmed != reason => "write commas without spaces".to_owned(),
            _ => format!("expected statuses such as 503, or {}", RETRY_REASONS.join(", ")),
        };
        let problem = Diagnostic::error("bad-retry-on", format!("`{shown}` is not a reason for a retry"));
        at.report(problem.help(help));
    }
}

/// The statuses with a name in Go's `net/http`, which istiod asks.
fn is_registered_status(status: u16) -> bool {
    matches!(
        status,
        100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429 | 431 | 451
            | 500..=508 | 510 | 511
    )
}

fn check_fault(fault: &HttpFaultInjection, at: &Place<'_>) {
    if fault.delay.is_none() && fault.abort.is_none() {
        at.report(
            Diagnostic::error("missing-field", "the fault is neither a delay nor an abort")
                .help("write `delay` or `abort`"),
        );
    }
    if let Some(delay) = &fault.delay {
        check_delay(delay, &at.field("delay", delay));
    }
    if let Some(abort) = &fault.abort {
        check_abort(abort, &at.field("abort", abort));
    }
}

fn check_delay(delay: &FaultDelay, at: &Place<'_>) {
    if let Some(percent) = &delay.percent {
        let at = at.field("percent", percent);
        at.report(deprecated("percent", "write `percentage: {value: ...}`"));
        check_percent(**percent, &at);
    } else {
        check_share(&delay.percentage, at);
    }
    if let Some(fixed) = &delay.fixed_delay {
        check_duration(**fixed, &at.field("fixedDelay", fixed), "remove the delay");
    }
    if let Some(exponential) = &delay.exponential_delay {
        let problem =
            Diagnostic::error("not-implemented", "`exponentialDelay` is not implemented, by Istio neither");
        at.field("exponentialDelay", exponential).report(problem.help("write `fixedDelay`"));
    } else if delay.fixed_delay.is_none() {
        at.absent("fixedDelay")
            .report(without_effect("delay", "it has no duration").help("write `fixedDelay`"));
    }
}

fn check_abort(abort: &FaultAbort, at: &Place<'_>) {
    check_share(&abort.percentage, at);
    if let Some(status) = &abort.http_status {
        check_status(i64::from(**status), &at.field("httpStatus", status));
    } else if let Some(status) = &abort.grpc_status {
        if !STATUS_NAMES.contains(&status.as_str()) {
            let message = format!("`{}` is not a status of gRPC", shown(status));
            let help = format!("expected one of {}", STATUS_NAMES.join(", "));
            at.field("grpcStatus", status).report(Diagnostic::error("bad-status", message).help(help));
        }
    } else if let Some(error) = &abort.http2_error {
        let problem =
            Diagnostic::error("not-implemented", "`http2Error` is not implemented, by Istio neither");
        at.field("http2Error", error).report(problem.help("write `httpStatus` or `grpcStatus`"));
    } else {
        let problem = without_effect("abort", "it says no error");
        at.report(problem.help("write `httpStatus` or `grpcStatus`"));
    }
}

/// How often a fault is made. Nothing said is never.
fn check_share(percentage: &Option<Spanned<Percent>>, at: &Place<'_>) {
    let Some(percentage) = percentage else {
        let problem = Diagnostic::warning("never-happens", "without `percentage` the fault is never made");
        at.absent("percentage").report(problem.help("write `percentage: {value: 100}` for every request"));
        return;
    };
    let Some(share) = &percentage.value.value else { return };
    if **share != 0.0 && !(SHARE_MIN..=100.0).contains(&**share) {
        let problem = Diagnostic::error("bad-percentage", format!("{} is not a percentage", **share));
        let problem = problem.help("expected 0, or 0.0001 to 100");
        at.field("percentage", percentage).field("value", share).report(problem);
    }
}

fn check_mirrors(route: &HttpRoute, at: &Place<'_>) {
    if let Some(mirror) = &route.mirror {
        destinations::check(mirror, &at.field("mirror", mirror));
    }
    for (at, mirror) in at.items("mirrors", &route.mirrors) {
        if let Some(destination) =
            at.require("destination", &mirror.destination, "write `destination: {host: ...}`")
        {
            destinations::check(destination, &at.field("destination", destination));
        }
        check_mirror_share(mirror.percentage.as_ref(), "percentage", &at);
    }
    check_mirror_share(route.mirror_percentage.as_deref(), "mirrorPercentage", at);
    if let Some(percent) = &route.mirror_percent {
        let at = at.field("mirrorPercent", percent);
        at.report(deprecated("mirrorPercent", "write `mirrorPercentage: {value: ...}`"));
        check_percent(i64::from(**percent), &at);
    }
    if let (Some(share), None) = (&route.mirror_percentage, &route.mirror) {
        let problem = without_effect("mirrorPercentage", "there is no `mirror`");
        let help = "in `mirrors` each has a `percentage` of its own";
        at.field("mirrorPercentage", share).report(problem.help(help));
    }
}

fn check_mirror_share(percentage: Option<&Spanned<Percent>>, name: &'static str, at: &Place<'_>) {
    let Some(percentage) = percentage else { return };
    if let Some(share) = &percentage.value.value {
        check_percent(**share, &at.field(name, percentage).field("value", share));
    }
}

fn check_cors(cors: &CorsPolicy, at: &Place<'_>) {
    if let Some(first) = cors.allow_origin.first() {
        let problem = deprecated("allowOrigin", "write `allowOrigins: [{exact: ...}]`");
        let problem = match cors.allow_origins.first() {
            Some(used) => problem.label(used.span, "this is used instead"),
            None => problem,
        };
        at.absent("allowOrigin").pointing_at(first.span).report(problem);
    }
    if cors.allow_origins.is_empty() && cors.allow_origin.is_empty() {
        let problem = without_effect("corsPolicy", "it allows no origin");
        at.absent("allowOrigins").report(problem.help("write `allowOrigins` with at least one origin"));
    }
    for (at, origin) in at.items("allowOrigins", &cors.allow_origins) {
        check_origin(origin, &at);
    }
    for (at, method) in at.items("allowMethods", &cors.allow_methods) {
        if **method != "*" && !METHODS.contains(&method.as_str()) {
            let problem = Diagnostic::error("bad-method", format!("`{}` is not a method", shown(method)));
            at.report(problem.help(format!("expected `*`, or one of {}", METHODS.join(", "))));
        }
    }
    for (name, list) in [("allowHeaders", &cors.allow_headers), ("exposeHeaders", &cors.expose_headers)] {
        for (at, field) in at.items(name, list) {
            if field.is_empty() || !field.bytes().all(is_token_byte) {
                let message = format!("`{}` is not the name of a header field", shown(field));
                at.report(
                    Diagnostic::error("bad-header-name", message).help("expected a name, or `*` for all"),
                );
            }
        }
    }
    if let Some(age) = cors.max_age.as_ref().filter(|age| age.subsec_nanos() != 0) {
        let problem = Diagnostic::error("bad-duration", format!("{:?} has a fraction of a second", **age));
        at.field("maxAge", age).report(problem.help("browsers take whole seconds"));
    }
}

fn check_origin(origin: &StringMatch, at: &Place<'_>) {
    let Some(exact) = &origin.exact else {
        if origin.prefix.is_none() && origin.regex.is_none() {
            at.absent("exact").report(missing("exact").help("write `exact: \"*\"` for every origin"));
        }
        return check_text(origin, at);
    };
    let at = at.field("exact", exact);
    if exact.is_empty() {
        at.report(
            Diagnostic::error("empty-value", "the origin is empty")
                .help("write `exact: \"*\"` for every origin"),
        );
    } else if !exact.contains("://") && !["*", "null"].contains(&exact.as_str()) {
        let problem = Diagnostic::warning(
            "never-matches",
            format!("no origin is `{}`: it has no scheme", shown(exact)),
        );
        at.report(problem.help(format!("write `https://{}`", shown(exact))));
    }
}
