//! What clients of gRPC and gRPC-Web get where the gateway answers itself: 200 with `grpc-status`, for they do not look at
//! the status.

use super::story::{Detail, GrpcStatus, Reply, Step};
use crate::{
    grpc::{self, Kind, STATUS_NAMES},
    http::{Name, RequestHead},
};

/// Which protocol of gRPC a request is, by its content type, as in the data plane; nothing for any other request.
pub(super) fn kind(request: &RequestHead) -> Option<Kind> {
    request.fields.get(Name::ContentType).and_then(grpc::kind)
}

/// The step that tells so.
pub(super) fn step(request: &RequestHead) -> Option<Step> {
    let name = match kind(request)? {
        Kind::Grpc => "gRPC",
        Kind::Web | Kind::WebText => "gRPC-Web",
    };
    let text = "by its content-type; what the gateway answers itself is 200 with `grpc-status` in the head";
    let step = Step::new(name, text).with(Detail::new("`grpc-message` then has what would be the body"));
    Some(step.with(Detail::new("redirects and direct responses stay as the configuration asks for them")))
}

/// An answer that the gateway makes, as the client of this request gets it. Not for answers that the configuration asks for.
pub(super) fn answer(request: &RequestHead, reply: Reply) -> Reply {
    if kind(request).is_none() {
        return reply;
    }
    let code = grpc::status_of_http(reply.status);
    let name = STATUS_NAMES.get(usize::from(code)).copied().unwrap_or_default();
    Reply { grpc: Some(GrpcStatus { code, name }), status: 200, ..reply }
}
