//! What outlier detection learns from the heads of answers (specification section 4.5).

use super::{answer::Answer, exchange::Way};
use crate::{grpc, upstream::Outcome};
use std::time::Instant;

impl Answer<'_> {
    /// The head of an answer has come, as the origin sent it. This is learned before the client sees anything of it, so that
    /// who asks again at once does not meet an endpoint that this answer has put out.
    pub(super) fn learn_of_head(&self, way: &Way<'_>) {
        if !way.cluster.keeps_health() {
            return;
        }
        if let Some(upstream) = &self.summary.upstream {
            way.cluster.learn(&upstream.endpoint, Outcome::Answered(self.status_of_http()), Instant::now());
        }
    }

    /// The status of the answer; of a call of gRPC that is over with its head, the status of HTTP that its own stands for,
    /// which is how Envoy counts it.
    fn status_of_http(&self) -> u16 {
        let head = &self.scratch.response;
        let of_call = head.fields.get_text(b"grpc-status").filter(|_| head.status == 200);
        of_call.and_then(grpc::http_of_status).unwrap_or(head.status)
    }
}
