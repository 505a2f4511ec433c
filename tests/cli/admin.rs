//! The subcommands that ask a running gateway, where there is none. `tests/gateway/admin.rs` has one.

use crate::program::{Files, command, run};
use sluicegate::control::PortMap;
use std::os::unix::net::UnixListener;

const ALL: [&str; 5] = ["reload", "upgrade", "drain", "status", "log-level"];

#[test]
fn nobody_is_there() {
    // Nobody listens on a port that is only kept, and nobody else is given it.
    let (map, _kept) = "1=0".parse::<PortMap>().unwrap().reserve().unwrap();
    let free = format!("127.0.0.1:{}", map.entries()[0].1);
    for subcommand in ALL {
        let ended = run(&[subcommand, "--admin", &free]).with(1);
        ended
            .complains(&[&format!("error: no gateway answers on {free}: "), "--admin (or SLUICEGATE_ADMIN)"]);
        let ended = run(&[subcommand, "--admin", "unix:no/such.sock"]).with(1);
        ended.complains(&["error: no gateway answers on unix:no/such.sock: "]);
    }
}

#[test]
fn somebody_else_is_there() {
    let files = Files::new(&[]);
    let path = files.path("other.sock");
    let listener = UnixListener::bind(&path).unwrap();
    // It takes the connection and hangs up.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let ended = run(&["reload", "--admin", &format!("unix:{path}")]).with(1);
    ended.complains(&["did not answer"]);
}

#[test]
fn addresses_that_make_no_sense_are_wrong_usage() {
    for subcommand in ALL {
        for wrong in ["off", "localhost:15000", "unix:", ""] {
            run(&[subcommand, "--admin", wrong]).with(2).complains(&["--admin"]);
        }
    }
    run(&["log-level", "loud"]).with(2).complains(&["loud"]);
    run(&["status", "--format", "xml"]).with(2).complains(&["xml"]);
    let mut off = command(&["status"]);
    let ended = off.env("SLUICEGATE_ADMIN", "off").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
}
