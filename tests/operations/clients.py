"""Clients that notice every request that fails, every connection that is refused, and every one that is cut.

Each is a thread that goes on until `end()`, and keeps what it has seen in `requests`, `errors` and `slowest`.
"""

import base64
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent / "peers"))

from load import wrk_errors

PATIENCE = 30


class Client(threading.Thread):
    def __init__(self, name):
        super().__init__(daemon=True)
        self.name, self.requests, self.errors, self.slowest, self.ending = name, 0, [], 0.0, threading.Event()

    def run(self):
        while not self.ending.is_set():
            began = time.monotonic()
            try:
                self.once()
                self.requests += 1
            except (OSError, AssertionError, ssl.SSLError, EOFError) as error:
                if self.ending.is_set() and isinstance(error, EOFError):
                    break
                self.errors.append(f"{type(error).__name__}: {error}")
                self.again()
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.ending.wait(self.pause)

    pause = 0.01

    def again(self):
        """After an error."""

    def end(self):
        self.ending.set()
        self.join(PATIENCE)
        if self.is_alive():
            self.errors.append("it does not end")
        else:
            self.again()


def connected(port, tls):
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls.wrap_socket(sock, server_hostname="web.test") if tls else sock


def trusting():
    """TLS that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def read_head(file):
    status = file.readline()
    if not status:
        raise EOFError("the connection ended in place of an answer")
    fields = {}
    while (line := file.readline()) not in (b"\r\n", b""):
        name, value = line.decode().split(":", 1)
        fields[name.lower()] = value.strip()
    return int(status.split()[1]), fields


class Kept(Client):
    """Requests on one connection, which it leaves only when it is told to."""

    def __init__(self, name, port, tls=None, path="/"):
        super().__init__(name)
        self.port, self.tls, self.path, self.file, self.opened = port, tls, path, None, 0

    def once(self):
        if self.file is None:
            self.sock = connected(self.port, self.tls)
            self.file, self.opened = self.sock.makefile("rb"), self.opened + 1
        self.sock.sendall(f"GET {self.path} HTTP/1.1\r\nHost: web.test\r\n\r\n".encode())
        status, fields = read_head(self.file)
        body = self.file.read(int(fields["content-length"]))
        assert status == 200 and len(body) == int(fields["content-length"]), f"{status}, {len(body)} bytes"
        if fields.get("connection") == "close":
            assert self.file.read(1) == b"", "bytes after the end"
            self.again()

    def again(self):
        if self.file is not None:
            self.file.close()
            self.sock.close()
            self.file = None


class Fresh(Kept):
    """A connection for each request."""

    pause = 0.005

    def once(self):
        super().once()
        self.again()


class Download(Kept):
    """Long answers, one after another."""

    def __init__(self, name, port, megabytes, seconds):
        super().__init__(name, port, path=f"/bytes/{megabytes << 20}/{seconds}")


class WebSocket(Client):
    """Says something ten times a second and wants it back. `closed` counts connections that the other side ended."""

    pause = 0.1

    def __init__(self, name, port, may_close=False):
        super().__init__(name)
        self.port, self.may_close, self.file, self.closed = port, may_close, None, 0

    def once(self):
        if self.file is None:
            self.open()
        text = b"%d" % self.requests
        self.sock.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        head = self.file.read(2)
        if len(head) < 2 or head[0] == 0x88:
            self.again()
            self.closed += 1
            assert self.may_close, f"closed: {head!r}"
            return
        back = self.file.read(head[1])
        assert back == text, f"{back!r} came back for {text!r}"

    def open(self):
        self.sock = connected(self.port, None)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET /socket HTTP/1.1\r\nHost: web.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        self.file = self.sock.makefile("rb")
        status, _ = read_head(self.file)
        assert status == 101, f"{status} in place of 101"

    def again(self):
        if self.file is not None:
            self.file.close()
            self.sock.close()
            self.file = None


class Echo(Client):
    """A TCP connection through the gateway, to an origin that echoes WebSockets: no HTTP of the gateway is in between."""

    pause = 0.1

    def __init__(self, name, port):
        super().__init__(name)
        self.inner = WebSocket(name, port)

    def once(self):
        self.inner.once()
        self.inner.requests += 1

    def again(self):
        self.inner.again()


class Tool(Client):
    """A load generator, again and again."""

    pause = 0

    def __init__(self, name, command, judge):
        super().__init__(name)
        self.command, self.judge, self.said = command, judge, ""

    def run(self):
        while not self.ending.is_set():
            done = subprocess.run(self.command, capture_output=True, text=True, check=False)
            self.said = done.stdout
            requests, error = self.judge(done.stdout)
            self.requests += requests
            if error:
                self.errors.append(error)

    def end(self):
        self.ending.set()
        self.join(120)


def wrk(port, seconds, connections=16):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency", f"http://127.0.0.1:{port}/"]
    return Tool("wrk", command, wrk_errors)


def p99_ms(said):
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def h2load(port, seconds):
    return Tool("h2load", ["h2load", "-c4", "-m4", f"-D{seconds}", f"http://127.0.0.1:{port}/"], h2load_errors)


def h2load_errors(said):
    requests = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
    codes = re.search(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
    if not requests or not codes:
        return 0, f"h2load said {said[-200:]!r}"
    good = not any(int(number) for number in [*requests.groups()[3:], *codes.groups()])
    return int(requests.group(3)), "" if good else f"{requests.group(0)}; {codes.group(0)}"


def curl_http2(port):
    """HTTP/2 by a client that goes elsewhere when it is sent away, as the protocol has it. With one request at a time, for curl
    7.88 gives up those that it has lined up for a connection on which a GOAWAY comes; and with TLS, for it can't use a
    connection twice whose protocol it was told."""
    command = ["curl", "-s", "-k", "--http2", "-w", "%{http_code} %{errormsg}\n", "-o", "/dev/null"]
    return Tool("curl --http2", [*command, f"https://127.0.0.1:{port}/?[1-200]"], curl_errors)


def curl_errors(said):
    lines = said.splitlines()
    wrong = [line.strip() for line in lines if not line.startswith("200")]
    return len(lines), f"{len(wrong)} of {len(lines)}: {sorted(set(wrong))[:3]}" if wrong or not lines else ""
