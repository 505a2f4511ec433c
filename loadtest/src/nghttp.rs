//! Asks once with HTTP/2 before a measurement, by nghttp, which comes with h2load and tells every frame.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::h2load::{MESSAGE_FILE, Streams};
use crate::process::{self, Interrupt, Invocation};
use crate::programs::{Inventory, Program};
use crate::workspace::Workspace;

/// A proxy that takes longer than this for one small request is not measured.
const ANSWER_SECS: u64 = 5;

/// An error unless one request of that load is answered as it must be.
pub(crate) fn expect_answer(
    streams: &Streams,
    port: u16,
    inventory: &Inventory,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<()> {
    let message = workspace.run.join(MESSAGE_FILE).display().to_string();
    let what = Invocation::of(inventory.path(Program::Nghttp)?)
        // The certificate is made for the run, and nobody vouches for it.
        .args(["--verbose", "--null-out", "--no-dep", "--no-verify-peer"])
        .arg(format!("--timeout={ANSWER_SECS}s"))
        .args(streams.request_options(&message))
        .arg(streams.url(&format!("127.0.0.1:{port}")));
    let longest = Duration::from_secs(2 * ANSWER_SECS);
    let finished = process::run(&what, &workspace.log("nghttp"), longest, interrupt)?.success("nghttp")?;
    parse(&finished.output).check(streams)
}

/// The answer to one request.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    /// What TLS agreed on.
    protocol: Option<String>,
    /// Pseudo-header fields included.
    head: Vec<(String, String)>,
    body_bytes: usize,
    trailers: Vec<(String, String)>,
}

impl Answer {
    fn check(&self, streams: &Streams) -> Result<()> {
        let complaint = |sentence: String| Err(Error::Failed(sentence));
        if streams.listener.is_tls() && self.protocol.as_deref() != Some("h2") {
            return complaint(format!(
                "it does not agree on HTTP/2 in the handshake of TLS, but on {}",
                self.protocol.as_deref().unwrap_or("nothing")
            ));
        }
        let status = value(&self.head, ":status").unwrap_or("none");
        if status != "200" || self.body_bytes != streams.body_bytes {
            return complaint(format!(
                "the answer has status {status} and {} bytes, not status 200 and {} bytes",
                self.body_bytes, streams.body_bytes
            ));
        }
        if streams.grpc && value(&self.trailers, "grpc-status") != Some("0") {
            return complaint(format!(
                "the answer has no trailer grpc-status: 0, but the trailers {:?}",
                self.trailers
            ));
        }
        if streams.grpc && value(&self.head, "content-type") != Some("application/grpc") {
            return complaint("the answer has not the type application/grpc".to_owned());
        }
        Ok(())
    }
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// One line for each field, before the line for its frame; and a remark beneath that of the first frame of headers.
fn parse(output: &str) -> Answer {
    let mut answer = Answer::default();
    let mut in_trailers = false;
    for line in output.lines() {
        if let Some(protocol) = line.strip_prefix("The negotiated protocol: ") {
            answer.protocol = Some(protocol.trim().to_owned());
        }
        if line.trim() == "; First response header" {
            in_trailers = true;
        }
        let Some((_, received)) = line.split_once("] recv ") else { continue };
        if let Some(length) = received.strip_prefix("DATA frame <length=") {
            let digits = length.split(',').next().unwrap_or_default();
            answer.body_bytes += digits.parse::<usize>().unwrap_or(0);
        }
        let field = received.strip_prefix("(stream_id=").and_then(|rest| rest.split_once(") "));
        if let Some((name, value)) = field.and_then(|(_, field)| field.split_once(": ")) {
            let part = if in_trailers { &mut answer.trailers } else { &mut answer.head };
            part.push((name.to_owned(), value.to_owned()));
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::Listener;

    const UNARY: &str = "[  0.055] Connected
The negotiated protocol: h2
[  0.067] recv SETTINGS frame <length=18, flags=0x00, stream_id=0>
          (niv=3)
[  0.067] send HEADERS frame <length=80, flags=0x24, stream_id=13>
          ; END_HEADERS | PRIORITY
          ; Open new stream
          :method: POST
          te: trailers
[  0.067] send DATA frame <length=10, flags=0x01, stream_id=13>
[  0.068] recv (stream_id=13) :status: 200
[  0.068] recv (stream_id=13) content-type: application/grpc
[  0.068] recv HEADERS frame <length=120, flags=0x04, stream_id=13>
          ; END_HEADERS
          (padlen=0)
          ; First response header
[  0.068] recv DATA frame <length=10, flags=0x00, stream_id=13>
[  0.068] recv DATA frame <length=9, flags=0x00, stream_id=13>
[  0.068] recv (stream_id=13) grpc-status: 0
[  0.068] recv HEADERS frame <length=12, flags=0x05, stream_id=13>
          ; END_STREAM | END_HEADERS
[  0.068] send GOAWAY frame <length=8, flags=0x00, stream_id=0>
";

    fn complaint(output: &str) -> String {
        parse(output).check(&Streams::unary(1, 1)).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_a_call_of_grpc_is_answered() {
        let answer = parse(UNARY);
        assert_eq!(answer.protocol.as_deref(), Some("h2"));
        assert_eq!((value(&answer.head, ":status"), answer.body_bytes), (Some("200"), 19));
        assert_eq!(answer.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
        assert_eq!(answer.check(&Streams::unary(1, 1)), Ok(()));
    }

    #[test]
    fn an_answer_must_have_all_that_makes_it_one() {
        assert!(complaint(&UNARY.replace("protocol: h2", "protocol: http/1.1")).contains("http/1.1"));
        assert!(complaint(&UNARY.replace(":status: 200", ":status: 503")).contains("status 503"));
        assert!(complaint(&UNARY.replace("length=9,", "length=8,")).contains("18 bytes"));
        assert!(complaint(&UNARY.replace("grpc-status: 0", "grpc-status: 14")).contains("14"));
        assert!(complaint(&UNARY.replace("type: application/grpc", "type: text/plain")).contains("type"));
        assert!(complaint("").contains("nothing"));
    }

    #[test]
    fn in_plain_text_there_is_nothing_to_agree_on() {
        let output = UNARY.replace("The negotiated protocol: h2\n", "").replace("length=9,", "length=2,");
        assert_eq!(parse(&output).check(&Streams::small(Listener::H2c, 1, 1)), Ok(()));
    }
}
