//! What to try.

use std::{
    env,
    fmt::{self, Display, Formatter},
    net::SocketAddr,
};

/// The port that the Gateway of the example declares.
pub(super) const PORT: u16 = 8080;
/// Where the example has version 1 of the origin.
pub(super) const V1_PORT: u16 = 9001;
/// Where the example has version 2 of the origin.
pub(super) const V2_PORT: u16 = 9002;

/// What a running demo has to show.
pub(super) struct Tour {
    /// Where the gateway listens.
    pub(super) port: u16,
    /// The versions of the origin.
    pub(super) origins: [SocketAddr; 2],
    /// The admin pages.
    pub(super) admin: Option<SocketAddr>,
    /// The configuration.
    pub(super) file: String,
}

/// A command for the shell, with the URL between its halves, and what it shows.
const LINES: [(&str, &str, &str, &str); 10] = [
    ("curl -s ", "/", "", "pages: what the origin has"),
    ("curl -s -d hello '", "/api/echo?a=b", "'", "rewrite: the origin sees /echo"),
    ("for i in $(seq 10); do curl -s ", "/split", "; done", "weights: 80 to v1, 20 to v2"),
    ("curl -s -H 'x-tester: yes' ", "/version", "", "match: by header, to v2"),
    ("curl -s -i ", "/headers", "", "headers: set, added, removed"),
    ("curl -s -L ", "/old", "", "redirect: to /hello"),
    ("curl -s -i ", "/hello", "", "answer: made by the gateway"),
    ("curl -s -N '", "/stream?chunks=5&ms=200", "'", "stream: as it comes"),
    ("curl -s -i ", "/fail", "", "failure: 503, the origin hangs up"),
    ("curl -s -i ", "/nowhere", "", "miss: 404, no rule matches"),
];

impl Display for Tour {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let base = format!("http://127.0.0.1:{}", self.port);
        let [v1, v2] = self.origins;
        writeln!(f, "\nThe gateway is at {base}/, two versions of an origin behind it at {v1} and {v2}.")?;
        writeln!(f, "Its configuration, while the demo runs: {}", self.file)?;
        writeln!(f, "\nTry, in another terminal:\n")?;
        let lines = LINES.map(|(begin, path, end, shows)| (format!("{begin}{base}{path}{end}"), shows));
        let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or_default();
        for (line, shows) in &lines {
            writeln!(f, "  {line:width$}  # {shows}")?;
        }
        let (program, file) = (quoted(&program()), quoted(&self.file));
        writeln!(f, "\nAsk what a request gets, and why:\n")?;
        writeln!(f, "  {program} explain -c {file} --url {base}/api/echo")?;
        writeln!(f, "  {program} routes -c {file}")?;
        if let Some(admin) = self.admin.filter(|admin| admin.port() != 0) {
            writeln!(f, "\nHow it is doing: http://{admin}/")?;
        }
        writeln!(f, "\nA line for each request follows here; Ctrl-C ends the demo.\n")
    }
}

/// As the user called it.
fn program() -> String {
    env::args().next().unwrap_or_else(|| "sluicegate".to_owned())
}

/// As one word for the shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_shell() {
        assert_eq!(quoted("/tmp/a-1/demo.yaml"), "/tmp/a-1/demo.yaml");
        assert_eq!(quoted("/tmp/it's here"), r"'/tmp/it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
