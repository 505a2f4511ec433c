//! Request and response heads, and how a body is framed.

use super::Fields;

/// The version a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2
    Http2,
}

/// The scheme of a request: that of the downstream connection, unless a trusted proxy says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// How the body of a message ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BodyLength {
    /// There is no body.
    #[default]
    None,
    /// Exactly so many bytes; never zero.
    Sized(u64),
    /// Until the last chunk, or the end of an HTTP/2 stream.
    Unknown,
    /// Until the connection closes; responses only.
    UntilClose,
}

/// What the client asked to change the connection to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Upgrade {
    /// Nothing: no `upgrade` field, or one that `connection` does not name and that is therefore dropped.
    #[default]
    None,
    /// Exactly `websocket`.
    WebSocket,
    /// Anything else. No decoded head says so: by its policy the codec refuses the request with 403, as Istio does, or
    /// serves it as if nothing were asked (RFC 9110 section 7.8 leaves a server that choice).
    Other,
}

/// A request head, decoded and checked. Hop-by-hop fields (RFC 9110 section 7.6.1) and those that `connection` names
/// are already removed; what they said is in the other members.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method, case kept.
    pub method: Vec<u8>,
    /// Path and query, never empty, beginning with `/` (or `*` for `OPTIONS *`). The fragment is cut.
    pub target: Vec<u8>,
    /// Where the query begins in `target` (the index of `?`), or `target.len()`.
    pub path_len: usize,
    /// The authority as sent, port included: from the target if that was absolute, else from `host`. The fields do
    /// not hold `host`.
    pub authority: Vec<u8>,
    /// The scheme of the downstream connection.
    pub scheme: Scheme,
    /// The version it came in.
    pub version: Version,
    /// All end-to-end fields but `host`, `content-length` and `transfer-encoding`.
    pub fields: Fields,
    /// How the body ends.
    pub body: BodyLength,
    /// What the client wants the connection to become.
    pub upgrade: Upgrade,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1). The `expect` field
    /// stays in `fields`.
    pub expects_continue: bool,
    /// The client keeps the connection open after this exchange, as far as it is concerned.
    pub keep_alive: bool,
    /// Bytes the head took on the wire, for the access log.
    pub wire_len: u32,
}

impl RequestHead {
    /// The path, without the query.
    pub fn path(&self) -> &[u8] {
        &self.target[..self.path_len]
    }

    /// The query with its `?`, or nothing.
    pub fn query(&self) -> &[u8] {
        &self.target[self.path_len..]
    }

    /// Takes a target in origin form, `/path?query` or `*`: keeps path and query, cuts the fragment, and puts the `/` where
    /// an absolute target has no path.
    ///
    /// # Errors
    /// A fragment that begins right after an empty query: parsers disagree on where its path ends.
    pub fn set_target(&mut self, target: &[u8]) -> Result<(), FragmentInQuery> {
        // The target that is asked for most needs no search.
        let query_at = match target {
            [b'/'] => None,
            _ => memchr::memchr2(b'?', b'#', target),
        };
        let Some(query_at) = query_at else {
            self.append_target(target, target.len());
            return Ok(());
        };
        let target = match memchr::memchr(b'#', &target[query_at..]) {
            Some(at) if target[..query_at + at].ends_with(b"?") => return Err(FragmentInQuery),
            Some(at) => &target[..query_at + at],
            None => target,
        };
        self.append_target(target, query_at);
        Ok(())
    }

    /// Puts the `/` where there is no path.
    fn append_target(&mut self, target: &[u8], query_at: usize) {
        if !matches!(target.first(), Some(b'/' | b'*')) {
            self.target.push(b'/');
        }
        self.path_len = self.target.len() + query_at;
        self.target.extend_from_slice(target);
    }

    /// Puts another path in place of this one and keeps the query.
    pub fn set_path(&mut self, path: &[u8]) {
        self.target.splice(..self.path_len, path.iter().copied());
        self.path_len = path.len();
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.method.clear();
        self.target.clear();
        self.path_len = 0;
        self.authority.clear();
        self.fields.clear();
        self.body = BodyLength::None;
        self.upgrade = Upgrade::None;
        self.expects_continue = false;
        self.keep_alive = false;
        self.wire_len = 0;
    }
}

/// A target like `/path?#fragment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentInQuery;

/// A response head, decoded and checked; hop-by-hop fields are already removed.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// 100 to 999.
    pub status: u16,
    /// The version it came in.
    pub version: Version,
    /// All end-to-end fields but `content-length` and `transfer-encoding`.
    pub fields: Fields,
    /// How the body ends, given the request's method.
    pub body: BodyLength,
    /// `content-length` as the origin said it, also where no body follows (HEAD, 304). Passed on with those.
    pub content_length: Option<u64>,
    /// The origin keeps the connection open after this response.
    pub keep_alive: bool,
    /// The `upgrade` value of a 101 that says `websocket`.
    pub upgrade: Upgrade,
}

impl ResponseHead {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.status = 0;
        self.fields.clear();
        self.body = BodyLength::None;
        self.content_length = None;
        self.keep_alive = false;
        self.upgrade = Upgrade::None;
    }
}
