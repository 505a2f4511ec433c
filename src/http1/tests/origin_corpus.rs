//! The origin's side: what of each response a client would get, and what becomes 502.

use serde_json::Value;

use super::{ORIGIN_CASES, cases, expand, numbers, text, texts};
use crate::http::{ResponseHead, Upgrade, Version};
use crate::http1::body::{BodyDecoder, Next};
use crate::http1::decode::{self, Decoded, Limits};
use crate::http1::encode::{self, KeepAlive, Recipient};

/// What the codec makes of all that an origin says.
struct Answer {
    /// Of the final response; 502 where the codec refuses what came.
    status: i64,
    interim: Vec<i64>,
    head: ResponseHead,
    body: Vec<u8>,
    /// Whether the body ended as its framing says.
    is_whole: bool,
    /// Whether the connection may serve another request.
    is_reusable: bool,
}

/// Interim responses before a final one; the gateway has a limit like this.
const INTERIM_MAX: usize = 100;

fn read(mut bytes: &[u8], method: &str, asked: Upgrade, closes: bool) -> Answer {
    let mut answer = Answer {
        status: 502,
        interim: vec![],
        head: ResponseHead::default(),
        body: vec![],
        is_whole: false,
        is_reusable: false,
    };
    loop {
        match decode::response(bytes, &Limits::default(), method.as_bytes(), asked, &mut answer.head) {
            Ok(Decoded::Head { len }) => bytes = &bytes[len..],
            _ => return answer,
        }
        if answer.head.status >= 200 || answer.head.status == 101 {
            break;
        }
        answer.interim.push(i64::from(answer.head.status));
        if answer.interim.len() > INTERIM_MAX {
            return answer;
        }
    }
    answer.status = i64::from(answer.head.status);
    let mut decoder = BodyDecoder::new(answer.head.body);
    loop {
        let Ok(piece) = decoder.next(bytes) else { return answer };
        answer.body.extend_from_slice(&bytes[piece.data]);
        bytes = &bytes[piece.consumed..];
        match piece.next {
            Next::Look => {}
            Next::Read => {
                answer.is_whole = closes && decoder.close().is_ok();
                return answer;
            }
            Next::End => break,
        }
    }
    answer.is_whole = true;
    answer.is_reusable = answer.head.keep_alive && bytes.is_empty() && !closes;
    answer
}

#[test]
fn every_case_of_the_origin_side() {
    let mut failed = Vec::new();
    let cases = cases(ORIGIN_CASES);
    assert!(cases.len() > 40);
    for case in cases.iter().filter(|case| text(case, "when") != "idle") {
        let asked = if text(case, "request") == "websocket" { Upgrade::WebSocket } else { Upgrade::None };
        let closes = case["close"].as_bool().unwrap_or(false);
        let answer = read(&expand(text(case, "response")), text(case, "method"), asked, closes);
        let problems = problems(case, &answer);
        if !problems.is_empty() {
            failed.push(format!("{}: {}", text(case, "id"), problems.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn problems(case: &Value, answer: &Answer) -> Vec<String> {
    let want = &case["client"];
    let mut problems = Vec::new();
    let allowed = numbers(&want["status"]);
    if !allowed.contains(&answer.status) {
        problems.push(format!("status {}, allowed {allowed:?}", answer.status));
    }
    if want["reuse"].as_bool().is_some_and(|wanted| wanted != answer.is_reusable) && answer.status != 502 {
        problems.push(format!("reusable: {}", answer.is_reusable));
    }
    if want["interim"].is_array() && numbers(&want["interim"]) != answer.interim {
        problems.push(format!("interim {:?}", answer.interim));
    }
    if matches!(answer.status, 200 | 206) {
        if want["truncated"].as_bool() == Some(true) && answer.is_whole {
            problems.push("broken, but taken for whole".to_owned());
        }
        if let Some(body) = want["body"].as_str()
            && (expand(body) != answer.body || !answer.is_whole)
        {
            problems.push(format!("body {} whole: {}", answer.body.escape_ascii(), answer.is_whole));
        }
    }
    problems.extend(sent_problems(case, answer));
    problems
}

fn sent_problems(case: &Value, answer: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    if answer.status == 502 {
        return problems;
    }
    let recipient = Recipient {
        method: text(case, "method").as_bytes(),
        version: Version::Http11,
        connection: KeepAlive::Keep,
    };
    let mut sent = Vec::new();
    encode::response(&answer.head, answer.head.body, recipient, &mut sent);
    let sent = String::from_utf8_lossy(&sent).to_ascii_lowercase();
    for name in texts(&case["client"]["absent"]) {
        if sent.contains(&format!("\n{name}:")) {
            problems.push(format!("{name} got through"));
        }
    }
    for (name, value) in case["client"]["has"].as_object().into_iter().flatten() {
        if !sent.contains(&format!("\r\n{name}: {}\r\n", value.as_str().unwrap())) {
            problems.push(format!("no {name}"));
        }
    }
    problems
}
