//! How a request is judged, what it is made before a route is looked for, and what it is made for its destination.
//! `explain` asks the same functions, so what it says is what happens.

use super::{ConnectionInfo, standard};
use crate::{
    http::{BadPath, Name, RequestHead, Scheme, normalize_path},
    http1::decode::{Http10, Policy, Underscores},
    table::{Destination, Forward, Settings, UnderscoreAction},
    upstream::Random,
};

/// How request heads are judged.
pub fn head_policy(settings: &Settings) -> Policy {
    Policy {
        http10: if settings.http10 { Http10::Accept } else { Http10::Refuse },
        underscores: match settings.underscores {
            UnderscoreAction::Allow => Underscores::Allow,
            UnderscoreAction::Drop => Underscores::Drop,
            UnderscoreAction::Reject => Underscores::Reject,
        },
        ..Policy::default()
    }
}

/// Makes a decoded request what routing sees: its path normalized, the fields set that every gateway sets. Returns the
/// scheme that matches and redirects go by. `text` is memory to work with.
///
/// # Errors
/// A path that can't be normalized; the request is refused with 400.
pub fn arrive(
    request: &mut RequestHead,
    settings: &Settings,
    info: &ConnectionInfo,
    random: &Random,
    text: &mut Vec<u8>,
) -> Result<Scheme, BadPath> {
    request.scheme = info.scheme;
    normalize_path(&mut request.target, &mut request.path_len, settings.path_normalization)?;
    standard::request(request, settings, info, random, text);
    Ok(standard::effective_scheme(request))
}

/// Gives a request the path and the authority that its destination is to see; its header operations have been done. If
/// the path is rewritten, the target as it was is appended to `original_target`. `text` is memory to work with.
pub fn depart(
    request: &mut RequestHead,
    forward: &Forward,
    destination: &Destination,
    settings: &Settings,
    original_target: &mut Vec<u8>,
    text: &mut Vec<u8>,
) {
    if let Some(rewrite) = &forward.path_rewrite {
        let begin = original_target.len();
        original_target.extend_from_slice(&request.target);
        text.clear();
        rewrite.apply(request.path(), text);
        request.set_path(text);
        if settings.envoy_debug_headers {
            let original = original_target.get(begin..).unwrap_or_default();
            request.fields.push_known(Name::XEnvoy, "x-envoy-original-path", original);
        }
    }
    if let Some(authority) = forward.authority.as_ref().or(destination.authority.as_ref()) {
        if settings.x_forwarded_host {
            request.fields.remove(Name::XForwardedHost);
            request.fields.push_known(Name::XForwardedHost, "x-forwarded-host", &request.authority);
        }
        request.authority.clear();
        request.authority.extend_from_slice(authority);
    }
}
