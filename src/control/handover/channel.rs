//! Messages with a descriptor each between the two processes.

use rustix::{
    cmsg_space,
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType, recvmsg,
        sendmsg, shutdown, socketpair, sockopt,
    },
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// The longest message: a list of ports is the only one that is longer than a path.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// One end of a connection between two processes that keeps messages apart (`SOCK_SEQPACKET`).
pub(super) struct Channel(OwnedFd);

/// A message and what came with it.
pub(super) struct Message {
    pub(super) text: String,
    pub(super) socket: Option<OwnedFd>,
}

impl Channel {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel(ours), theirs))
    }

    /// One end, if this is one.
    pub(super) fn of(socket: OwnedFd) -> io::Result<Channel> {
        match sockopt::socket_type(&socket)? {
            SocketType::SEQPACKET => Ok(Channel(socket)),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// For so long sending and receiving may wait.
    pub(super) fn wait_for(&self, time: Duration) -> io::Result<()> {
        // Nothing would mean for ever.
        let time = Some(time.max(Duration::from_millis(1)));
        sockopt::set_socket_timeout(&self.0, sockopt::Timeout::Send, time)?;
        Ok(sockopt::set_socket_timeout(&self.0, sockopt::Timeout::Recv, time)?)
    }

    /// Nothing more comes or goes, at either end.
    pub(super) fn end(&self) {
        // It may have ended already.
        let _ = shutdown(&self.0, Shutdown::Both);
    }

    pub(super) fn send(&self, text: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        loop {
            let text = [IoSlice::new(text.as_bytes())];
            match sendmsg(self.0.as_fd(), &text, &mut control, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent.map(drop)?),
            }
        }
    }

    /// The next message; nothing if the other end is closed.
    pub(super) fn receive(&self) -> io::Result<Option<Message>> {
        let mut bytes = vec![0; MESSAGE_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let into = &mut [IoSliceMut::new(&mut bytes)];
            match recvmsg(self.0.as_fd(), into, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                received => break received?,
            }
        };
        let socket = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        if received.bytes == 0 {
            return Ok(None);
        }
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            // With `CTRUNC` this process has no descriptor left.
            return Err(io::Error::other("a message came only in part"));
        }
        bytes.truncate(received.bytes);
        let text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Some(Message { text, socket }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_message_comes_with_its_socket_and_the_end_is_noticed() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::of(theirs).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ours.send("one", Some(listener.as_fd())).unwrap();
        ours.send("two", None).unwrap();
        let one = theirs.receive().unwrap().unwrap();
        let same = TcpListener::from(one.socket.unwrap());
        assert_eq!((one.text.as_str(), same.local_addr().unwrap()), ("one", listener.local_addr().unwrap()));
        let two = theirs.receive().unwrap().unwrap();
        assert!(two.text == "two" && two.socket.is_none());
        theirs.wait_for(Duration::from_millis(1)).unwrap();
        assert_eq!(theirs.receive().err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        drop(ours);
        assert!(theirs.receive().unwrap().is_none());
        assert!(theirs.send("three", None).is_err());
    }
}
