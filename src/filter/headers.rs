//! `headers.request` and `headers.response` of routes and destinations.

/// What to do to the fields of a message: first `remove`, then `set`, then `add` (specification section 3.4).
#[derive(Clone, Debug, Default)]
pub struct HeaderOps {}
