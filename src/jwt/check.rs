//! Issuer, times and audiences: what the claims of a token must be before anybody looks at its signature.

use super::Refusal;
use serde_json::{Map, Value};

/// Clocks differ: a token is good this many seconds before its `nbf` and after its `exp` (Envoy's `clock_skew_seconds`,
/// which Istio leaves at its default).
pub const CLOCK_SKEW: u64 = 60;

/// What a rule asks of the claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    issuer: Box<str>,
    /// Without schemes and slashes at the end; empty: any will do.
    audiences: Vec<Box<str>>,
}

/// When a token is good, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `nbf`; 0 where it has none.
    pub not_before: u64,
    /// `exp`. A token without one is good for ever, as in Istio.
    pub not_after: Option<u64>,
}

impl Validity {
    /// Whether a token is good now, give or take [`CLOCK_SKEW`].
    ///
    /// # Errors
    /// Not yet, or no longer.
    pub fn check(&self, now: u64) -> Result<(), Refusal> {
        if now.saturating_add(CLOCK_SKEW) < self.not_before {
            return Err(Refusal::NotYetValid);
        }
        if self.not_after.is_some_and(|end| now > end.saturating_add(CLOCK_SKEW)) {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

impl Terms {
    /// `issuer` is what `iss` must be, exactly. Of `audiences` the token must be for one; none: for anybody.
    pub fn new<'a>(issuer: &str, audiences: impl IntoIterator<Item = &'a str>) -> Terms {
        let audiences = audiences.into_iter().map(|audience| bare(audience).into()).collect();
        Terms { issuer: issuer.into(), audiences }
    }

    /// What `iss` must be.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks the claims at a time, in seconds since 1970. The order of the checks is Envoy's.
    ///
    /// # Errors
    /// The first of the claims that is not as it must be.
    pub fn check(&self, payload: &Map<String, Value>, now: u64) -> Result<Validity, Refusal> {
        let issuer = text(payload, "iss", Refusal::Issuer)?;
        text(payload, "sub", Refusal::Subject)?;
        seconds(payload, "iat", Refusal::IssuedAt)?;
        let not_before = seconds(payload, "nbf", Refusal::NotBefore)?.unwrap_or(0);
        let not_after = seconds(payload, "exp", Refusal::Expiry)?;
        text(payload, "jti", Refusal::TokenId)?;
        let audiences = texts(payload, "aud", Refusal::Audience)?;
        if issuer != Some(&*self.issuer) {
            return Err(Refusal::UnknownIssuer);
        }
        let validity = Validity { not_before, not_after };
        validity.check(now)?;
        let is_wanted = |audience: &&str| self.audiences.iter().any(|wanted| **wanted == *bare(audience));
        if self.audiences.is_empty() || audiences.iter().any(is_wanted) {
            Ok(validity)
        } else {
            Err(Refusal::WrongAudience)
        }
    }
}

/// An audience without `http://` or `https://` and without a slash at its end: issuers and users differ in both, and
/// Envoy compares what is left.
fn bare(audience: &str) -> &str {
    let rest = audience.strip_prefix("http://").or_else(|| audience.strip_prefix("https://"));
    let rest = rest.unwrap_or(audience);
    rest.strip_suffix('/').unwrap_or(rest)
}

fn text<'p>(payload: &'p Map<String, Value>, name: &str, bad: Refusal) -> Result<Option<&'p str>, Refusal> {
    match payload.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad),
    }
}

fn texts<'p>(payload: &'p Map<String, Value>, name: &str, bad: Refusal) -> Result<Vec<&'p str>, Refusal> {
    match payload.get(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().ok_or(bad)).collect(),
        Some(_) => Err(bad),
    }
}

/// A time. Its fraction is cut off, as with Envoy. A negative one, and one beyond the end of time, is refused.
fn seconds(payload: &Map<String, Value>, name: &str, bad: Refusal) -> Result<Option<u64>, Refusal> {
    /// Above it doubles do not have every whole number; it is 285 million years.
    const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;
    let Some(value) = payload.get(name) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(bad) };
    match (number.as_u64(), number.as_f64()) {
        (Some(whole), _) => Ok(Some(whole)),
        (None, Some(fraction)) if (0.0..=SECONDS_MAX).contains(&fraction) => Ok(Some(fraction as u64)),
        _ => Err(bad),
    }
}
