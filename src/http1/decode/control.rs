//! What the fields say that are about the message or the connection and not for the next hop.

use super::BadFields;
use super::fields::Fate;
use crate::http::{Fields, Name, SectionLine, Upgrade, is_in_any_case, parse_content_length};

/// What the control fields said.
#[derive(Default)]
pub(super) struct Control {
    /// `content-length`, if there was one.
    pub(super) content_length: Option<u64>,
    /// `transfer-encoding`, if there was one.
    pub(super) coding: Option<Coding>,
    /// `connection: close`
    pub(super) close: bool,
    /// `connection: keep-alive`
    pub(super) keep_alive: bool,
    /// `connection` names a framing field.
    pub(super) nominates_framing: bool,
    /// `connection` has members that may name other fields.
    nominates: bool,
    connection_upgrade: bool,
    connection_members: usize,
    upgrade: Upgrade,
}

/// What a `transfer-encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// `chunked`, alone.
    Chunked,
    /// Anything else.
    Other,
}

/// How many members `connection` may have in all its lines: as many as there may be fields to name.
const CONNECTION_MEMBERS_MAX: usize = 100;

impl Control {
    /// Takes note of one line, and says whether it is for the next hop (RFC 9110 section 7.6.1).
    #[inline]
    pub(super) fn note(&mut self, line: &SectionLine<'_>) -> Result<Fate, BadFields> {
        match line.name {
            Name::ContentLength
            | Name::TransferEncoding
            | Name::Connection
            | Name::Upgrade
            | Name::Te
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::Http2Settings
            | Name::Trailer => self.note_control(line.name, line.value),
            _ => Ok(Fate::Keep),
        }
    }

    /// As [`Control::note`], of a field that is for this connection unless it says otherwise.
    fn note_control(&mut self, name: Name, value: &[u8]) -> Result<Fate, BadFields> {
        match name {
            Name::ContentLength => self.content_length(value)?,
            Name::TransferEncoding => self.transfer_encoding(value)?,
            Name::Connection => self.connection(value)?,
            Name::Upgrade => self.upgrade(value),
            Name::Te if is_in_any_case(value, b"trailers") => return Ok(Fate::Keep),
            // Trailers of HTTP/1 messages are dropped, so the field that announces them goes too.
            _ => {}
        }
        Ok(Fate::Drop)
    }

    /// What the sender wants the connection to become. An `upgrade` that `connection` does not name says nothing.
    pub(super) fn upgrade_asked(&self) -> Upgrade {
        if self.connection_upgrade { self.upgrade } else { Upgrade::None }
    }

    /// Refuses two framings, whatever they say.
    pub(super) fn check_framing(&self) -> Result<(), BadFields> {
        match (self.content_length, self.coding) {
            (Some(_), Some(_)) => Err(BadFields::BothFramings),
            _ => Ok(()),
        }
    }

    /// Removes the fields that `connection` names. `section` is the field section, decoded without error: few
    /// connections name any, so their members are found again there rather than kept.
    pub(super) fn remove_nominated(&self, section: &[u8], fields: &mut Fields) {
        if !self.nominates {
            return;
        }
        for line in section.split(|&byte| byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            if is_in_any_case(&line[..colon], b"connection") {
                for member in members(&line[colon + 1..]).filter(|member| !is_option(member)) {
                    fields.retain(|field| !field.text.eq_ignore_ascii_case(member));
                }
            }
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), BadFields> {
        if self.content_length.is_some() {
            return Err(BadFields::ContentLengthRepeated);
        }
        self.content_length = Some(parse_content_length(value).ok_or(BadFields::ContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), BadFields> {
        if self.coding.is_some() {
            return Err(BadFields::TransferEncodingRepeated);
        }
        self.coding = Some(if is_in_any_case(value, b"chunked") { Coding::Chunked } else { Coding::Other });
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), BadFields> {
        // What nearly all connections say needs no look at its members.
        if value == b"keep-alive" && self.connection_members < CONNECTION_MEMBERS_MAX {
            self.connection_members += 1;
            self.keep_alive = true;
            return Ok(());
        }
        for member in members(value) {
            self.connection_members += 1;
            if self.connection_members > CONNECTION_MEMBERS_MAX {
                return Err(BadFields::ConnectionTooLong);
            }
            if is_in_any_case(member, b"keep-alive") {
                self.keep_alive = true;
            } else if is_in_any_case(member, b"close") {
                self.close = true;
            } else if is_in_any_case(member, b"upgrade") {
                self.connection_upgrade = true;
            } else if is_in_any_case(member, b"content-length")
                || is_in_any_case(member, b"transfer-encoding")
            {
                self.nominates_framing = true;
            } else if !member.is_empty() {
                self.nominates = true;
            }
        }
        Ok(())
    }

    fn upgrade(&mut self, value: &[u8]) {
        self.upgrade = match self.upgrade {
            Upgrade::None if is_in_any_case(value, b"websocket") => Upgrade::WebSocket,
            Upgrade::None if is_in_any_case(value, b"h2c") => Upgrade::None,
            _ => Upgrade::Other,
        };
    }
}

/// The members of a list, without white space. Empty ones count, so that a limit on members is one on work.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a member of `connection` is an option of its own and names no field, or one whose removal is regulated
/// elsewhere: `te: trailers` is for the next hop too, and so is `expect`.
fn is_option(member: &[u8]) -> bool {
    [&b""[..], b"close", b"keep-alive", b"upgrade", b"te", b"expect"]
        .iter()
        .any(|option| member.eq_ignore_ascii_case(option))
}
