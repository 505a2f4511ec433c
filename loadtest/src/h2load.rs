//! Runs h2load and reads what it reports.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::load::{self, GRACE, Report, Shot};
use crate::process::{self, Finished, Interrupt, Invocation};
use crate::programs::{Inventory, Program};
use crate::subjects::Listener;
use crate::workspace::Workspace;

/// The file, in the folder of this run, that holds the one message of gRPC: what is asked, and what is answered.
pub(crate) const MESSAGE_FILE: &str = "grpc-message";

/// That message, as gRPC has it on the wire: no compression, four bytes of length, and in Protobuf a field 1 of 12 letters.
pub(crate) const MESSAGE: &[u8] = b"\0\0\0\0\x0e\x0a\x0chello world\n";

/// Service and method. The origin tells the type of a file by how its name ends.
pub(crate) const METHOD: &str = "/bench.Greeter/Hello.grpc";

/// What a client of gRPC sends beside its message.
const GRPC_HEADERS: [&str; 2] = ["content-type: application/grpc", "te: trailers"];

/// What h2load is to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Streams {
    /// Where it comes in.
    pub(crate) listener: Listener,
    /// Path of the URL.
    pub(crate) path: &'static str,
    /// Connections.
    pub(crate) connections: usize,
    /// Requests under way at any time on each of them.
    pub(crate) streams: usize,
    /// Length of the body that each answer must have.
    pub(crate) body_bytes: usize,
    /// Whether a message of gRPC is posted, whose answer must end with a trailer.
    pub(crate) grpc: bool,
}

impl Streams {
    /// Small answers.
    pub(crate) const fn small(listener: Listener, connections: usize, streams: usize) -> Streams {
        // The origin that is a file server has no answer for `/`.
        let path = if matches!(listener, Listener::TlsToH2) { "/12" } else { "/" };
        Streams { listener, path, connections, streams, body_bytes: 12, grpc: false }
    }

    /// Answers of 16 KiB.
    pub(crate) const fn of_16_kib(listener: Listener, connections: usize, streams: usize) -> Streams {
        Streams { path: "/f/16k", body_bytes: 16 << 10, ..Streams::small(listener, connections, streams) }
    }

    /// Unary calls of gRPC.
    pub(crate) const fn unary(connections: usize, streams: usize) -> Streams {
        let plain = Streams::small(Listener::Grpc, connections, streams);
        Streams { path: METHOD, body_bytes: MESSAGE.len(), grpc: true, ..plain }
    }

    /// The URL at that host and port.
    pub(crate) fn url(&self, authority: &str) -> String {
        let scheme = if self.listener.is_tls() { "https" } else { "http" };
        format!("{scheme}://{authority}{}", self.path)
    }

    /// What a request has beyond method and path, as options that h2load and nghttp share; `message` is the file to post.
    pub(crate) fn request_options(&self, message: &str) -> Vec<String> {
        let mut words = Vec::new();
        if self.grpc {
            for header in GRPC_HEADERS {
                words.extend(["-H".to_owned(), header.to_owned()]);
            }
            words.extend(["-d".to_owned(), message.to_owned()]);
        }
        words
    }

    /// The words after `h2load`, for the table and for starting it.
    pub(crate) fn arguments(&self, authority: &str, secs: u64, message: &str) -> Vec<String> {
        let mut words = vec![
            "-t1".to_owned(),
            format!("-c{}", self.connections),
            format!("-m{}", self.streams),
            format!("-D{secs}"),
            // Else requests would be made that are not counted.
            "--warm-up-time=0".to_owned(),
        ];
        words.extend(self.request_options(message));
        words.push(self.url(authority));
        words
    }

    /// What h2load calls the protocol that must be spoken. It would else be content with HTTP/1.1.
    fn protocol(&self) -> &'static str {
        if self.listener.is_tls() { "h2" } else { "h2c" }
    }
}

/// One run of h2load.
pub(crate) fn run(
    streams: &Streams,
    shot: Shot,
    inventory: &Inventory,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Report> {
    let what = invocation(streams, shot, inventory, workspace)?;
    let longest = Duration::from_secs(shot.secs) + GRACE;
    report(streams, shot, process::run(&what, &workspace.log("h2load"), longest, interrupt)?)
}

/// How it is started.
pub(crate) fn invocation(
    streams: &Streams,
    shot: Shot,
    inventory: &Inventory,
    workspace: &Workspace,
) -> Result<Invocation> {
    let authority = format!("127.0.0.1:{}", shot.port);
    let message = workspace.run.join(MESSAGE_FILE).display().to_string();
    let h2load = inventory.path(Program::H2load)?;
    Ok(Invocation::pinned(h2load, shot.core).args(streams.arguments(&authority, shot.secs, &message)))
}

/// What it says at its end.
pub(crate) fn report(streams: &Streams, shot: Shot, finished: Finished) -> Result<Report> {
    let finished = finished.success("h2load")?;
    let told = parse(&finished.output)
        .ok_or_else(|| Error::Failed(format!("h2load's report is not understood:\n{}", finished.output)))?;
    if told.succeeded == 0 && told.done == 0 {
        return Err(Error::Failed(format!(
            "h2load got no answer at all in {} s; the protocol its connections agreed on: {}",
            shot.secs, told.protocol
        )));
    }
    let errors = told.errors(streams);
    Ok(Report {
        requests: told.succeeded,
        p99_ms: told.p99_ms,
        slowest_ms: told.slowest_ms,
        errors,
        wall: finished.wall,
    })
}

/// What h2load counted.
#[derive(Debug, PartialEq)]
struct Told {
    protocol: String,
    done: u64,
    succeeded: u64,
    /// The line on failures, if there were any.
    failures: Option<String>,
    /// The line on statuses, if there were others than 2xx.
    statuses: Option<String>,
    body_bytes: u64,
    /// Answers a second on the connection that had the fewest.
    fewest: f64,
    /// Only newer releases tell it.
    p99_ms: Option<f64>,
    slowest_ms: Option<f64>,
}

impl Told {
    fn errors(&self, streams: &Streams) -> Option<String> {
        let mut errors = Vec::new();
        if self.protocol != streams.protocol() {
            errors.push(format!("it spoke {}, not {}", self.protocol, streams.protocol()));
        }
        errors.extend(self.failures.clone());
        errors.extend(self.statuses.clone());
        // Of the answers that were on their way at the end, h2load counts the bytes alone.
        let [body, open] = [streams.body_bytes, streams.connections * streams.streams].map(|n| n as u64);
        let (least, most) = (self.succeeded * body, (self.succeeded + open) * body);
        if errors.is_empty() && !(least..=most).contains(&self.body_bytes) {
            errors.push(format!(
                "{} answers had {} bytes of body, not {body} each",
                self.succeeded, self.body_bytes
            ));
        }
        // h2load says nothing of connections that could not be opened, or on which it waited to the end.
        if self.fewest <= 0.0 {
            errors.push("a connection had no answer at all".to_owned());
        }
        (!errors.is_empty()).then(|| errors.join("; "))
    }
}

fn parse(report: &str) -> Option<Told> {
    let line = |head: &str| report.lines().find(|line| line.starts_with(head));
    let requests = line("requests: ")?;
    let statuses = line("status codes: ")?;
    let done = count(requests, "done")?;
    let succeeded = count(requests, "succeeded")?;
    let sum =
        |line: &str, names: [&str; 3]| names.into_iter().map(|name| count(line, name)).sum::<Option<u64>>();
    let failed = sum(requests, ["failed", "errored", "timeout"])?;
    let other = sum(statuses, ["3xx", "4xx", "5xx"])?;
    Some(Told {
        // Told once the first connection has been made.
        protocol: line("Application protocol: ")
            .and_then(|line| line.split(": ").nth(1))
            .unwrap_or("nothing")
            .to_owned(),
        done,
        succeeded,
        failures: (failed > 0 || succeeded != done).then(|| requests.to_owned()),
        // The statuses of answers that were on their way at the end are counted too.
        statuses: (other > 0 || count(statuses, "2xx")? < done).then(|| statuses.to_owned()),
        body_bytes: parse_data(line("traffic: ")?)?,
        fewest: line("req/s ")?.split_once(':')?.1.split_whitespace().next()?.parse().ok()?,
        p99_ms: parse_p99(report),
        slowest_ms: parse_slowest(report),
    })
}

/// From the row of requests, in the column of that name.
fn parse_p99(report: &str) -> Option<f64> {
    let (head, rows) = report.split_once(" p99 ")?;
    let column = head.lines().last()?.split_whitespace().count();
    let row = rows.lines().find(|line| line.starts_with("request "))?;
    load::parse_ms(row.split_once(':')?.1.split_whitespace().nth(column)?)
}

/// The second value of the row of requests, in the old form and in the new.
fn parse_slowest(report: &str) -> Option<f64> {
    let is_row = |line: &&str| line.starts_with("time for request:") || line.starts_with("request ");
    let row = report.lines().find(is_row)?;
    load::parse_ms(row.split_once(':')?.1.split_whitespace().nth(1)?)
}

/// The number before `what` in a list of such pairs after a colon.
fn count(line: &str, what: &str) -> Option<u64> {
    let mut pairs = line.split_once(": ")?.1.split(", ").filter_map(|pair| pair.trim().split_once(' '));
    pairs.find(|(_, name)| *name == what)?.0.parse().ok()
}

/// The exact number of bytes, which stands in parentheses behind a rounded one: `..., 2.97MB (3115392) data`.
fn parse_data(traffic: &str) -> Option<u64> {
    let (_, number) = traffic.strip_suffix(") data")?.rsplit_once('(')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "starting benchmark...
spawning thread #0: 16 total client(s). Timing-based test with 0s of warm-up time and 1s of main duration for measurements.
progress: 100% of clients started
TLS Protocol: TLSv1.3
Application protocol: h2
Stopped all clients for thread #0

finished in 1.00s, 259616.00 req/s, 9.91MB/s
requests: 259616 total, 260128 started, 259616 done, 259616 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 259616 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 9.91MB (10386560) total, 2.48MB (2597696) headers (space savings 93.50%), 2.97MB (3115392) data
                     min         max         mean         sd        +/- sd
time for request:      102us     10.87ms      1.89ms       998us    84.99%
req/s           :   16058.46    16341.78    16188.36       70.78    81.25%
";

    fn errors(report: &str) -> Option<String> {
        parse(report).unwrap().errors(&Streams::small(Listener::Tls, 16, 32))
    }

    #[test]
    fn reads_a_report() {
        let told = parse(GOOD).unwrap();
        assert_eq!((told.succeeded, told.done, told.body_bytes), (259_616, 259_616, 3_115_392));
        assert_eq!((told.protocol.as_str(), told.fewest), ("h2", 16058.46));
        assert_eq!((told.slowest_ms, errors(GOOD)), (Some(10.87), None));
    }

    #[test]
    fn reads_p99_where_it_is_told() {
        let rows = "                 min         max         median      p95         p99         mean        sd         +/- sd
request     :       90us      9.10ms      1.10ms      2.30ms      4.20ms      1.30ms       800us    85.00%
req/s       :     510.00      540.00      520.00      535.00      540.00      521.00        9.00    75.00%
";
        let (head, _) = GOOD.split_once("                     min").unwrap();
        let told = parse(&format!("{head}{rows}")).unwrap();
        assert_eq!((told.p99_ms, told.slowest_ms, told.fewest), (Some(4.2), Some(9.1), 510.0));
        assert_eq!(parse(GOOD).unwrap().p99_ms, None);
    }

    #[test]
    fn requests_that_failed_are_errors() {
        let line = "16301 done, 16000 succeeded, 301 failed, 301 errored, 0 timeout";
        let bad = GOOD.replace("259616 done, 259616 succeeded, 0 failed, 0 errored, 0 timeout", line);
        let bad = bad.replace("259616 2xx", "16301 2xx");
        let told = errors(&bad).unwrap();
        assert_eq!(told, format!("requests: 259616 total, 260128 started, {line}"));
        for other in ["0 failed, 7 errored, 0 timeout", "0 failed, 0 errored, 1 timeout"] {
            assert!(errors(&GOOD.replace("0 failed, 0 errored, 0 timeout", other)).unwrap().contains(other));
        }
    }

    #[test]
    fn other_statuses_are_errors() {
        let with = |line: &str| errors(&GOOD.replace("status codes: 259616 2xx, 0 3xx, 0 4xx, 0 5xx", line));
        for line in [
            "status codes: 259616 2xx, 6 3xx, 0 4xx, 0 5xx",
            "status codes: 259616 2xx, 0 3xx, 0 4xx, 1 5xx",
            "status codes: 259610 2xx, 0 3xx, 0 4xx, 0 5xx",
        ] {
            assert_eq!(with(line).as_deref(), Some(line));
        }
        assert_eq!(
            with("status codes: 259700 2xx, 0 3xx, 0 4xx, 0 5xx"),
            None,
            "of answers not yet complete"
        );
    }

    #[test]
    fn another_protocol_is_an_error() {
        let told = errors(&GOOD.replace("protocol: h2", "protocol: http/1.1")).unwrap();
        assert_eq!(told, "it spoke http/1.1, not h2");
        let clear = parse(GOOD).unwrap().errors(&Streams::small(Listener::H2c, 16, 32)).unwrap();
        assert_eq!(clear, "it spoke h2, not h2c");
    }

    #[test]
    fn bodies_of_another_length_are_an_error_but_answers_cut_off_at_the_end_are_none() {
        let with = |bytes: u64| errors(&GOOD.replace("(3115392) data", &format!("({bytes}) data")));
        assert_eq!(with(3_115_392 + 512 * 12), None);
        assert!(with(3_115_392 + 512 * 12 + 1).is_some());
        assert_eq!(with(0).unwrap(), "259616 answers had 0 bytes of body, not 12 each");
    }

    #[test]
    fn a_connection_without_an_answer_is_an_error() {
        let told = errors(&GOOD.replace("   16058.46", "       0.00"));
        assert_eq!(told.as_deref(), Some("a connection had no answer at all"));
    }

    #[test]
    fn what_is_no_report_is_none() {
        assert_eq!(parse("h2load: unrecognized option\n"), None);
        assert_eq!(parse(&GOOD.replace(") data", ") bytes")), None);
    }

    #[test]
    fn the_message_tells_its_own_length() {
        let (head, body) = MESSAGE.split_at(5);
        assert_eq!(head, [0, 0, 0, 0, u8::try_from(body.len()).unwrap()]);
        assert_eq!(usize::from(body[1]), body.len() - 2);
    }

    #[test]
    fn the_command_is_the_one_of_the_table() {
        let words = Streams::small(Listener::H2c, 16, 32).arguments("PROXY", 3, "MESSAGE");
        assert_eq!(words.join(" "), "-t1 -c16 -m32 -D3 --warm-up-time=0 http://PROXY/");
        let words = Streams::small(Listener::TlsToH2, 16, 32).arguments("PROXY", 3, "MESSAGE");
        assert_eq!(words.join(" "), "-t1 -c16 -m32 -D3 --warm-up-time=0 https://PROXY/12");
        let words = Streams::unary(16, 32).arguments("PROXY", 3, "MESSAGE");
        let request = "-H content-type: application/grpc -H te: trailers -d MESSAGE";
        let url = "https://PROXY/bench.Greeter/Hello.grpc";
        assert_eq!(words.join(" "), format!("-t1 -c16 -m32 -D3 --warm-up-time=0 {request} {url}"));
    }
}
