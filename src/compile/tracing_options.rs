//! What the command line says of tracing.

use std::str::FromStr;

/// What the command line says of tracing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracingOptions {
    /// `--tracing-endpoint`: who gets spans, whatever the files say of that. `None`: the files decide.
    pub endpoint: Option<TracingEndpoint>,
    /// `--tracing-sample`, 0 to 100. `None`: the files decide.
    pub sampling_percent: Option<f64>,
}

/// The URL of a collector of spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracingEndpoint {
    /// `https`
    pub is_tls: bool,
    /// An IP address, without brackets, or a name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Host and port as they are written.
    pub authority: String,
    /// With `/` in front. Where the URL has none it is OTLP's (`/v1/traces`), as for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub path: String,
}

/// The port of OTLP by HTTP.
const PORT: u16 = 4318;
/// The path of OTLP by HTTP.
const PATH: &str = "/v1/traces";

impl FromStr for TracingEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a URL such as http://collector:4318 or https://host/v1/traces");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                (host, port.strip_prefix(':').map(Some).unwrap_or(Some(port).filter(|port| !port.is_empty())))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
        let is_path = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if host.is_empty() || !host.bytes().all(is_host) || !path.bytes().all(is_path) {
            return Err(wrong());
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?,
            None if is_tls => 443,
            None => PORT,
        };
        let host_text = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let path = if matches!(path, "" | "/") { PATH } else { path };
        Ok(TracingEndpoint {
            is_tls,
            host: host.to_owned(),
            port,
            authority: format!("{host_text}:{port}"),
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls() {
        let read = |text: &str| {
            let TracingEndpoint { is_tls, host, port, authority, path } = text.parse().ok()?;
            Some(format!("{is_tls} {host} {port} {authority} {path}"))
        };
        assert_eq!(read("http://c"), Some("false c 4318 c:4318 /v1/traces".into()));
        assert_eq!(read("http://c:80/"), Some("false c 80 c:80 /v1/traces".into()));
        assert_eq!(read("https://c.example/x?y=1"), Some("true c.example 443 c.example:443 /x?y=1".into()));
        assert_eq!(read("http://[::1]:4318"), Some("false ::1 4318 [::1]:4318 /v1/traces".into()));
        assert_eq!(read("http://[::1]"), Some("false ::1 4318 [::1]:4318 /v1/traces".into()));
        for bad in [
            "c:4318",
            "grpc://c",
            "http://",
            "http://c:0",
            "http://c:x",
            "http://a b",
            "http://[c]",
            "http://[::1]x",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
