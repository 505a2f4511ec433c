//! Where lines go, as users write it.

use std::{fmt, path::PathBuf};

/// Where access log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// Nowhere; none are made.
    Off,
    /// Standard output.
    #[default]
    Stdout,
    /// The end of this file, or a FIFO.
    File(PathBuf),
    /// A Unix socket: a stream, or datagrams of a line each, whichever it is.
    Unix(PathBuf),
    /// Syslog.
    Syslog(SyslogAddress),
}

/// Where syslog is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SyslogAddress {
    /// A socket of this host, to which lines go as syslog(3) writes them.
    Local(PathBuf),
    /// A host with a port, to which lines go by UDP as RFC 5424 has them.
    Udp(Box<str>),
}

/// The socket of this host's syslog.
const LOCAL_SYSLOG: &str = "/dev/log";
/// Syslog's port (RFC 5426, section 3.3).
const SYSLOG_PORT: u16 = 514;

impl LogTarget {
    /// Reads a path, `-` for standard output, `off`, `unix:PATH`, or `syslog:` with nothing, a socket's path, or HOST:PORT
    /// behind it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<LogTarget, String> {
        Ok(match text {
            "" => return Err("expected a path, `-`, `unix:PATH`, `syslog:` or `off`".into()),
            "off" => LogTarget::Off,
            "-" => LogTarget::Stdout,
            path => return LogTarget::of_file(path),
        })
    }

    /// The same for a path in a file, where empty is off and `/dev/stdout` is standard output.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_file(text: &str) -> Result<LogTarget, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.is_empty() {
                true => Err("`unix:` needs the path of a socket behind it".into()),
                false => Ok(LogTarget::Unix(path.into())),
            };
        }
        if let Some(address) = text.strip_prefix("syslog:") {
            return syslog(address).map(LogTarget::Syslog);
        }
        Ok(match text {
            "" => LogTarget::Off,
            "/dev/stdout" => LogTarget::Stdout,
            path => LogTarget::File(path.into()),
        })
    }
}

fn syslog(text: &str) -> Result<SyslogAddress, String> {
    if text.is_empty() {
        return Ok(SyslogAddress::Local(LOCAL_SYSLOG.into()));
    }
    if text.starts_with('/') && !text.starts_with("//") {
        return Ok(SyslogAddress::Local(text.into()));
    }
    let address = text.strip_prefix("udp:").unwrap_or(text);
    let address = address.strip_prefix("//").unwrap_or(address);
    if text.starts_with("tcp:") || address.is_empty() || address.contains(['/', ' ']) {
        return Err(format!(
            "`{text}` is no address of syslog; expected HOST:PORT, to which UDP is spoken, or a path"
        ));
    }
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.starts_with('['))
    });
    Ok(SyslogAddress::Udp(if has_port {
        address.into()
    } else if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]:{SYSLOG_PORT}").into()
    } else {
        format!("{address}:{SYSLOG_PORT}").into()
    }))
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogTarget::Off => f.write_str("off"),
            LogTarget::Stdout => f.write_str("standard output"),
            LogTarget::File(path) => write!(f, "{}", path.display()),
            LogTarget::Unix(path) => write!(f, "unix:{}", path.display()),
            LogTarget::Syslog(SyslogAddress::Local(path)) => write!(f, "syslog at {}", path.display()),
            LogTarget::Syslog(SyslogAddress::Udp(address)) => write!(f, "syslog at {address}"),
        }
    }
}
