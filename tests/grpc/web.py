#!/usr/bin/env python3
"""gRPC-Web, binary and text, over HTTP/1.1 and HTTP/2, to a real gRPC server through a gateway.

usage: web.py WEB HTTP SERVER RAW OLD

WEB is a port of the gateway whose protocol is GRPC-WEB, HTTP one whose protocol is HTTP. Both lead `plain.grpc.test` to
the port SERVER and `raw.grpc.test` to RAW, both with HTTP/2 in plain text, and `old.grpc.test` with HTTP/1.1 to OLD, and
this program listens on them; `gone.grpc.test` leads to a port on which nobody listens, and `none.grpc.test` nowhere. Needs grpcio, h2 and httpx.
"""
import base64
import http.client
import http.server
import itertools
import os
import struct
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

import grpc
import httpx

import h2raw
import service
from results import PATIENCE, Results, equal
from service import INITIAL, SEEN, SERVICE, TRAILING, message, payload

WEB, HTTP, SERVER, RAW, OLD = map(int, sys.argv[1:])
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
GRPC = "application/grpc+proto"
TRAILERS = 0x80
# More than any buffer on the way.
HUGE = (1 << 20) + 7
CALLS = itertools.count()


class Http1:
    """Requests over HTTP/1.1, each on a connection of its own."""

    name = "HTTP/1.1"

    def ask(self, port, path, fields, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        if isinstance(body, bytes):
            connection.request("POST", path, body, fields)
        else:
            connection.request("POST", path, body, {**fields, "transfer-encoding": "chunked"}, encode_chunked=True)
        answer = connection.getresponse()
        # One piece is what is there, at least a byte.
        pieces = iter(lambda: answer.read1(65536), b"")
        return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], pieces


class Http2:
    """Requests over HTTP/2 without TLS, all on one connection."""

    name = "HTTP/2"

    def __init__(self):
        self.client = httpx.Client(http1=False, http2=True, trust_env=False, timeout=PATIENCE)

    def ask(self, port, path, fields, body):
        request = self.client.build_request("POST", f"http://127.0.0.1:{port}{path}", headers=fields, content=body)
        answer = self.client.send(request, stream=True)
        equal(answer.http_version, "HTTP/2")
        return answer.status_code, [(name.lower(), value) for name, value in answer.headers.multi_items()], answer.iter_raw()


class Answer:
    """What came of a call: its messages one after another, then its status."""

    def __init__(self, status, fields, pieces, is_text):
        self.status, self.fields = status, fields
        self.pieces, self.is_text = pieces, is_text
        self.kept, self.decoded, self.trailers = b"", bytearray(), None

    def field(self, name):
        return next((value for key, value in self.fields if key == name), None)

    def more(self):
        """Whether there was another piece."""
        piece = next(self.pieces, None)
        if piece is None:
            return False
        if not self.is_text:
            self.decoded += piece
            return True
        self.kept += piece
        whole = len(self.kept) // 4 * 4
        # Each flush of the other side is padded by itself, so that padding may come anywhere.
        for at in range(0, whole, 4):
            self.decoded += base64.b64decode(self.kept[at : at + 4], validate=True)
        self.kept = self.kept[whole:]
        return True

    def messages(self):
        while True:
            while len(self.decoded) < 5 or len(self.decoded) < 5 + struct.unpack(">I", self.decoded[1:5])[0]:
                if not self.more():
                    equal((bytes(self.decoded), self.kept), (b"", b""), "left over")
                    return
            assert self.trailers is None, "something after the trailers"
            flags, length = struct.unpack(">BI", self.decoded[:5])
            frame = bytes(self.decoded[5 : 5 + length])
            del self.decoded[: 5 + length]
            if flags == TRAILERS:
                assert frame.endswith(b"\r\n"), frame
                lines = frame.decode().split("\r\n")[:-1]
                self.trailers = [(name, value.strip()) for name, value in (line.split(":", 1) for line in lines)]
            else:
                equal(flags, 0, "flags")
                yield frame

    def end(self):
        """The messages, the status, and its message."""
        messages = list(self.messages())
        equal(self.status, 200, "HTTP status")
        # An answer without messages may have its trailers in its head.
        trailers = dict(self.trailers if self.trailers is not None else self.fields)
        assert all(name == name.lower() for name in trailers), trailers
        return messages, int(trailers["grpc-status"]), urllib.parse.unquote(trailers.get("grpc-message", ""))


class Caller:
    """A client of one kind."""

    def __init__(self, transport, kind):
        self.transport, self.kind, self.is_text = transport, kind, kind == TEXT

    def call(self, method, request=b"", host="plain.grpc.test", service_name=SERVICE, split=None, port=WEB, **fields):
        frame = b"\0" + struct.pack(">I", len(request)) + request
        body = base64.b64encode(frame) if self.is_text else frame
        if split:
            body = split(frame if split is padded else body)
        head = {"host": host, "content-type": self.kind, "accept": self.kind, "x-grpc-web": "1"}
        head.update({name.replace("_", "-"): value for name, value in fields.items()})
        answer = Answer(*self.transport.ask(port, f"/{service_name}/{method}", head, body), self.is_text)
        return answer


def bitwise(body):
    """Pieces that end nowhere in particular."""
    return iter([body[at : at + 5] for at in range(0, len(body), 5)])


def padded(frame):
    """Pieces that are encoded each by itself."""
    return iter([base64.b64encode(frame[at : at + 7]) for at in range(0, len(frame), 7)])


def unary(caller):
    answer = caller.call("UnaryCall", message(payload(271_828), sizes=[314_159]))
    equal(answer.end(), ([payload(314_159)], 0, ""))
    equal(answer.field("content-type"), caller.kind)
    assert answer.trailers is not None, "no frame of trailers"
    equal(caller.call("Count", message(payload(1001))).end(), ([b"1001"], 0, ""))
    equal(caller.call("EmptyCall").end(), ([b""], 0, ""))


def sizes(caller):
    """With every length of what is left over from three bytes."""
    for size in range(8):
        equal(caller.call("UnaryCall", message(payload(size), sizes=[size])).end(), ([payload(size)], 0, ""))


def huge(caller):
    equal(caller.call("UnaryCall", message(payload(HUGE), sizes=[HUGE])).end(), ([payload(HUGE)], 0, ""))


def split_requests(caller):
    splits = (bitwise, padded) if caller.is_text else (bitwise,)
    for split in splits:
        equal(caller.call("Count", message(payload(501)), split=split).end(), ([b"501"], 0, ""), split.__name__)


def server_streaming(caller):
    sizes = [31415, 9, 0, 2653, 58979]
    equal(caller.call("StreamingOutputCall", message(sizes=sizes)).end(), ([payload(size) for size in sizes], 0, ""))
    messages, status, _ = caller.call("StreamingOutputCall", message(sizes=[3] * 1000)).end()
    equal((len(messages), status), (1000, 0))
    answer = caller.call("StreamingOutputCall", message(sizes=[]))
    equal(answer.end(), ([], 0, ""))


def nothing_is_held_back(caller):
    """The second message is not sent before the first has come."""
    name = f"web-{next(CALLS)}"
    answer = caller.call("GatedCall", x_call=name)
    messages = answer.messages()
    equal(next(messages), payload(5))
    SEEN.tell(f"{name} goes on")
    equal(list(messages), [payload(6)])
    equal(dict(answer.trailers)["grpc-status"], "0")


def errors(caller):
    text = "not found: ☺ 100%"
    equal(caller.call("UnaryCall", message(code=5, message=text)).end(), ([], 5, text))
    # After a message the status can only be in the frame of trailers.
    answer = caller.call("StreamingOutputCall", message(sizes=[3], code=5, message=text))
    equal(answer.end(), ([payload(3)], 5, text))
    assert answer.trailers is not None and answer.field("grpc-status") is None
    equal(caller.call("NoSuchCall").end(), ([], 12, "Method not found!"))


def metadata(caller):
    raw = base64.b64encode(b"\xab\xab\xab\0").decode()
    given = {INITIAL: "initial", TRAILING: raw}
    answer = caller.call("StreamingOutputCall", message(sizes=[3]), **given)
    equal(answer.end()[:2], ([payload(3)], 0))
    found = dict(answer.trailers).get(TRAILING, "")
    # Whoever sends need not pad.
    equal((answer.field(INITIAL), found.rstrip("=")), ("initial", raw.rstrip("=")))


def replies(caller):
    """What the gateway answers by itself is gRPC-Web, on every port."""
    for port, (host, code, text) in itertools.product((WEB, HTTP), (
        ("gone.grpc.test", 14, "upstream connect error or disconnect/reset before headers. "),
        ("none.grpc.test", 12, ""),
    )):
        answer = caller.call("EmptyCall", host=host, port=port)
        messages, status, said = answer.end()
        equal((messages, status, answer.field("content-type")), ([], code, caller.kind))
        assert said.startswith(text), said


def what_the_server_sees(caller):
    """A request of gRPC, with what HTTP/2 servers of gRPC insist on, whichever protocol the port says."""
    for port in (WEB, HTTP):
        answer = caller.call("Head", b"abc", host="raw.grpc.test", port=port, user_agent="tester", x_own="own")
        messages, status, _ = answer.end()
        equal((messages, status, answer.field("content-type")), ([b"head"], 0, caller.kind))
        head, body = HEADS.pop()
        fields = dict(head)
        equal(fields["content-type"], GRPC)
        assert "x-grpc-web" not in fields, fields
        found = (fields[":method"], fields[":path"], fields.get("te"), fields["x-own"])
        equal(found, ("POST", f"/{SERVICE}/Head", "trailers", "own"))
        assert "content-length" not in fields or fields["content-length"] == str(len(body)), fields
        equal(body, b"\0\0\0\0\x03abc")


def no_trailers(caller):
    """A server that ends well, but for the status, must not look as if all had been said."""
    try:
        status = caller.call("Cut", host="raw.grpc.test").end()[1]
    except (KeyError, AssertionError, http.client.HTTPException, httpx.HTTPError):
        return
    assert status != 0, "a call that was cut off ended well"


HEADS = []


def raw(connection, stream):
    """Answers when a request is whole: `/.../Head` as gRPC, `/.../Same` as it came, `/.../Cut` without a status."""
    connection.until(lambda: stream.over, "the end of a request")
    number = stream.number
    HEADS.append((stream.headers, bytes(stream.data)))
    kind = stream.field(":path").rsplit("/", 1)[1]
    if kind == "Head":
        connection.headers(number, [(":status", "200"), ("content-type", GRPC)])
        connection.send(number, b"\0\0\0\0\x04head")
        connection.headers(number, [("grpc-status", "0")], end=True)
    elif kind == "Cut":
        connection.headers(number, [(":status", "200"), ("content-type", GRPC)])
        connection.send(number, b"\0\0\0\0\x04half")
        connection.cancel(number, h2raw.h2.errors.ErrorCodes.INTERNAL_ERROR)
    else:
        connection.headers(number, [(":status", "200"), ("content-type", stream.field("content-type"))])
        connection.send(number, stream.data, end=True)


class Old(http.server.BaseHTTPRequestHandler):
    """An origin of HTTP/1.1, which answers with what it got."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        HEADS.append((self.headers.items(), body))
        self.send_response(200)
        self.send_header("content-type", self.headers["content-type"])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def others(transport):
    """On a port of gRPC-Web, what is something else is left alone."""
    for kind in ("text/plain", "application/json"):
        fields = {"host": "raw.grpc.test", "content-type": kind}
        status, head, pieces = transport.ask(WEB, f"/{SERVICE}/Same", fields, b"as it is")
        equal((status, dict(head)["content-type"], b"".join(pieces)), (200, kind, b"as it is"))
        equal(dict(HEADS.pop()[0])["content-type"], kind)


def untranslated(transport):
    """There is no gRPC in HTTP/1.1: who gets that gets gRPC-Web as it came, on every port."""
    calls = ((BINARY, b"\0\0\0\0\x03abc"), (TEXT, base64.b64encode(b"\0\0\0\0\x03abc")))
    for port, (kind, body) in itertools.product((WEB, HTTP), calls):
        fields = {"host": "old.grpc.test", "content-type": kind, "x-grpc-web": "1"}
        status, head, pieces = transport.ask(port, f"/{SERVICE}/Same", fields, body)
        equal((status, dict(head)["content-type"], b"".join(pieces)), (200, kind, body))
        head, seen = HEADS.pop()
        fields = {name.lower(): value for name, value in head}
        equal((fields["content-type"], fields["x-grpc-web"], seen), (kind, "1", body))


def native():
    """gRPC itself, on a port of gRPC-Web."""
    options = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", "plain.grpc.test")]
    with grpc.insecure_channel(f"127.0.0.1:{WEB}", options) as channel:
        call = channel.stream_stream(f"/{SERVICE}/FullDuplexCall")
        requests = iter([message(sizes=[1, 2]), message(sizes=[3])])
        equal(list(call(requests, timeout=PATIENCE)), [payload(1), payload(2), payload(3)])


CASES = [
    unary,
    sizes,
    huge,
    split_requests,
    server_streaming,
    nothing_is_held_back,
    errors,
    metadata,
    replies,
    what_the_server_sees,
    no_trailers,
]


def main():
    server, origin, results = service.start(SERVER), h2raw.Origin(RAW, raw), Results()
    old = http.server.ThreadingHTTPServer(("127.0.0.1", OLD), Old)
    threading.Thread(target=old.serve_forever, daemon=True).start()
    for transport in (Http1(), Http2()):
        for kind, function in itertools.product((BINARY, TEXT), CASES):
            caller = Caller(transport, kind)
            HEADS.clear()
            results.case(f"{transport.name}, {kind}: {function.__name__}", function, caller)
        for function in (others, untranslated):
            HEADS.clear()
            results.case(f"{transport.name}: {function.__name__}", function, transport)
    results.case("gRPC itself", native)
    assert server and origin
    results.end()


main()
