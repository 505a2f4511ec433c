//! The limits of a head, and the choices that configuration makes.

use crate::http::Underscores;

/// What a head may cost. A head that reaches a limit is refused with no more of it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the head on the wire, with its start line and the empty line at its end. [`super::request()`] and
    /// [`super::response()`] never ask for more than this, so a buffer of this size always suffices.
    pub head_bytes: usize,
    /// Field lines, at most 100: the decoder has room for no more.
    pub fields: usize,
}

/// What [`Limits::fields`] may be at most.
pub(super) const FIELDS_MAX: usize = 100;

impl Default for Limits {
    /// Envoy's, which Istio leaves alone: 60 KiB and 100 fields.
    fn default() -> Self {
        Limits { head_bytes: 60 * 1024, fields: FIELDS_MAX }
    }
}

/// How request heads are to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What a head may cost.
    pub limits: Limits,
    /// Whether HTTP/1.0 is spoken.
    pub http10: Http10,
    /// What becomes of names with an underscore.
    pub underscores: Underscores,
    /// What becomes of a request for an upgrade that is not to websocket.
    pub other_upgrades: OtherUpgrades,
}

/// Whether HTTP/1.0 requests are served (istiod's `PILOT_HTTP10`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http10 {
    /// They are answered 426.
    #[default]
    Refuse,
    /// They are served, and their connection closes unless they say `connection: keep-alive`.
    Accept,
}

/// What becomes of `upgrade` with a protocol that is not `websocket`. `h2c` is ignored in any case, as Envoy does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherUpgrades {
    /// The upgrade is dropped and the request served as it is (RFC 9110 section 7.8 leaves a server that choice).
    #[default]
    Ignore,
    /// The request is refused with 403, as Envoy does where no `upgrade_configs` names the protocol.
    Refuse,
}
