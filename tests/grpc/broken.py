#!/usr/bin/env python3
"""gRPC through a gateway to a server that breaks, refuses or never answers, and with clients that insist.

usage: broken.py PLAIN SECURE CA RAW

The gateway's port PLAIN is plain text, SECURE is TLS with a certificate that CA vouches for. Both lead `raw.grpc.test`
to the port RAW with HTTP/2 in plain text, and this program listens there. Needs grpcio and h2.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

import grpc

import h2raw
from h2raw import h2
from results import PATIENCE, Results, Seen, equal

PLAIN, SECURE, CA, RAW = sys.argv[1:]
HOST = "raw.grpc.test"
Codes, Status = h2.errors.ErrorCodes, grpc.StatusCode
HEAD = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]
SEEN = Seen()


def frame(data):
    return b"\0" + struct.pack(">I", len(data)) + data


def whole(connection, stream):
    connection.until(lambda: stream.over, "the end of a request")


def answer(connection, stream, data=b"fine"):
    whole(connection, stream)
    connection.headers(stream.number, HEAD)
    connection.send(stream.number, frame(data))
    connection.headers(stream.number, OK, end=True)


class Server:
    """An origin that does what the path says, while a case lasts."""

    def __init__(self, settings=None, **methods):
        self.methods, self.settings = methods, settings

    def serve(self, connection, stream):
        self.methods[stream.field(":path").rsplit("/", 1)[1]](connection, stream)

    def __enter__(self):
        self.origin = h2raw.Origin(int(RAW), self.serve, self.settings)
        return self

    def __exit__(self, *_):
        self.origin.close()


def channel(secure=False):
    options = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", HOST), ("grpc.use_local_subchannel_pool", 1)]
    if not secure:
        return grpc.insecure_channel(f"127.0.0.1:{PLAIN}", options)
    with open(CA, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel(f"127.0.0.1:{SECURE}", credentials, [*options, ("grpc.ssl_target_name_override", HOST)])


def call(path="Broken", timeout=PATIENCE, one=True):
    """What came, and the status with its message."""
    with channel() as made:
        method = made.unary_unary if one else made.unary_stream
        try:
            answers = method(f"/raw.Service/{path}")(b"ask", timeout=timeout)
            return [answers] if one else list(answers), Status.OK, ""
        except grpc.RpcError as error:
            return None, error.code(), error.details()


def messages_of_a_byte():
    """Each byte of an answer in a frame of its own."""

    def serve(connection, stream):
        whole(connection, stream)
        equal(bytes(stream.data), frame(b"ask"))
        connection.headers(stream.number, HEAD)
        for byte in frame(b"a" * 300):
            connection.send(stream.number, bytes([byte]))
        connection.headers(stream.number, OK, end=True)

    with Server(Broken=serve):
        equal(call(), ([b"a" * 300], Status.OK, ""))


def resets():
    """Whatever an origin resets, and when, the call does not end well; before the head the code tells the client why."""
    # The codes of gRPC's mapping that are no reason to try again.
    for code in (Codes.INTERNAL_ERROR, Codes.PROTOCOL_ERROR, Codes.CANCEL, Codes.ENHANCE_YOUR_CALM):
        for moment in ("before the head", "after the head", "within a message", "after the message"):

            def serve(connection, stream):
                whole(connection, stream)
                if moment != "before the head":
                    connection.headers(stream.number, HEAD)
                if moment == "within a message":
                    connection.send(stream.number, frame(b"broken")[:7])
                elif moment == "after the message":
                    connection.send(stream.number, frame(b"whole"))
                connection.cancel(stream.number, code)

            with Server(Broken=serve):
                _, status, details = call()
                assert status not in (Status.OK, Status.DEADLINE_EXCEEDED), f"{code} {moment}: {status} {details}"


def no_trailers():
    """A stream that ends without a status has not ended well."""

    def serve(connection, stream):
        whole(connection, stream)
        connection.headers(stream.number, HEAD)
        connection.send(stream.number, frame(b"whole"), end=True)

    with Server(Broken=serve):
        _, status, details = call()
        assert status not in (Status.OK, Status.DEADLINE_EXCEEDED), f"{status} {details}"


def an_answer_before_the_request_is_whole():
    """A server that has answered needs no more of the request, and says so by a reset without an error (RFC 9113 section
    8.1): the answer is whole, and has to come so."""
    fields = [("grpc-status", "9"), ("grpc-message", "enough")]
    for only in (True, False):

        def serve(connection, stream):
            with connection.lock:
                if only:
                    connection.h2.send_headers(stream.number, HEAD + fields, end_stream=True)
                else:
                    connection.h2.send_headers(stream.number, HEAD)
                    connection.h2.send_data(stream.number, frame(b"early"))
                    connection.h2.send_headers(stream.number, fields, end_stream=True)
                connection.h2.reset_stream(stream.number, Codes.NO_ERROR)
                # All of it at once.
                connection.flush()

        with Server(Broken=serve):
            client = h2raw.Client(int(PLAIN))
            for turn in range(50):
                stream = ask(client, "Broken", end=False)
                client.until(lambda: stream.over, "an answer")
                found = [field for field in stream.trailers or stream.headers or [] if field in fields]
                equal((stream.ended, found), (True, fields), f"turn {turn}, trailers only: {only}, {stream.reset}")
                equal(bytes(stream.data), b"" if only else frame(b"early"))
                # With another code, clients take the answer for broken if it comes in time.
                assert stream.reset in (None, Codes.NO_ERROR), f"turn {turn}, trailers only: {only}: {stream.reset!r}"
                if stream.reset is None:
                    # Whoever answers must still take the rest, or say that it is not wanted.
                    client.cancel(stream.number)
            client.close()


def connection_ends():
    """The origin's connection ends in the middle of an answer."""

    def serve(connection, stream):
        whole(connection, stream)
        connection.headers(stream.number, HEAD)
        connection.send(stream.number, frame(b"broken"))
        connection.close()

    with Server(Broken=serve):
        _, status, details = call()
        assert status not in (Status.OK, Status.DEADLINE_EXCEEDED), f"{status} {details}"


def refused():
    """Always refused: UNAVAILABLE. Refused once: the gateway may ask again, as nothing was done."""

    def serve(connection, stream):
        whole(connection, stream)
        connection.cancel(stream.number, Codes.REFUSED_STREAM)

    with Server(Broken=serve):
        _, status, details = call()
        equal(status, Status.UNAVAILABLE, details)


def http_statuses():
    """An origin, or what is before it, that does not speak gRPC: the client hears the status that gRPC maps to."""
    mapping = {400: Status.INTERNAL, 401: Status.UNAUTHENTICATED, 403: Status.PERMISSION_DENIED}
    mapping |= {404: Status.UNIMPLEMENTED, 429: Status.UNAVAILABLE, 503: Status.UNAVAILABLE, 500: Status.UNKNOWN}
    for code, expected in mapping.items():

        def serve(connection, stream):
            whole(connection, stream)
            connection.headers(stream.number, [(":status", str(code)), ("content-type", "text/plain")])
            connection.send(stream.number, b"no", end=True)

        with Server(Broken=serve):
            equal(call()[1], expected, code)


def trailers_only():
    """One block of fields is the whole answer; it stays one."""

    def serve(connection, stream):
        whole(connection, stream)
        fields = [*HEAD, ("grpc-status", "9"), ("grpc-message", "a %25 and %E2%98%BA"), ("x-more", "yes")]
        connection.headers(stream.number, fields, end=True)

    with Server(Broken=serve):
        equal(call()[1:], (Status.FAILED_PRECONDITION, "a % and ☺"))
        client = h2raw.Client(int(PLAIN))
        stream = client.answer(ask(client, "Broken"))
        found = (stream.field("grpc-status"), stream.field("grpc-message"), stream.field("x-more"))
        equal(found, ("9", "a %25 and %E2%98%BA", "yes"))
        equal((stream.trailers, bytes(stream.data), stream.ended), (None, b"", True))
        client.close()


def goaway():
    """An origin that says goodbye after each call: the call ends well, and so does the next."""

    def serve(connection, stream):
        answer(connection, stream)
        connection.h2.close_connection(last_stream_id=stream.number)
        connection.flush()

    with Server(Broken=serve):
        for number in range(5):
            equal(call(), ([b"fine"], Status.OK, ""), number)


def goaway_first():
    """The goodbye comes before the answer; what is under way ends well nevertheless."""

    def serve(connection, stream):
        whole(connection, stream)
        # Not by h2, which would let nothing be sent after it.
        goodbye = struct.pack(">IBIII", 8 << 8 | 7, 0, 0, stream.number, 0)
        connection.socket.sendall(goodbye)
        answer(connection, stream)

    with Server(Broken=serve):
        for number in range(3):
            equal(call(), ([b"fine"], Status.OK, ""), number)


def pings():
    """An origin that asks whether anybody is there while it answers gets its answers."""

    def serve(connection, stream):
        whole(connection, stream)
        connection.headers(stream.number, HEAD)
        for number in range(5):
            connection.h2.ping(struct.pack(">Q", number))
            connection.flush()
            connection.until(lambda: connection.pings > number, "the answer to a ping")
            connection.send(stream.number, frame(b"ping"))
        connection.headers(stream.number, OK, end=True)

    with Server(Broken=serve):
        equal(call(one=False), ([b"ping"] * 5, Status.OK, ""))


def max_streams():
    """An origin that takes one stream at a time: all calls are answered, and more than one at a time, on a connection that
    knows the limit, would end that connection."""
    count = []

    def serve(connection, stream):
        count.append(1)
        answer(connection, stream)

    with Server({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}, Broken=serve), channel() as made:
        method = made.unary_unary("/raw.Service/Broken")
        equal(method(b"ask", timeout=PATIENCE), b"fine")
        calls = [method.future(b"ask", timeout=PATIENCE) for _ in range(20)]
        equal([made_call.result() for made_call in calls], [b"fine"] * 20)
    equal(len(count), 21)


def ask(client, path, fields=(), end=True):
    """Begins a call on a raw connection."""
    head = [("content-type", "application/grpc"), ("te", "trailers"), *fields]
    stream = client.request("POST", HOST, f"/raw.Service/{path}", head, end=False)
    client.send(stream.number, frame(b"ask"), end=end)
    return stream


def the_gateway_keeps_the_deadline():
    """A client that says how long it waits, and leaves it to others to keep that: from an origin that never answers it gets
    DEADLINE_EXCEEDED, and the origin hears that nobody waits any longer."""

    def serve(connection, stream):
        given = dict(stream.headers)["grpc-timeout"]
        assert given[-1] in "munS" and int(given[:-1]) > 0, given
        SEEN.tell(f"asked {dict(stream.headers)['x-call']}")
        connection.until(lambda: stream.over and stream.reset is not None, "a reset")
        SEEN.tell(f"reset {dict(stream.headers)['x-call']}")

    for secure in (False, True):
        with Server(Hang=serve):
            client = h2raw.Client(int(SECURE), HOST, CA) if secure else h2raw.Client(int(PLAIN))
            for units, end in ((("600m", "8000m"), True), (("600000u", "8000000u"), False), (("1S", "8S"), True)):
                # One that is over before the origin has heard of it is made again with more time.
                for unit in units:
                    name = f"{secure}-{unit}"
                    stream = ask(client, "Hang", [("grpc-timeout", unit), ("x-call", name)], end)
                    client.answer(stream)
                    found = (stream.status, stream.field("grpc-status") or stream.trailer("grpc-status"))
                    equal(found, (200, "4"), f"{unit}: {stream.headers} {stream.trailers}")
                    if SEEN.has(f"asked {name}"):
                        break
                SEEN.wait(f"reset {name}")
            # So short that nobody need have heard of the call.
            stream = client.answer(ask(client, "Hang", [("grpc-timeout", "1000n"), ("x-call", "short")]))
            equal(stream.field("grpc-status") or stream.trailer("grpc-status"), "4", f"{stream.headers}")
            client.close()


def the_deadline_ends_an_answer():
    """The same when the answer has begun: the client must not take it for whole."""

    def serve(connection, stream):
        whole(connection, stream)
        connection.headers(stream.number, HEAD)
        connection.send(stream.number, frame(b"half"))
        connection.until(lambda: stream.reset is not None, "a reset")
        SEEN.tell("reset in an answer")

    with Server(Hang=serve):
        client = h2raw.Client(int(PLAIN))
        # One that is over before its answer has begun is made again with more time.
        for timeout in ("600m", "8000m"):
            stream = client.answer(ask(client, "Hang", [("grpc-timeout", timeout)]))
            if stream.field("grpc-status") is None:
                break
        status = stream.trailer("grpc-status")
        assert stream.reset is not None or status == "4", (stream.headers, stream.trailers)
        SEEN.wait("reset in an answer")
        client.close()


def deadlines_that_are_none():
    """What is no time is not taken for one."""
    with Server(Broken=answer):
        client = h2raw.Client(int(PLAIN))
        for text in ("1", "m", "-1m", "1x", "123456789m", "0x1S"):
            stream = client.answer(ask(client, "Broken", [("grpc-timeout", text)]))
            # An error is as good as an answer; a deadline that nobody has set is not.
            status = stream.trailer("grpc-status") or stream.field("grpc-status")
            assert stream.reset is None and status not in (None, "4"), f"{text}: {stream.headers} {stream.trailers}"
        client.close()


def a_client_that_resets():
    """The origin hears of it, on this stream only."""

    def hang(connection, stream):
        connection.headers(stream.number, HEAD)
        connection.send(stream.number, frame(b"first"))
        connection.until(lambda: stream.reset is not None, "a reset")
        SEEN.tell("a client reset")

    with Server(Hang=hang, Broken=answer):
        client = h2raw.Client(int(PLAIN))
        stream = ask(client, "Hang", end=False)
        client.until(lambda: bytes(stream.data) == frame(b"first"), "the first message")
        client.cancel(stream.number)
        SEEN.wait("a client reset")
        other = client.answer(ask(client, "Broken"))
        equal((bytes(other.data), other.trailer("grpc-status")), (frame(b"fine"), "0"))
        client.close()


def a_client_that_leaves():
    """Its connection ends while a call is under way: the origin hears of it."""

    def hang(connection, stream):
        connection.headers(stream.number, HEAD)
        SEEN.tell("a call before the end")
        connection.until(lambda: stream.reset is not None, "a reset")
        SEEN.tell("a client left")

    with Server(Hang=hang):
        client = h2raw.Client(int(PLAIN))
        stream = ask(client, "Hang", end=False)
        SEEN.wait("a call before the end")
        client.until(lambda: stream.headers, "the head")
        client.close()
        SEEN.wait("a client left")


CASES = [
    messages_of_a_byte,
    resets,
    no_trailers,
    an_answer_before_the_request_is_whole,
    connection_ends,
    refused,
    http_statuses,
    trailers_only,
    goaway,
    goaway_first,
    pings,
    max_streams,
    the_gateway_keeps_the_deadline,
    the_deadline_ends_an_answer,
    deadlines_that_are_none,
    a_client_that_resets,
    a_client_that_leaves,
]


def main():
    results = Results()
    for function in CASES:
        results.case(function.__name__, function)
    with Server(Broken=answer), channel(secure=True) as made:
        results.case("TLS", lambda: equal(made.unary_unary("/raw.Service/Broken")(b"ask", timeout=PATIENCE), b"fine"))
    results.end()


main()
