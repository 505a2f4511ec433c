//! SETTINGS (RFC 9113 section 6.5): what we announce, and what the peer has said.

use super::{
    ConnectionError, ErrorCode,
    frame::{self, FRAME_BYTES_MAX, STREAM_MAX},
};

const HEADER_TABLE_SIZE: u16 = 0x1;
const ENABLE_PUSH: u16 = 0x2;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;
/// RFC 8441 section 3.
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// The window that a stream and the connection have before anybody says otherwise (RFC 9113 section 6.9.2).
pub(super) const INITIAL_WINDOW: u32 = 65_535;

/// Entries of one SETTINGS frame. There are a dozen registered settings; thousands only keep us busy.
const ENTRIES_MAX: usize = 64;

/// Which side of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A client has connected to us.
    Server,
    /// We have connected to an origin.
    Client,
}

/// How a connection is to be, on our side.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which side we are.
    pub role: Role,
    /// Streams that the peer may have open at a time; further ones are refused. A server's.
    pub max_concurrent_streams: u32,
    /// Bytes that the peer may send on a stream before we have taken any of them, at most: it grows as bytes are taken.
    pub stream_window: u32,
    /// The same at first: less than the connection's, so that one stream that nobody reads does not stop the others.
    pub stream_window_first: u32,
    /// The same for all streams of the connection together, at most: it grows as bytes are taken, so that who sends to a
    /// slow origin never gets there.
    pub connection_window: u32,
    /// The same at first. What a slow reader holds can't be more; [`CONNECTION_WINDOW_FIRST`] by default.
    pub connection_window_first: u32,
    /// Bytes of a header list, decoded: names, values, and 32 for each field (RFC 9113 section 6.5.2).
    pub header_list_bytes: usize,
    /// Fields of a header list.
    pub fields: usize,
    /// Whether WebSockets may be asked for (RFC 8441). A server's.
    pub extended_connect: bool,
}

/// The connection's window at first.
pub const CONNECTION_WINDOW_FIRST: u32 = 1 << 20;

/// A stream's window at first.
const STREAM_WINDOW_FIRST: u32 = CONNECTION_WINDOW_FIRST / 2;

impl Config {
    /// A server's, with Istio's defaults (Envoy 1.36 and later).
    pub fn server() -> Config {
        Config {
            role: Role::Server,
            max_concurrent_streams: 1024,
            stream_window: 16 << 20,
            stream_window_first: STREAM_WINDOW_FIRST,
            connection_window: 24 << 20,
            connection_window_first: CONNECTION_WINDOW_FIRST,
            header_list_bytes: 60 << 10,
            fields: 100,
            extended_connect: true,
        }
    }

    /// A client's, with the same defaults.
    pub fn client() -> Config {
        Config { role: Role::Client, ..Config::server() }
    }

    /// Appends what we say first: a client's preface, our SETTINGS, and the connection's window.
    pub(super) fn write_first(&self, out: &mut Vec<u8>) {
        let mut entries: Vec<(u16, u32)> = vec![
            (INITIAL_WINDOW_SIZE, self.first_stream_window()),
            (MAX_HEADER_LIST_SIZE, u32::try_from(self.header_list_bytes).unwrap_or(u32::MAX)),
        ];
        match self.role {
            Role::Server => {
                entries.push((MAX_CONCURRENT_STREAMS, self.max_concurrent_streams));
                if self.extended_connect {
                    entries.push((ENABLE_CONNECT_PROTOCOL, 1));
                }
            }
            Role::Client => {
                out.extend_from_slice(frame::PREFACE);
                entries.push((ENABLE_PUSH, 0));
            }
        }
        frame::write_header(entries.len() * 6, frame::SETTINGS, 0, 0, out);
        for (id, value) in entries {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&value.to_be_bytes());
        }
        let more = self.first_connection_window().saturating_sub(INITIAL_WINDOW);
        if more > 0 {
            frame::write_window_update(0, more, out);
        }
    }

    /// A stream's window at first.
    pub(super) fn first_stream_window(&self) -> u32 {
        self.stream_window_first.min(self.stream_window)
    }

    /// The connection's window at first; it can't be made smaller than the protocol's.
    pub(super) fn first_connection_window(&self) -> u32 {
        self.connection_window_first.min(self.connection_window).max(INITIAL_WINDOW)
    }
}

/// What the peer has said, or what holds as long as it has said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// The largest table that our encoder may use.
    pub header_table_bytes: u32,
    /// Streams that we may open at a time.
    pub max_concurrent_streams: u32,
    /// What a new stream's window is.
    pub initial_window: u32,
    /// The largest payload it takes.
    pub frame_bytes_max: usize,
    /// It takes extended CONNECT (RFC 8441).
    pub extended_connect: bool,
}

impl Default for PeerSettings {
    fn default() -> Self {
        PeerSettings {
            header_table_bytes: 4096,
            // What RFC 9113 section 6.5.2 recommends as the least: more are refused by many until SETTINGS came.
            max_concurrent_streams: 100,
            initial_window: INITIAL_WINDOW,
            frame_bytes_max: FRAME_BYTES_MAX,
            extended_connect: false,
        }
    }
}

impl PeerSettings {
    /// Takes over the entries of a SETTINGS frame, in order. Unknown ones mean nothing.
    /// `table` is called for each size of the header table, for a peer may ask for a smaller one and then again for a larger
    /// one, and both count (RFC 7541 section 4.2).
    pub(super) fn take(
        &mut self,
        role: Role,
        payload: &[u8],
        mut table: impl FnMut(u32),
    ) -> Result<(), ConnectionError> {
        if !payload.len().is_multiple_of(6) {
            return Err(ConnectionError::frame_size("settings_length"));
        }
        if payload.len() / 6 > ENTRIES_MAX {
            return Err(super::Flood::Settings.error());
        }
        for entry in payload.chunks_exact(6) {
            let [i1, i2, v1, v2, v3, v4] = *entry else { continue };
            let (id, value) = (u16::from_be_bytes([i1, i2]), u32::from_be_bytes([v1, v2, v3, v4]));
            if id == HEADER_TABLE_SIZE {
                table(value);
            }
            self.set(role, id, value)?;
        }
        Ok(())
    }

    fn set(&mut self, role: Role, id: u16, value: u32) -> Result<(), ConnectionError> {
        match id {
            HEADER_TABLE_SIZE => self.header_table_bytes = value,
            // Only clients may say 1: servers take no pushes.
            ENABLE_PUSH if value > 1 || (value == 1 && role == Role::Client) => {
                return Err(ConnectionError::protocol("settings_enable_push"));
            }
            MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = value,
            INITIAL_WINDOW_SIZE if value > STREAM_MAX => {
                return Err(ConnectionError::new(ErrorCode::FlowControlError, "settings_window"));
            }
            INITIAL_WINDOW_SIZE => self.initial_window = value,
            MAX_FRAME_SIZE if !(16_384..=0xff_ffff).contains(&value) => {
                return Err(ConnectionError::protocol("settings_frame_size"));
            }
            MAX_FRAME_SIZE => self.frame_bytes_max = value as usize,
            // Once it was 1 it must not be 0 again (RFC 8441 section 3).
            ENABLE_CONNECT_PROTOCOL if value > 1 || (value == 0 && self.extended_connect) => {
                return Err(ConnectionError::protocol("settings_enable_connect_protocol"));
            }
            ENABLE_CONNECT_PROTOCOL => self.extended_connect = value == 1,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(role: Role, entries: &[(u16, u32)]) -> Result<PeerSettings, ErrorCode> {
        let mut payload = Vec::new();
        for (id, value) in entries {
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let mut settings = PeerSettings::default();
        settings.take(role, &payload, |_| {}).map(|()| settings).map_err(|error| error.code)
    }

    #[test]
    fn values_out_of_range_end_the_connection() {
        for (role, id, value, code) in [
            (Role::Server, ENABLE_PUSH, 2, ErrorCode::ProtocolError),
            (Role::Client, ENABLE_PUSH, 1, ErrorCode::ProtocolError),
            (Role::Server, INITIAL_WINDOW_SIZE, 1 << 31, ErrorCode::FlowControlError),
            (Role::Server, MAX_FRAME_SIZE, 16_383, ErrorCode::ProtocolError),
            (Role::Server, MAX_FRAME_SIZE, 1 << 24, ErrorCode::ProtocolError),
            (Role::Client, ENABLE_CONNECT_PROTOCOL, 2, ErrorCode::ProtocolError),
        ] {
            assert_eq!(take(role, &[(id, value)]), Err(code), "{id} {value}");
        }
        assert!(PeerSettings::default().take(Role::Server, &[0; 5], |_| {}).is_err());
        assert_eq!(take(Role::Server, &[(0x99, 1); 65]), Err(ErrorCode::EnhanceYourCalm));
    }

    #[test]
    fn the_last_of_several_counts() {
        let settings = take(Role::Server, &[(0x99, 7), (INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 2)]);
        assert_eq!(settings.unwrap().initial_window, 2);
    }
}
