//! How HTTP/2 is spoken with clients, and how long their connections live: `connectionSettings` and the options.

use super::Http2Options;
use crate::{
    config::{Spanned, resources::ConnectionSettings},
    table::Http2Settings,
};

/// The profile of `connectionSettings` for a gateway that faces the internet (specification section 2.6).
pub(super) const EDGE: &str = "EDGE";

/// Whether `profile: EDGE` is written.
pub(super) fn is_edge(settings: &ConnectionSettings) -> bool {
    settings.profile.as_ref().is_some_and(|profile| profile.value == EDGE)
}

/// The options are stronger than the fields, and these stronger than the profile.
pub(super) fn http2_settings(
    connections: Option<&ConnectionSettings>,
    options: &Http2Options,
) -> Http2Settings {
    let written = connections.map_or_else(Http2Settings::default, of_connections);
    Http2Settings {
        max_concurrent_streams: options.max_concurrent_streams.unwrap_or(written.max_concurrent_streams),
        initial_stream_window: options.stream_window.unwrap_or(written.initial_stream_window),
        initial_connection_window: options.connection_window.unwrap_or(written.initial_connection_window),
        connection_age_max: options.connection_age_max.or(written.connection_age_max),
        connection_requests_max: options.connection_requests_max.or(written.connection_requests_max),
        extended_connect: options.extended_connect.unwrap_or(written.extended_connect),
    }
}

/// `validate` has refused numbers that are none of the protocol's.
fn of_connections(connections: &ConnectionSettings) -> Http2Settings {
    let of_profile = if is_edge(connections) { Http2Settings::edge() } else { Http2Settings::default() };
    let number = |field: &Option<Spanned<i32>>, otherwise: u32| {
        field.as_ref().and_then(|number| u32::try_from(number.value).ok()).unwrap_or(otherwise)
    };
    Http2Settings {
        max_concurrent_streams: number(
            &connections.http_max_concurrent_streams,
            of_profile.max_concurrent_streams,
        ),
        initial_stream_window: number(
            &connections.http2_initial_stream_window_size,
            of_profile.initial_stream_window,
        ),
        initial_connection_window: number(
            &connections.http2_initial_connection_window_size,
            of_profile.initial_connection_window,
        ),
        connection_age_max: connections.http_max_connection_duration.as_ref().map(|age| age.value),
        ..of_profile
    }
}
