#!/usr/bin/env python3
"""`sluicegate top` in a terminal (a pty), with a gateway that is played here.

usage: top.py PROGRAM

Prints a line for each case, and `N passed, M failed` at the end.
"""
import codecs
import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

from results import PATIENCE, Results, equal

PROGRAM = sys.argv[1]
SIZE = (30, 110)
# Sequences that put the cursor somewhere, colour something, or switch something on.
SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[()][0-9A-Za-z]|[=>78])")
OTHER_SCREEN, FIRST_SCREEN, CURSOR_SHOWN = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


def counted(requests):
    return {"requests": requests, "client_errors": 0, "server_errors": 0, "latency": [[1024, requests]]}


def overview(requests):
    now = int(time.time() * 1000)
    endpoint = {"address": "10.0.0.1:80", "weight": 1, "good": False, "failing_checks": True, "ejected": None, "ejections": 0}
    return {
        "schema": 1, "now_ms": now, "state": "ready", "not_ready_because": None,
        "process": {"id": 4711, "version": "0.1.0", "started_ms": 1, "uptime_ms": now % 10**9, "memory_bytes": None},
        "configuration": {"generation": 7, "inputs": [], "serving_since_ms": now - 61000, "failing_since_ms": None, "loads": [
            {"at_ms": 5, "why": "start", "generation": 7, "took_ms": 3, "errors": 0, "warnings": 1, "diagnostics": ["warning[odd]: a\x1b[31mb"]}]},
        "totals": {"requests": requests, "connections_active": 17}, "flags": [], "latency": [[1024, requests]],
        "workers": [{"id": 0, "cpu": 3, "driver": "epoll", "ended": False, "connections": 17, "accepted": 1, "requests": requests, "cpu_ms": 1}],
        "routes": {"total": 1, "matching": 1, "rows": [{"name": "shop\x1b]0;title\x07", "host": "shop.test", **counted(requests)}]},
        "clusters": {"total": 1, "matching": 1, "rows": [
            {"name": "outbound|80||a.test", "source": "ServiceEntry a", "good": 0, "endpoints": {"total": 1, "rows": [endpoint]}, **counted(requests)}]},
        "certificates": {"total": 0, "failures": 0, "rows": []},
    }


class Place:
    """A port that nobody else is given, whether or not a gateway is there."""

    def __init__(self):
        # It is bound, and nobody listens: who connects is refused.
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]


class Gateway:
    """The admin address of one."""

    def __init__(self, place=None):
        gateway, self.asked, self.is_stuck = self, [], False
        self.released, self.stuck = threading.Event(), threading.Event()
        self.place = place or Place()

        class Pages(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                gateway.asked.append(self.path)
                if gateway.is_stuck:
                    gateway.stuck.set()
                    gateway.released.wait(PATIENCE)
                body = json.dumps(overview(100 * len(gateway.asked))).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.port = self.place.port
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Pages)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Terminal:
    """The program in a terminal of its own."""

    def __init__(self, port):
        self.master, self.slave = self.descriptors = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        self.before, self.output = termios.tcgetattr(self.slave), ""
        # A letter of several bytes may come in two pieces.
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICEGATE_")}
        command = [PROGRAM, "top", "--admin", f"127.0.0.1:{port}", "--interval", "100ms"]
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True, env={**environment, "TERM": "xterm-256color"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.output += self.decoder.decode(os.read(self.master, 65536))

    def sees(self, *texts):
        """Waits until all of these have been shown since the last call. What is blank is not sent, so blanks do not count."""
        wanted, end = [text.replace(" ", "") for text in texts], time.monotonic() + PATIENCE
        while True:
            shown = SEQUENCE.sub("", self.output).replace(" ", "")
            missing = [text for text in wanted if text not in shown]
            if not missing:
                self.output = ""
                return
            assert time.monotonic() < end and self.process.poll() is None, f"never shown: {missing}; shown: {shown[-2000:]}"
            self.read(0.1)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def ends_well(self):
        """Waits for its end: good, and everything of the terminal is as before."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read(0.05)
        # What it wrote is still on its way from one side of the terminal to the other.
        while not self.is_as_before() and time.monotonic() < end:
            self.read(0.05)
        equal(self.process.returncode, 0)
        equal(termios.tcgetattr(self.slave), self.before, "the terminal's settings")
        assert self.is_as_before(), f"the screen that was there before, with its cursor: {self.output[-500:]!r}"

    def is_as_before(self):
        """The screen that was there before, and the cursor."""
        return self.output.rfind(FIRST_SCREEN) > self.output.rfind(OTHER_SCREEN) and CURSOR_SHOWN in self.output

    def hang_up(self):
        """Once: others may be given these numbers then."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()


@contextlib.contextmanager
def running():
    gateway = Gateway()
    terminal = Terminal(gateway.port)
    try:
        yield gateway, terminal
    finally:
        terminal.close()
        gateway.stop()


def panes():
    with running() as (_, terminal):
        terminal.sees("ready, serving generation 7 for 1 min 1 s", "connections 17", "1 Summary")
        terminal.press("2")
        terminal.sees("shop.test", "REQ/S", "Routes with traffic: 1")
        terminal.press("\t")
        terminal.sees("CPU 3", "epoll")
        terminal.press("\x1b[C")
        terminal.sees("outbound|80||a.test: 0 of 1 endpoints good", "fails its health check")
        terminal.press("5")
        terminal.sees("generation 7", "warning[odd]: a\ufffd[31mb")
        terminal.press("?")
        terminal.sees("Keys", "sort by the next column")
        # The first takes the help away.
        terminal.press("qq")
        terminal.ends_well()


def filter_is_asked_for():
    with running() as (gateway, terminal):
        terminal.sees("ready")
        terminal.press("2/a b&")
        end = time.monotonic() + PATIENCE
        while "routes=a%20b%26&clusters=a%20b%26" not in gateway.asked[-1]:
            assert time.monotonic() < end, gateway.asked[-1]
            terminal.read(0.05)
        terminal.press("\r")
        terminal.sees("only with “a b&”")
        terminal.press("\x03")
        terminal.ends_well()


def signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with running() as (_, terminal):
            terminal.sees("ready")
            terminal.process.send_signal(number)
            terminal.ends_well()


def the_gateway_goes_and_comes():
    gateway = Gateway()
    terminal = Terminal(gateway.port)
    try:
        terminal.sees("ready, serving")
        gateway.stop()
        terminal.sees("not reachable for")
        gateway = Gateway(gateway.place)
        terminal.sees("ready, serving")
        terminal.press("q")
        terminal.ends_well()
    finally:
        terminal.close()
        gateway.stop()


def nobody_is_there():
    gateway = Gateway()
    gateway.stop()
    terminal = Terminal(gateway.port)
    try:
        terminal.sees("not reachable for")
        terminal.press("q")
        terminal.ends_well()
    finally:
        terminal.close()


def keys_work_while_it_is_stuck():
    with running() as (gateway, terminal):
        terminal.sees("ready")
        gateway.is_stuck = True
        while not gateway.stuck.is_set():
            terminal.read(0.05)
        terminal.press("4")
        terminal.sees("endpoints good")
        terminal.press("q")
        terminal.ends_well()


def the_terminal_goes():
    with running() as (_, terminal):
        terminal.sees("ready")
        terminal.hang_up()
        terminal.process.wait(PATIENCE)


def without_a_terminal():
    gateway = Gateway()
    try:
        for more in ([], ["--once"]):
            command = [PROGRAM, "top", "--admin", f"127.0.0.1:{gateway.port}", *more]
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            equal((ended.returncode, ended.stderr), (0, ""))
            assert "ready, serving generation 7" in ended.stdout and "shop.test" in ended.stdout, ended.stdout
            assert "\x1b" not in ended.stdout, ended.stdout
    finally:
        gateway.stop()
    ended = subprocess.run([PROGRAM, "top", "--once", "--admin", f"127.0.0.1:{gateway.port}"], capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1 and ended.stderr.startswith("error: ") and ended.stdout == "", ended


CASES = [
    panes, filter_is_asked_for, signals, the_gateway_goes_and_comes, nobody_is_there, keys_work_while_it_is_stuck, the_terminal_goes,
    without_a_terminal,
]


def main():
    results = Results()
    for function in CASES:
        results.case(function.__name__, function)
    results.end()


main()
