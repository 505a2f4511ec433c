//! How requests are traced, as the data path needs it.

use super::{ClusterId, Source};
use crate::filter::Template;
use std::{fmt, time::Duration};

/// Requests are counted in this many parts for sampling: 0.01 % is the finest that Istio takes.
pub const SAMPLING_PARTS: u32 = 10_000;

/// How requests are traced; the whole gateway has one policy, as in Istio.
#[derive(Clone, Debug)]
pub struct TracePolicy {
    /// Requests of [`SAMPLING_PARTS`] whose trace is recorded, where nobody before has decided.
    pub sampling: u32,
    /// `x-request-id` is what decides, so that others who know it decide the same (`useRequestIdForTraceSampling`).
    pub uses_request_id: bool,
    /// Origins are told of the trace.
    pub passes_context_on: bool,
    /// Bytes of a path that a span has at most.
    pub path_max: usize,
    /// Attributes of every span of a request, by name.
    pub tags: Vec<(Box<str>, TagValue)>,
    /// Who gets the spans.
    pub collector: Collector,
    /// Where it is written.
    pub source: Source,
}

/// Where the value of an attribute comes from.
#[derive(Clone, Debug)]
pub enum TagValue {
    /// It is always the same.
    Fixed(Box<str>),
    /// A field of the request.
    Header {
        /// Its name, in lower case.
        name: Box<[u8]>,
        /// The value where there is none; empty: no attribute.
        otherwise: Box<str>,
    },
    /// A text with commands.
    Template(Template),
}

/// A server that takes OTLP by HTTP.
#[derive(Clone)]
pub struct Collector {
    /// Where it is.
    pub place: CollectorPlace,
    /// What the requests say as `host`.
    pub authority: Box<str>,
    /// Their path, with `/` in front.
    pub path: Box<str>,
    /// How long one of them may take.
    pub timeout: Duration,
    /// More header fields of theirs; values may be secrets.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// Attributes of the resource: what this gateway is. `service.name` is among them.
    pub resource: Vec<(Box<str>, Box<str>)>,
}

/// Where a collector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectorPlace {
    /// At the endpoints of a cluster, with the TLS that is said there.
    Cluster(ClusterId),
    /// At the addresses of a name, which no service in the files has.
    Host {
        /// An IP address, or a name for the resolver.
        host: Box<str>,
        /// The port.
        port: u16,
        /// Whether it is spoken to by HTTPS, with the operating system's authorities.
        is_tls: bool,
    },
}

/// Secrets of header fields are not shown.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Collector { place, authority, path, timeout, headers, resource } = self;
        let names: Vec<_> = headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Collector")
            .field("place", place)
            .field("authority", authority)
            .field("path", path)
            .field("timeout", timeout)
            .field("headers", &names)
            .field("resource", resource)
            .finish()
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.place {
            CollectorPlace::Host { is_tls: true, .. } => "https",
            CollectorPlace::Cluster(_) | CollectorPlace::Host { .. } => "http",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}
