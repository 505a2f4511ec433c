//! What is decided about a request between its route and the route's action.

/// The checks of one route. Most routes have none.
#[derive(Debug, Default)]
pub struct Checks {
    /// The most bytes that a request's body may have; `None`: no limit.
    pub body_max: Option<u64>,
}
