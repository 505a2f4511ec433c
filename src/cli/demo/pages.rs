//! What the demo's origin answers.

use super::body::Page;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
};
use std::{fmt::Write, time::Duration};
use tokio::time::sleep;

/// A body that is echoed is held in memory until it is whole.
const ECHO_BYTES_MAX: usize = 64 << 10;
/// What one request may ask for: a demo should not fill a disk by a slip of the finger.
const FILLER_BYTES_MAX: u64 = 1 << 30;
const LINES_MAX: u32 = 1000;
const MS_MAX: u64 = 60_000;

const INDEX: &str = "\
What this origin has:

  /version               its version
  /echo                  the request as it came, body included
  /headers               the request's head alone
  /slow?ms=2000          an answer after that time
  /stream?chunks=5&ms=200  lines, one after another
  /status/418            an answer with that status
  /bytes/1000000         so many bytes
  /fail                  no answer: the connection is closed
";

/// The origin closes the connection instead of answering.
#[derive(Debug)]
pub(super) struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("as asked for")
    }
}

impl std::error::Error for HangUp {}

/// Answers one request.
pub(super) async fn answer(
    version: &'static str,
    request: Request<Incoming>,
) -> Result<Response<Page>, HangUp> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let ok = |page| (StatusCode::OK, page);
    let (status, page) = match path.as_str() {
        "/" => ok(Page::text(format!("This is {version} of the demo's origin.\n{INDEX}"))),
        "/version" => ok(Page::text(format!("{version}\n"))),
        "/headers" => ok(Page::text(head(&request))),
        "/echo" => echo(request).await,
        "/slow" => match parameter(&query, "ms", 2000, MS_MAX) {
            Ok(ms) => {
                sleep(Duration::from_millis(ms)).await;
                ok(Page::text(format!("after {ms} ms\n")))
            }
            Err(refusal) => refusal,
        },
        "/stream" => stream(&query),
        "/fail" => return Err(HangUp),
        _ => numbered(&path),
    };
    let mut response = Response::new(page);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert("x-origin", HeaderValue::from_static(version));
    Ok(response)
}

type Answered = (StatusCode, Page);

fn refuse(why: &str) -> Answered {
    (StatusCode::BAD_REQUEST, Page::text(format!("{why}\n")))
}

async fn echo(request: Request<Incoming>) -> Answered {
    let mut text = head(&request);
    match Limited::new(request.into_body(), ECHO_BYTES_MAX).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            // Writing to a String does not fail.
            let _ = writeln!(text, "\n{}", String::from_utf8_lossy(&body));
            let _ = writeln!(text, "({} bytes)", body.len());
            (StatusCode::OK, Page::text(text))
        }
        Err(error) => refuse(&format!("no more than {ECHO_BYTES_MAX} bytes are echoed: {error}")),
    }
}

fn stream(query: &str) -> Answered {
    let count = parameter(query, "chunks", 5, u64::from(LINES_MAX));
    let ms = parameter(query, "ms", 200, MS_MAX);
    match (count, ms) {
        (Ok(count), Ok(ms)) => {
            let count = u32::try_from(count).unwrap_or(LINES_MAX);
            (StatusCode::OK, Page::lines(count, Duration::from_millis(ms)))
        }
        (Err(refusal), _) | (_, Err(refusal)) => refusal,
    }
}

/// `/status/418`, `/bytes/1000`
fn numbered(path: &str) -> Answered {
    if let Some(number) = path.strip_prefix("/status/") {
        // Those below 200 are no answers.
        let status = number.parse().ok().and_then(|number| StatusCode::from_u16(number).ok());
        return match status.filter(|status| (200..=599).contains(&status.as_u16())) {
            Some(status) => (status, Page::text(format!("{status}\n"))),
            None => refuse("expected a status from 200 to 599"),
        };
    }
    if let Some(number) = path.strip_prefix("/bytes/") {
        return match number.parse() {
            Ok(number) if number <= FILLER_BYTES_MAX => (StatusCode::OK, Page::Filler(number)),
            _ => refuse(&format!("expected a number up to {FILLER_BYTES_MAX}")),
        };
    }
    (StatusCode::NOT_FOUND, Page::text("this origin has no such page\n"))
}

/// The value of a parameter of the query, or what it is without.
fn parameter(query: &str, name: &str, otherwise: u64, max: u64) -> Result<u64, Answered> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    match pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next() {
        None => Ok(otherwise),
        Some(value) => match value.parse() {
            Ok(number) if number <= max => Ok(number),
            _ => Err(refuse(&format!("{name}: expected a number up to {max}"))),
        },
    }
}

/// The request's head as this origin got it.
fn head(request: &Request<Incoming>) -> String {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}
