//! The grammar of Envoy's format strings, which header values and the access log share: literal text with operators
//! between, `%NAME%`, `%NAME(argument)%`, `%NAME(argument):length%`, and `%%` for a percent sign.

/// A piece of a format string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Text as it is.
    Literal(&'a str),
    /// An operator.
    Call(Call<'a>),
}

/// What stands between two percent signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    /// Capital letters, digits and `_`.
    pub(crate) name: &'a str,
    /// What is in parentheses.
    pub(crate) argument: Option<&'a str>,
    /// What is behind the colon.
    pub(crate) length: Option<&'a str>,
}

/// Why a text is no format string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrammarError {
    /// It ends with a `%`.
    LonePercent,
    /// What follows the `%` at this byte is no operator that ends with `%`.
    Unterminated(usize),
}

/// The pieces of a format string. After an error there are no more.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    rest: &'a str,
}

/// The argument of `REQ` and `RESP`: a field, another one where the first is absent, and a limit.
#[derive(Clone, Debug)]
pub(crate) struct FieldSource {
    /// In lower case.
    pub(crate) first: Box<[u8]>,
    /// In lower case.
    pub(crate) otherwise: Option<Box<[u8]>>,
    /// In bytes.
    pub(crate) length_max: usize,
}

/// A fact about the client's TLS, or about the certificate that it has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFact {
    /// `DOWNSTREAM_TLS_VERSION`
    Version,
    /// `DOWNSTREAM_TLS_CIPHER`
    Cipher,
    /// `DOWNSTREAM_PEER_SUBJECT`
    Subject,
    /// `DOWNSTREAM_PEER_ISSUER`
    Issuer,
    /// `DOWNSTREAM_PEER_SERIAL`
    Serial,
    /// `DOWNSTREAM_PEER_FINGERPRINT_256`
    Sha256,
    /// `DOWNSTREAM_PEER_FINGERPRINT_1`
    Sha1,
    /// `DOWNSTREAM_PEER_URI_SAN`
    Uris,
    /// `DOWNSTREAM_PEER_DNS_SAN`
    DnsNames,
    /// `DOWNSTREAM_PEER_EMAIL_SAN`
    Emails,
    /// `DOWNSTREAM_PEER_IP_SAN`
    Addresses,
    /// `DOWNSTREAM_PEER_CERT`
    Pem,
}

/// One end of the time in which a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidityEnd {
    /// `DOWNSTREAM_PEER_CERT_V_START`
    NotBefore,
    /// `DOWNSTREAM_PEER_CERT_V_END`
    NotAfter,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, rest: text }
    }

    fn fail(&mut self, error: GrammarError) -> Option<Result<Token<'a>, GrammarError>> {
        self.rest = "";
        Some(Err(error))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, GrammarError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(after) = self.rest.strip_prefix('%') else {
            let (literal, rest) = self.rest.split_at(self.rest.find('%').unwrap_or(self.rest.len()));
            self.rest = rest;
            return Some(Ok(Token::Literal(literal)));
        };
        if let Some(rest) = after.strip_prefix('%') {
            self.rest = rest;
            return Some(Ok(Token::Literal("%")));
        }
        if after.is_empty() {
            return self.fail(GrammarError::LonePercent);
        }
        match Call::read(after) {
            Some((call, rest)) => {
                self.rest = rest;
                Some(Ok(Token::Call(call)))
            }
            None => {
                let at = self.text.len() - self.rest.len();
                self.fail(GrammarError::Unterminated(at))
            }
        }
    }
}

impl<'a> Call<'a> {
    /// Reads what follows the first `%`, and returns what follows the last one.
    fn read(text: &'a str) -> Option<(Call<'a>, &'a str)> {
        let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let name_len = text.bytes().position(|b| !is_name(b)).filter(|&len| len > 0)?;
        let (name, mut rest) = text.split_at(name_len);
        let mut call = Call { name, argument: None, length: None };
        if let Some(after_open) = rest.strip_prefix('(') {
            let (argument, after_close) = after_open.split_once(')')?;
            call.argument = Some(argument);
            rest = after_close;
        }
        if let Some(after_colon) = rest.strip_prefix(':') {
            let (length, _) = after_colon.split_once('%')?;
            call.length = Some(length);
            rest = after_colon.get(length.len()..)?;
        }
        // istiod's check of header values lets spaces stand between the argument and the end.
        let rest = rest.trim_start_matches(' ').strip_prefix('%')?;
        Some((call, rest))
    }

    /// `(FIRST?OTHERWISE):LENGTH`. The length may also stand inside the parentheses: a field name has no colon but the one
    /// that begins a pseudo header, so the two cannot be confused.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn field_source(&self) -> Result<FieldSource, &'static str> {
        const NEEDS_NAME: &str = "needs a header name in parentheses";
        let mut names = self.argument.ok_or(NEEDS_NAME)?;
        let mut length = self.length;
        if let Some((before, digits)) = names.rsplit_once(':')
            && length.is_none()
            && !before.is_empty()
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
        {
            (names, length) = (before, Some(digits));
        }
        let length_max = length_of(length)?;
        let mut parts = names.split('?');
        let mut next = || parts.next().map(|name| self.field_name(name)).transpose();
        let (first, otherwise) = (next()?, next()?);
        if parts.next().is_some() {
            return Err("more than one alternative header");
        }
        Ok(FieldSource { first: first.ok_or(NEEDS_NAME)?, otherwise, length_max })
    }

    fn field_name(&self, name: &str) -> Result<Box<[u8]>, &'static str> {
        const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];
        let lower = name.to_ascii_lowercase();
        if lower.is_empty() {
            return Err("a header name is empty");
        }
        if lower.starts_with(':') {
            let response = self.name == "RESP" && lower == ":status";
            let request = self.name.starts_with("REQ") && PSEUDO.contains(&lower.as_str());
            if !response && !request {
                return Err("there is no such pseudo header");
            }
        } else if !lower.bytes().all(is_name_byte) {
            return Err("not a header name");
        }
        Ok(lower.into_bytes().into())
    }
}

/// The number behind the colon; without one there is no limit.
pub(crate) fn length_of(length: Option<&str>) -> Result<usize, &'static str> {
    match length {
        None => Ok(usize::MAX),
        Some(digits) => digits.parse().map_err(|_| "the length is not a number"),
    }
}

/// `token` of RFC 9110, section 5.6.2.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl TlsFact {
    /// By the name of its operator.
    pub(crate) fn parse(name: &str) -> Option<TlsFact> {
        Some(match name {
            "DOWNSTREAM_PEER_CERT" => TlsFact::Pem,
            "DOWNSTREAM_PEER_DNS_SAN" => TlsFact::DnsNames,
            "DOWNSTREAM_PEER_EMAIL_SAN" => TlsFact::Emails,
            "DOWNSTREAM_PEER_FINGERPRINT_1" => TlsFact::Sha1,
            "DOWNSTREAM_PEER_FINGERPRINT_256" => TlsFact::Sha256,
            "DOWNSTREAM_PEER_IP_SAN" => TlsFact::Addresses,
            "DOWNSTREAM_PEER_ISSUER" => TlsFact::Issuer,
            "DOWNSTREAM_PEER_SERIAL" => TlsFact::Serial,
            "DOWNSTREAM_PEER_SUBJECT" => TlsFact::Subject,
            "DOWNSTREAM_PEER_URI_SAN" => TlsFact::Uris,
            "DOWNSTREAM_TLS_CIPHER" => TlsFact::Cipher,
            "DOWNSTREAM_TLS_VERSION" => TlsFact::Version,
            _ => return None,
        })
    }
}

impl ValidityEnd {
    /// By the name of its operator.
    pub(crate) fn parse(name: &str) -> Option<ValidityEnd> {
        match name {
            "DOWNSTREAM_PEER_CERT_V_START" => Some(ValidityEnd::NotBefore),
            "DOWNSTREAM_PEER_CERT_V_END" => Some(ValidityEnd::NotAfter),
            _ => None,
        }
    }
}
