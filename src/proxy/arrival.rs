//! How a request is judged and what it is made before a route is looked for. `explain` asks the same functions, so what
//! it says is what happens.

use super::{ConnectionInfo, standard};
use crate::{
    http::{BadPath, RequestHead, Scheme, normalize_path},
    http1::decode::{Http10, Policy, Underscores},
    table::{Settings, UnderscoreAction},
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
    normalize_path(&mut request.target, &mut request.path_len, settings.path_normalization)?;
    standard::request(request, settings, info, random, text);
    Ok(standard::effective_scheme(request))
}
