//! TLS clients that are not ours: `openssl s_client`, curl, and Python's `ssl`. Each sends one request and tells what
//! became of it in the same words, so that a test can hold one against another.

use super::harness::PATIENCE;
use std::{
    fmt::Write as _,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `openssl s_client`
    OpenSsl,
    /// curl
    Curl,
    /// Python's `ssl`
    Python,
}

/// What to ask, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask<'a> {
    /// The port on this host.
    pub(crate) port: u16,
    /// What is sent as SNI, if anything is.
    pub(crate) name: Option<&'a str>,
    /// The `Host` of the request; the server's name if nothing is said.
    pub(crate) host: Option<&'a str>,
    /// What is offered by ALPN.
    pub(crate) alpn: &'a [&'a str],
    /// The only version that is offered: `1.2` or `1.3`. Both, if nothing is said.
    pub(crate) version: Option<&'a str>,
    /// The file of the authority that the server's certificate must come from.
    pub(crate) authority: Option<&'a Path>,
    /// The files of the client's certificate and key.
    pub(crate) identity: Option<(&'a Path, &'a Path)>,
    /// More arguments of the program itself.
    pub(crate) more: &'a [&'a str],
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was an answer.
    Served(Served),
    /// There was none; all that the program said.
    Refused(String),
}

/// An answer, and what the program told about the connection; what a program does not tell is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: String,
    /// `TLSv1.2` or `TLSv1.3`
    pub(crate) version: String,
    /// What was agreed by ALPN.
    pub(crate) alpn: String,
    /// The name in the server's certificate.
    pub(crate) subject: String,
    /// An earlier session went on.
    pub(crate) resumed: bool,
}

impl Outcome {
    /// The answer.
    pub(crate) fn served(self) -> Served {
        match self {
            Outcome::Served(served) => served,
            Outcome::Refused(why) => panic!("refused: {why}"),
        }
    }

    /// Whether there was none.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Outcome::Refused(_))
    }
}

/// All of them that are installed; says which are not.
pub(crate) fn tools() -> Vec<Tool> {
    [Tool::OpenSsl, Tool::Curl, Tool::Python].into_iter().filter(|tool| has(tool.program())).collect()
}

/// Whether a program is installed; says so if it is not.
pub(crate) fn has(program: &str) -> bool {
    has_for(program, "a TLS client that is not ours")
}

/// Whether a program is installed; says what there is not without it if it is not.
pub(crate) fn has_for(program: &str, what: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        println!("skipped: {program} is missing: {what}");
    }
    found
}

/// Runs a program to its end with this on its standard input: whether it ended well, and all that it said on both
/// channels.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> (bool, String) {
    run_within(command, input, PATIENCE)
}

/// As `run`, for one that may take as long as this.
pub(crate) fn run_within(command: &mut Command, input: &[u8], patience: Duration) -> (bool, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Broken pipes are seen by what the program says.
    let _ = stdin.write_all(input);
    drop(stdin);
    let (sender, receiver) = channel();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let errors = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = err.read_to_end(&mut bytes);
        bytes
    });
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = out.read_to_end(&mut bytes);
        bytes.extend(errors.join().unwrap_or_default());
        let _ = sender.send(bytes);
    });
    let Ok(said) = receiver.recv_timeout(patience) else {
        // One that can tell where it waits does so when it is aborted. What it has said so far comes with it.
        let _ = Command::new("kill").arg("-ABRT").arg(child.id().to_string()).status();
        let said = receiver.recv_timeout(PATIENCE).unwrap_or_default();
        let _ = child.kill();
        panic!("{command:?} does not end, and said:\n{}", String::from_utf8_lossy(&said));
    };
    (child.wait().unwrap().success(), String::from_utf8_lossy(&said).into_owned())
}

impl Tool {
    fn program(self) -> &'static str {
        match self {
            Tool::OpenSsl => "openssl",
            Tool::Curl => "curl",
            Tool::Python => "python3",
        }
    }

    /// Sends `GET /` and reads the answer.
    pub(crate) fn get(self, ask: Ask<'_>) -> Outcome {
        match self {
            Tool::OpenSsl => openssl(ask),
            Tool::Curl => curl(ask),
            Tool::Python => python(ask),
        }
    }
}

impl<'a> Ask<'a> {
    fn host(&self) -> &'a str {
        self.host.or(self.name).unwrap_or("web.test")
    }

    fn request(&self) -> String {
        format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host())
    }
}

fn openssl(ask: Ask<'_>) -> Outcome {
    let mut command = Command::new("openssl");
    // Nothing in what is sent is a command of s_client's own, and the end of its input is not the end.
    command.args(["s_client", "-ign_eof", "-connect", &format!("127.0.0.1:{}", ask.port)]);
    match ask.name {
        Some(name) => command.args(["-servername", name]),
        None => command.arg("-noservername"),
    };
    if !ask.alpn.is_empty() {
        command.args(["-alpn", &ask.alpn.join(",")]);
    }
    if let Some(version) = ask.version {
        command.arg(format!("-tls{}", version.replace('.', "_")));
    }
    if let Some(authority) = ask.authority {
        command.arg("-verify_return_error").arg("-CAfile").arg(authority);
    }
    if let Some((certificate, key)) = ask.identity {
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
    }
    let (_, said) = run(command.args(ask.more), ask.request().as_bytes());
    let line =
        |begin: &str| said.lines().find_map(|line| line.trim().strip_prefix(begin)).unwrap_or_default();
    let Some(served) = answer(&said) else { return Outcome::Refused(said) };
    // `New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256`, or `Reused, ...`
    let kind = [line("New, "), line("Reused, ")].concat();
    Outcome::Served(Served {
        version: kind.split(',').next().unwrap_or_default().to_owned(),
        alpn: line("ALPN protocol: ").to_owned(),
        subject: line("subject=").trim_start_matches("CN = ").to_owned(),
        resumed: !line("Reused, ").is_empty(),
        ..served
    })
}

fn curl(ask: Ask<'_>) -> Outcome {
    let mut command = Command::new("curl");
    // Variables of the environment may name a proxy; a file of the person's may say anything.
    command.args(["--disable", "--noproxy", "*", "--silent", "--show-error", "--include", "--http1.1"]);
    command.args(["--write-out", "\ncurl told: %{http_version}\n"]);
    match ask.name {
        Some(name) => {
            command.args(["--resolve", &format!("{name}:{}:127.0.0.1", ask.port)]);
            command.arg(format!("https://{name}:{}/", ask.port));
        }
        None => {
            command.arg(format!("https://127.0.0.1:{}/", ask.port));
        }
    }
    command.arg("--header").arg(format!("Host: {}", ask.host()));
    match ask.version {
        Some("1.2") => command.args(["--tlsv1.2", "--tls-max", "1.2"]),
        Some(version) => command.arg(format!("--tlsv{version}")),
        None => &mut command,
    };
    match ask.authority {
        Some(authority) => command.arg("--cacert").arg(authority),
        None => command.arg("--insecure"),
    };
    if let Some((certificate, key)) = ask.identity {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    let (_, said) = run(command.args(ask.more), b"");
    match answer(&said) {
        None => Outcome::Refused(said),
        Some(mut served) => {
            let end = served.body.find("\ncurl told: ").unwrap_or(served.body.len());
            served.body.truncate(end);
            Outcome::Served(served)
        }
    }
}

/// The script beside this that speaks with Python's `ssl`.
fn python(ask: Ask<'_>) -> Outcome {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/tls/client.py"].iter().collect();
    let mut command = Command::new("python3");
    command.arg(script).arg(ask.port.to_string());
    let mut option = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            command.arg(format!("--{name}={value}"));
        }
    };
    let path = |path: &'_ Path| path.to_str().unwrap().to_owned();
    option("name", ask.name);
    option("alpn", (!ask.alpn.is_empty()).then(|| ask.alpn.join(",")).as_deref());
    option("version", ask.version);
    option("authority", ask.authority.map(path).as_deref());
    option("certificate", ask.identity.map(|(certificate, _)| path(certificate)).as_deref());
    option("key", ask.identity.map(|(_, key)| path(key)).as_deref());
    let (ended_well, said) = run(command.args(ask.more), ask.request().as_bytes());
    let Some(served) = answer(&said).filter(|_| ended_well) else { return Outcome::Refused(said) };
    let line =
        |begin: &str| said.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or_default().to_owned();
    Outcome::Served(Served {
        version: line("version: "),
        alpn: line("alpn: "),
        subject: line("subject: "),
        resumed: line("resumed: ") == "True",
        ..served
    })
}

/// The HTTP/1.1 answer in what a program has said, whatever is around it.
fn answer(said: &str) -> Option<Served> {
    let begin = said.find("HTTP/1.1 ")?;
    let (head, rest) =
        said[begin..].replace("\r\n", "\n").split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok()).flatten()
    });
    let mut body = rest;
    if let Some(length) = length.filter(|length| *length <= body.len()) {
        body.truncate(length);
    }
    Some(Served { status, body, ..Served::default() })
}

#[test]
fn an_answer_is_found_in_what_is_around_it() {
    let said = "CONNECTED(00000003)\n---\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi\nclosed\n";
    let served = answer(said).unwrap();
    assert_eq!((served.status, served.body.as_str()), (200, "hi\n"));
    let mut other = String::new();
    write!(other, "no answer: {}", served.status).unwrap();
    assert_eq!(answer(&other), None);
}
