//! What gRPC clients get where the gateway answers itself: 200 with `grpc-status`, for they do not look at the status.

use super::{
    story::{Detail, Failure, GrpcStatus, Outcome, Reply, Step},
    walk::Arrived,
};
use crate::http::Name;

/// Whether the request is gRPC's, or gRPC-Web's on a port where that is translated.
pub(super) fn is_grpc(arrived: &Arrived<'_>) -> bool {
    let Some(content_type) = arrived.request.fields.get(Name::ContentType) else { return false };
    let is_of = |kind: &[u8]| {
        content_type.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
            && matches!(content_type.get(kind.len()), None | Some(b'+' | b';' | b' '))
    };
    let is_web = is_of(b"application/grpc-web") || is_of(b"application/grpc-web-text");
    is_of(b"application/grpc") || (is_web && arrived.table.is_grpc_web)
}

/// The step that tells so.
pub(super) fn step() -> Step {
    let text = "by its content-type; what the gateway answers itself is 200 with `grpc-status` in the head";
    Step::new("gRPC", text).with(Detail::new("`grpc-message` then has what would be the body"))
}

/// The outcome as a gRPC client gets it.
pub(super) fn of(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Reply(reply) => Outcome::Reply(reply_of(reply)),
        Outcome::Forward(mut targets) => {
            for target in &mut targets {
                target.failure = target.failure.take().map(|failure| match failure {
                    Failure::Reply(reply) => Failure::Reply(reply_of(reply)),
                    closed @ Failure::Closed(_) => closed,
                });
            }
            Outcome::Forward(targets)
        }
        other @ (Outcome::NoConnection { .. } | Outcome::Closed(_) | Outcome::Connect(_)) => other,
    }
}

fn reply_of(reply: Reply) -> Reply {
    Reply { grpc: Some(status(reply.status)), status: 200, ..reply }
}

/// By the table of gRPC (`http-grpc-status-mapping.md`).
fn status(http: u16) -> GrpcStatus {
    let (code, name) = match http {
        400 => (13, "INTERNAL"),
        401 => (16, "UNAUTHENTICATED"),
        403 => (7, "PERMISSION_DENIED"),
        404 => (12, "UNIMPLEMENTED"),
        429 | 502..=504 => (14, "UNAVAILABLE"),
        _ => (2, "UNKNOWN"),
    };
    GrpcStatus { code, name }
}
