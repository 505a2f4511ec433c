//! Targets that break, get stuck and come back.

use super::writing::Writer;
use crate::telemetry::{LogSink, LogTarget};
use std::{
    fs,
    io::Read,
    os::unix::{fs::PermissionsExt, net::UnixDatagram, net::UnixListener},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sluicegate-log-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).unwrap();
    path
}

fn start(target: &LogTarget) -> (Writer, LogSink) {
    let (writer, mut sinks) = Writer::start(target, 1, false).unwrap().unwrap();
    (writer, sinks.pop().unwrap())
}

fn send(sink: &LogSink, text: &str) {
    sink.full.send(text.as_bytes().to_vec()).unwrap();
}

/// Waits until all that was sent is written, or lost.
fn flush(writer: &Writer, sink: &LogSink) {
    // The writer gives each chunk back when it has done with it.
    let _ = writer;
    sink.empty.recv_timeout(Duration::from_secs(20)).unwrap();
}

fn until(mut what: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < end, "it never came");
        std::thread::yield_now();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_is_made_for_its_owner_and_group_and_opened_again() {
    let directory = directory("file");
    let path = directory.join("access.log");
    let (writer, sink) = start(&LogTarget::File(path.clone()));
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & !0o640, 0, "{mode:o}");
    send(&sink, "1\n");
    flush(&writer, &sink);
    let moved = directory.join("access.log.1");
    fs::rename(&path, &moved).unwrap();
    send(&sink, "2\n");
    flush(&writer, &sink);
    writer.reopen();
    until(|| path.exists());
    send(&sink, "3\n");
    flush(&writer, &sink);
    assert_eq!((read(&moved), read(&path)), ("1\n2\n".into(), "3\n".into()));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_deleted_directory_costs_lines_until_it_is_back() {
    let directory = directory("deleted");
    let path = directory.join("access.log");
    let (writer, sink) = start(&LogTarget::File(path.clone()));
    fs::remove_dir_all(&directory).unwrap();
    until(|| {
        send(&sink, "lost\n");
        flush(&writer, &sink);
        writer.status.is_broken.load(Ordering::Relaxed)
    });
    assert!(writer.status.lost.load(Ordering::Relaxed) > 0);
    fs::create_dir(&directory).unwrap();
    until(|| {
        send(&sink, "found\n");
        flush(&writer, &sink);
        path.exists()
    });
    assert!(!writer.status.is_broken.load(Ordering::Relaxed));
    assert!(read(&path).lines().all(|line| line == "found"));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_fifo_may_have_no_reader_yet_and_lose_it() {
    let directory = directory("fifo");
    let path = directory.join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let (writer, sink) = start(&LogTarget::File(path.clone()));
    send(&sink, "lost\n");
    flush(&writer, &sink);
    assert!(writer.status.is_broken.load(Ordering::Relaxed));
    let mut reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    until(|| {
        send(&sink, "found\n");
        flush(&writer, &sink);
        !writer.status.is_broken.load(Ordering::Relaxed)
    });
    let mut first = [0; 6];
    reader.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"found\n");
    drop(reader);
    until(|| {
        send(&sink, "lost\n");
        flush(&writer, &sink);
        writer.status.is_broken.load(Ordering::Relaxed)
    });
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_line_that_was_cut_short_does_not_run_into_the_next() {
    let directory = directory("stream");
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let (writer, sink) = start(&LogTarget::Unix(path.clone()));
    let (mut first, _) = listener.accept().unwrap();
    // More than the socket takes: the rest is lost when its reader leaves in the middle of a line.
    let long = format!("{}\n", "x".repeat(4 << 20));
    send(&sink, &long);
    let mut begin = [0; 1000];
    first.read_exact(&mut begin).unwrap();
    drop(first);
    flush(&writer, &sink);
    assert_eq!(writer.status.lost.load(Ordering::Relaxed), 1);
    until(|| {
        send(&sink, "whole\n");
        flush(&writer, &sink);
        !writer.status.is_broken.load(Ordering::Relaxed)
    });
    let (mut second, _) = listener.accept().unwrap();
    let mut line = [0; 6];
    second.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"whole\n");
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let directory = directory("stuck");
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let (writer, sink) = start(&LogTarget::Unix(path));
    let (_held, _) = listener.accept().unwrap();
    let chunk = "y\n".repeat(1 << 20);
    let sent = (0..1000).take_while(|_| sink.full.try_send(chunk.clone().into_bytes()).is_ok()).count();
    assert!(sent < 100, "the queue has no end");
    let mut ended = writer.end();
    until(|| ended.try_recv().is_ok());
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn datagrams_have_a_line_each() {
    let directory = directory("datagram");
    let path = directory.join("socket");
    let reader = UnixDatagram::bind(&path).unwrap();
    let (writer, sink) = start(&LogTarget::Unix(path.clone()));
    let receive = || {
        let mut buffer = [0; 1000];
        let length = reader.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    send(&sink, "1\n2\n");
    flush(&writer, &sink);
    assert_eq!([receive(), receive()], ["1", "2"]);
    let local = LogTarget::of_file(&format!("syslog:{}", path.display())).unwrap();
    let (writer, sink) = start(&local);
    send(&sink, "3\n");
    flush(&writer, &sink);
    assert_eq!(receive(), format!("<190>sluicegate[{}]: 3", std::process::id()));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn syslog_by_udp_is_that_of_rfc_5424() {
    let reader = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("syslog:{}", reader.local_addr().unwrap());
    let (writer, sink) = start(&LogTarget::of_file(&target).unwrap());
    send(&sink, "a b\n");
    flush(&writer, &sink);
    let mut buffer = [0; 1000];
    let length = reader.recv(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let parts: Vec<&str> = text.splitn(8, ' ').collect();
    let pid = std::process::id().to_string();
    assert_eq!(
        [parts[0], parts[3], parts[4], parts[5], parts[6]],
        ["<190>1", "sluicegate", &pid, "access", "-"]
    );
    assert!(parts[1].ends_with('Z') && parts[1].len() == 24, "{text}");
    assert_eq!(parts[7], "a b");
}

#[test]
fn targets_are_read() {
    for (text, shown) in [
        ("off", "off"),
        ("-", "standard output"),
        ("/a/b", "/a/b"),
        ("unix:/a", "unix:/a"),
        ("syslog:", "syslog at /dev/log"),
        ("syslog:/a", "syslog at /a"),
        ("syslog:host", "syslog at host:514"),
        ("syslog:udp://host:1514", "syslog at host:1514"),
        ("syslog:::1", "syslog at [::1]:514"),
        ("syslog:[::1]:5", "syslog at [::1]:5"),
    ] {
        assert_eq!(LogTarget::parse(text).map(|target| target.to_string()), Ok(shown.to_owned()));
    }
    for wrong in ["", "unix:", "syslog:tcp://a:1", "syslog:a b"] {
        assert!(LogTarget::parse(wrong).is_err(), "{wrong}");
    }
}
