#!/usr/bin/env python3
"""WebSocket over HTTP/2 (RFC 8441), frame by frame, through a gateway to a WebSocket server of HTTP/1.1.

usage: extended.py PLAIN SECURE CA SERVER

The gateway's port PLAIN is plain text, SECURE is TLS with a certificate for `web.test` that CA vouches for. Both lead
`web.test` to the port SERVER, and this program listens there; `gone.web.test` leads to a port on which nobody listens, and
`none.web.test` nowhere. Needs h2, wsproto and websockets.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

from wsproto import events
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.frame_protocol import CloseReason

import h2raw
from echo import PAGE, Echo
from h2raw import h2
from results import Results, equal

PLAIN, SECURE, CA, SERVER = sys.argv[1:]
HOST = "web.test"
CODE = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
# More than any window.
HUGE = (2 << 20) + 3


class WebSocket:
    """One on a stream of a connection."""

    def __init__(self, client, path="/ws", host=HOST, fields=()):
        version = [("sec-websocket-version", "13"), ("origin", f"https://{host}")]
        self.client, self.frames, self.read = client, Frames(ConnectionType.CLIENT), 0
        self.stream = client.request("CONNECT", host, path, [*version, *fields], end=False, protocol="websocket")

    def accepted(self):
        self.client.until(lambda: self.stream.headers or self.stream.over, "the answer to a CONNECT")
        equal((self.stream.status, self.stream.ended, self.stream.reset), (200, False, None), "the answer to a CONNECT")
        return self

    def send(self, event):
        self.client.send(self.stream.number, self.frames.send(event))

    def text(self, text):
        self.send(events.TextMessage(text))

    def event(self):
        """The next event, with its message whole."""
        whole = None
        while True:
            event = next(self.frames.events(), None)
            if event is None:
                self.client.until(lambda: len(self.stream.data) > self.read or self.stream.over, "a frame")
                assert len(self.stream.data) > self.read, f"ended: {self.stream.ended}, reset: {self.stream.reset}"
                self.frames.receive_data(bytes(self.stream.data[self.read :]))
                self.read = len(self.stream.data)
                continue
            if isinstance(event, events.Message):
                whole = event.data if whole is None else whole + event.data
                if event.message_finished:
                    return whole
                continue
            return event

    def echoes(self, text):
        self.text(text)
        equal(self.event(), text)

    def closes(self, code=1000, reason="enough"):
        """A closing handshake that begins here, and the end of the stream."""
        self.send(events.CloseConnection(code, reason))
        answer = self.event()
        equal((type(answer), answer.code), (events.CloseConnection, code))
        self.finish()

    def finish(self):
        """The end of the stream, after the closing handshake: the server's connection ends well, and so does the stream. What
        is still open of it then is nobody's, and may be reset."""
        try:
            self.client.end(self.stream.number)
        except h2.exceptions.StreamClosedError:
            pass
        self.client.until(lambda: self.stream.over, "the end of the stream")
        equal(self.stream.ended, True, "it has ended well")


def settings(connect):
    equal(connect().greet().get(CODE), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL")


def echo(connect):
    # A path of its own: connections of other cases may still be ending.
    websocket = WebSocket(connect(), "/echo").accepted()
    for text in ("a", "", "☺", "b" * 70_000):
        websocket.echoes(text)
    websocket.send(events.BytesMessage(bytes(range(256))))
    equal(websocket.event(), bytes(range(256)))
    websocket.send(events.Ping(b"there?"))
    equal(websocket.event(), events.Pong(b"there?"))
    websocket.closes()
    equal(SERVING.wait_closed("/echo"), (1000, "enough"))


def what_the_server_sees(connect):
    """A request of HTTP/1.1 that asks for an upgrade."""
    SERVING.requests.clear()
    websocket = WebSocket(connect(), "/ws?a=b", fields=[("x-own", "own")]).accepted()
    websocket.echoes("x")
    path, rows = SERVING.requests[-1]
    found = {}
    for name, value in rows:
        found.setdefault(name.lower(), []).append(value)
    equal(path, "/ws?a=b")
    equal([value.lower() for value in found["upgrade"]], ["websocket"])
    assert "upgrade" in found["connection"][0].lower(), found
    equal((len(found["sec-websocket-key"]), found["sec-websocket-version"]), (1, ["13"]))
    equal((found["host"], found["x-own"], found["origin"]), ([HOST], ["own"], [f"https://{HOST}"]))
    assert not any(name.startswith(":") or name in ("content-length", "transfer-encoding") for name in found), found
    websocket.closes()
    SERVING.wait_closed("/ws?a=b")


def what_the_client_sees(connect):
    """Nothing of HTTP/1.1's way of asking for an upgrade: of keys and their answers, RFC 8441 section 5 has none."""
    websocket = WebSocket(connect()).accepted()
    for name in ("sec-websocket-accept", "upgrade", "connection", "transfer-encoding", "content-length"):
        equal(websocket.stream.field(name), None, name)


def subprotocols(connect):
    client = connect()
    websocket = WebSocket(client, fields=[("sec-websocket-protocol", "none, chat")]).accepted()
    equal(websocket.stream.field("sec-websocket-protocol"), "chat")
    other = WebSocket(client).accepted()
    equal(other.stream.field("sec-websocket-protocol"), None)


def large_messages(connect):
    websocket = WebSocket(connect()).accepted()
    data = os.urandom(HUGE)
    sent = websocket.frames.send(events.BytesMessage(data))
    # Neither side may wait for the other to be done.
    websocket.client.send(websocket.stream.number, sent)
    equal(websocket.event() == data, True, "the same bytes")
    websocket.closes()


def a_byte_in_a_frame(connect):
    websocket = WebSocket(connect()).accepted()
    for byte in websocket.frames.send(events.TextMessage("byte by byte")):
        websocket.client.send(websocket.stream.number, bytes([byte]))
    equal(websocket.event(), "byte by byte")
    websocket.closes()


def many_and_requests(connect):
    """Several of them and requests, in turns, on one connection."""
    client = connect()
    sockets = [WebSocket(client, f"/many/{number}") for number in range(8)]
    for websocket in sockets:
        websocket.accepted()
    for turn in range(5):
        page = client.request("GET", HOST, f"/page/{turn}")
        for number, websocket in enumerate(sockets):
            websocket.text(f"{turn} {number}")
        client.answer(page)
        equal((page.status, bytes(page.data)), (200, PAGE))
        for number, websocket in reversed(list(enumerate(sockets))):
            equal(websocket.event(), f"{turn} {number}")
    # The end of one is not the end of another.
    for number, websocket in enumerate(sockets):
        websocket.closes(4000 + number)
        equal(SERVING.wait_closed(f"/many/{number}")[0], 4000 + number)
        if number + 1 < len(sockets):
            sockets[number + 1].echoes("still there")
    page = client.answer(client.request("GET", HOST, "/"))
    equal(bytes(page.data), PAGE)


def the_server_closes(connect):
    websocket = WebSocket(connect(), "/close").accepted()
    goodbye = websocket.event()
    equal((goodbye.code, goodbye.reason), (4001, "goodbye"))
    websocket.send(goodbye.response())
    websocket.finish()


def the_server_dies(connect):
    """Its connection is gone: the stream ends, the others do not."""
    client = connect()
    other, websocket = WebSocket(client).accepted(), WebSocket(client, "/die").accepted()
    websocket.echoes("the last words")
    client.answer(websocket.stream)
    other.echoes("still there")
    page = client.answer(client.request("GET", HOST, "/"))
    equal(bytes(page.data), PAGE)


def the_client_resets(connect):
    """The server's connection ends without a goodbye; the client's goes on."""
    client = connect()
    websocket = WebSocket(client, "/reset").accepted()
    websocket.echoes("x")
    client.cancel(websocket.stream.number)
    equal(SERVING.wait_closed("/reset"), (1006, ""))
    WebSocket(client).accepted().echoes("another")


def the_client_ends(connect):
    """The end of the stream without a goodbye is the end for the server."""
    websocket = WebSocket(connect(), "/end").accepted()
    websocket.echoes("x")
    websocket.client.end(websocket.stream.number)
    equal(SERVING.wait_closed("/end"), (1006, ""))
    websocket.client.answer(websocket.stream)


def the_client_leaves(connect):
    """Its connection ends: so do those of all its WebSockets."""
    client = connect()
    for number in range(3):
        WebSocket(client, f"/leave/{number}").accepted().echoes("x")
    client.close()
    for number in range(3):
        equal(SERVING.wait_closed(f"/leave/{number}"), (1006, ""))


def refused(connect):
    """The server's answer is the client's, with its body; the connection goes on."""
    client = connect()
    websocket = WebSocket(client, "/no")
    client.until(lambda: websocket.stream.over, "the end of a refusal")
    equal((websocket.stream.status, bytes(websocket.stream.data)), (403, b"not you\n"))
    WebSocket(client).accepted().echoes("another")


def not_reached(connect):
    client = connect()
    for host, status in (("gone.web.test", 503), ("none.web.test", 404)):
        websocket = WebSocket(client, host=host)
        client.until(lambda: websocket.stream.over, "the end of a reply")
        equal(websocket.stream.status, status)
    WebSocket(client).accepted().echoes("another")


def others_are_not_connected(connect):
    """A CONNECT that is for no WebSocket leads nowhere: not to a proxy, and not to other protocols."""
    client = connect()
    before = len(SERVING.requests)
    for protocol in ("other", "connect-udp"):
        stream = client.request("CONNECT", HOST, "/ws", end=False, protocol=protocol)
        client.until(lambda: stream.over or stream.headers, "an answer")
        assert stream.reset is not None or stream.status >= 400, (protocol, stream.headers)
    number = client.h2.get_next_available_stream_id()
    client.headers(number, [(":method", "CONNECT"), (":authority", f"127.0.0.1:{SERVER}")])
    stream = client.stream(number)
    client.until(lambda: stream.over or stream.headers, "an answer")
    assert stream.reset is not None or stream.status >= 400, stream.headers
    equal(len(SERVING.requests), before, "requests at the server")
    WebSocket(client).accepted().echoes("another")


def no_such_pseudo_header(connect):
    """`:protocol` is for CONNECT only (RFC 8441 section 4)."""
    client = connect()
    before = len(SERVING.requests)
    stream = client.request("GET", HOST, "/ws", protocol="websocket")
    client.until(lambda: stream.over, "an answer")
    assert stream.reset == h2.errors.ErrorCodes.PROTOCOL_ERROR or stream.status == 400, (stream.headers, stream.reset)
    equal(len(SERVING.requests), before, "requests at the server")
    WebSocket(client).accepted().echoes("another")


def bytes_before_the_answer(connect):
    """What a client sends before it has an answer waits for it."""
    client = connect()
    websocket = WebSocket(client)
    websocket.text("early")
    websocket.accepted()
    equal(websocket.event(), "early")
    websocket.closes()


def a_pause_of_the_client(connect):
    """A client that does not read one WebSocket holds up that one only."""
    client = connect()
    slow, other = WebSocket(client, "/slow").accepted(), WebSocket(client).accepted()
    window = client.h2.remote_flow_control_window(slow.stream.number)
    take = client.h2.acknowledge_received_data
    # Nothing of its window is given back, but the connection's.
    unread = []

    def acknowledge(length, number):
        if number == slow.stream.number:
            unread.append(length)
            client.h2.increment_flow_control_window(length)
        else:
            take(length, number)

    client.h2.acknowledge_received_data = acknowledge
    data = os.urandom(window * 3)
    client.send(slow.stream.number, slow.frames.send(events.BytesMessage(data)))
    client.until(lambda: sum(unread) == window, "a window that is used up")
    for number in range(20):
        other.echoes(f"{number}" * 1000)
    equal(sum(unread), window, "bytes in spite of a closed window")
    client.h2.acknowledge_received_data = lambda length, number: take(length, number)
    client.h2.increment_flow_control_window(window * 4, slow.stream.number)
    client.flush()
    equal(slow.event() == data, True, "the same bytes")


CASES = [
    settings,
    echo,
    what_the_server_sees,
    what_the_client_sees,
    subprotocols,
    large_messages,
    a_byte_in_a_frame,
    many_and_requests,
    the_server_closes,
    the_server_dies,
    the_client_resets,
    the_client_ends,
    the_client_leaves,
    refused,
    not_reached,
    others_are_not_connected,
    no_such_pseudo_header,
    bytes_before_the_answer,
    a_pause_of_the_client,
]


def main():
    global SERVING
    SERVING = Echo(int(SERVER))
    results = Results()
    for name, arguments in (("h2c", (int(PLAIN),)), ("TLS", (int(SECURE), HOST, CA))):
        for function in CASES:
            SERVING.closed.clear()
            results.case(f"{name}: {function.__name__}", function, lambda: h2raw.Client(*arguments))
    results.end()


main()
