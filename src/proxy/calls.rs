//! What the gateway does for calls of gRPC: deadlines, local replies in its own terms, gRPC-Web.

use super::{
    answer::Answer,
    reply::{Extra, Reply},
};
use crate::{
    grpc::{self, Translation},
    http::Name,
    upstream::Cluster,
};
use std::{cell::RefCell, rc::Rc};

impl Answer<'_> {
    /// Takes note of a call's deadline, and makes a call of gRPC-Web one of gRPC where the origin speaks HTTP/2; without
    /// it there is no gRPC, and who speaks gRPC-Web itself gets it as it is.
    pub(super) fn begin_grpc(&mut self, cluster: &Cluster) {
        let request = &mut self.scratch.request;
        let Some(content_type) = request.fields.get(Name::ContentType) else { return };
        if grpc::kind(content_type).is_none() {
            return;
        }
        self.is_call = true;
        self.summary.is_call = true;
        self.call_timeout = request.fields.get_text(b"grpc-timeout").and_then(grpc::parse_timeout);
        if cluster.speaks_http2(request.version) {
            self.web_at_first = Translation::begin(request);
            self.web = self.web_at_first.clone().map(|web| Rc::new(RefCell::new(web)));
        }
    }

    /// Another attempt begins with the first byte again.
    pub(super) fn rewind_web(&mut self) {
        if let (Some(web), Some(first)) = (&self.web, &self.web_at_first) {
            *web.borrow_mut() = first.clone();
        }
    }

    /// Makes a local reply what a client of gRPC understands: the status in `grpc-status`, the text in `grpc-message`, and
    /// no body. False for other clients, and for answers that the configuration asks for.
    pub(super) fn reply_to_grpc(&mut self, reply: &Reply<'_>) -> bool {
        let fields = &self.scratch.request.fields;
        // What was gRPC-Web may be gRPC by now.
        let kind = match &self.web {
            Some(web) => Some(web.borrow().answer_kind()),
            None => fields.get(Name::ContentType).and_then(grpc::kind),
        };
        let Some(kind) = kind.filter(|_| !reply.is_configured) else { return false };
        let text = std::str::from_utf8(reply.body).unwrap_or_default();
        self.summary.is_call = true;
        grpc::local_reply(&mut self.scratch.response, kind, reply.status, text);
        if let Extra::GrpcStatus(status) = reply.extra {
            let mut number = itoa::Buffer::new();
            self.scratch.response.fields.set(b"grpc-status", number.format(status).as_bytes());
        }
        true
    }
}
