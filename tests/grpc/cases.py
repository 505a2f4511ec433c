#!/usr/bin/env python3
"""gRPC's interoperability cases, with a real client and a real server (grpcio), through a gateway.

usage: cases.py PLAIN SECURE CA SERVER SECURE_SERVER CERTIFICATE KEY

The gateway's port PLAIN is plain text, SECURE is TLS with a certificate that CA vouches for. The gateway leads
`plain.grpc.test` to the port SERVER in plain text and `tls.grpc.test` to SECURE_SERVER by TLS; this program listens on
both, with CERTIFICATE and KEY on the latter. `gone.grpc.test` leads to a port on which nobody listens, and
`none.grpc.test` nowhere. Prints a line for each case and `N passed, M failed`.
"""
import contextlib
import functools
import itertools
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

import grpc

import service
from results import PATIENCE, Results, equal
from service import INITIAL, LIMITS, SEEN, SERVICE, TRAILING, message, payload

PLAIN, SECURE, CA, SERVER, SECURE_SERVER, CERTIFICATE, KEY = sys.argv[1:]
# As in gRPC's interop test descriptions.
LARGE_REQUEST, LARGE_ANSWER = 271_828, 314_159
REQUESTS, ANSWERS = [27182, 8, 1828, 45904], [31415, 9, 2653, 58979]
# More than any window of a stream, and no multiple of one.
HUGE = (4 << 20) + 4321
STREAMS = 100
# A call that is over before it has come to the server is made again with more time: the server has nothing to tell of it.
DEADLINES = [0.6, 2, 8]
CALLS = itertools.count()


class Stub:
    """The methods of the server through one channel."""

    def __init__(self, host, secure):
        options = [*LIMITS, ("grpc.enable_http_proxy", 0), ("grpc.default_authority", host)]
        # Otherwise two channels to one address share a connection.
        options.append(("grpc.use_local_subchannel_pool", 1))
        if secure:
            with open(CA, "rb") as file:
                credentials = grpc.ssl_channel_credentials(file.read())
            options.append(("grpc.ssl_target_name_override", host))
            self.channel = grpc.secure_channel(f"127.0.0.1:{SECURE}", credentials, options)
        else:
            self.channel = grpc.insecure_channel(f"127.0.0.1:{PLAIN}", options)

    def unary(self, method, request=b"", service=SERVICE, **more):
        return self.unary_call(method, service).with_call(request, timeout=more.pop("timeout", PATIENCE), **more)

    def unary_call(self, method, service=SERVICE):
        return self.channel.unary_unary(f"/{service}/{method}")

    def stream_in(self, method, requests):
        return self.channel.stream_unary(f"/{SERVICE}/{method}")(requests, timeout=PATIENCE)

    def stream_out(self, method, request, **more):
        more.setdefault("timeout", PATIENCE)
        return self.channel.unary_stream(f"/{SERVICE}/{method}")(request, **more)

    def both(self, method, requests, **more):
        more.setdefault("timeout", PATIENCE)
        return self.channel.stream_stream(f"/{SERVICE}/{method}")(requests, **more)


@contextlib.contextmanager
def fails(code, details=None):
    """The call ends with this status."""
    try:
        yield
    except grpc.RpcError as error:
        equal(error.code(), code, f"status, {error.details()}")
        if details is not None:
            equal(error.details(), details, "message")
    else:
        raise AssertionError(f"the call ended well, not with {code}")


def named():
    """A name for a call, by which the server says when it begins and ends, and the metadata that tell it."""
    name = f"call-{next(CALLS)}"
    return name, (("x-call", name),)


def empty_unary(stub):
    answer, call = stub.unary("EmptyCall")
    equal((answer, call.code(), call.details()), (b"", grpc.StatusCode.OK, ""))


def large_unary(stub):
    answer, _ = stub.unary("UnaryCall", message(payload(LARGE_REQUEST), sizes=[LARGE_ANSWER]))
    equal(answer, payload(LARGE_ANSWER))
    answer, _ = stub.unary("Count", message(payload(LARGE_REQUEST)))
    equal(answer, str(LARGE_REQUEST).encode())


def client_streaming(stub):
    answer = stub.stream_in("StreamingInputCall", iter([message(payload(size)) for size in REQUESTS]))
    equal(answer, str(sum(REQUESTS)).encode())
    # Many more than fit into one frame.
    equal(stub.stream_in("StreamingInputCall", (message(b"x") for _ in range(2000))), b"2000")


def server_streaming(stub):
    equal(list(stub.stream_out("StreamingOutputCall", message(sizes=ANSWERS))), [payload(size) for size in ANSWERS])
    equal(len(list(stub.stream_out("StreamingOutputCall", message(sizes=[3] * 2000)))), 2000)


def ping_pong(stub):
    """Each message waits for the answer to the one before, so that none may be held back on the way."""
    answered = threading.Semaphore(1)

    def requests():
        for ask, size in zip(REQUESTS, ANSWERS):
            assert answered.acquire(timeout=PATIENCE)
            yield message(payload(ask), sizes=[size])

    got = []
    for answer in stub.both("FullDuplexCall", requests()):
        got.append(answer)
        answered.release()
    equal(got, [payload(size) for size in ANSWERS])


def empty_stream(stub):
    equal(list(stub.both("FullDuplexCall", iter([]))), [])


def half_duplex(stub):
    requests = iter([message(sizes=[size]) for size in ANSWERS])
    equal(list(stub.both("HalfDuplexCall", requests)), [payload(size) for size in ANSWERS])


def timeout_on_sleeping_server(stub):
    never = threading.Event()

    def stream(**more):
        list(stub.both("FullDuplexCall", iter(never.wait, True), **more))

    for call in (functools.partial(stub.unary, "SleepCall"), stream):
        for timeout in DEADLINES:
            name, metadata = named()
            with fails(grpc.StatusCode.DEADLINE_EXCEEDED):
                call(timeout=timeout, metadata=metadata)
            if SEEN.has(f"{name} began"):
                break
        SEEN.wait(f"{name} ended")
    never.set()


def deadlines_arrive(stub):
    left = float(stub.unary("DeadlineCall", timeout=60)[0])
    # The header has few digits, and is rounded up.
    assert 30 < left <= 65, left
    left = stub.unary("DeadlineCall", timeout=None)[0]
    assert left == b"none" or float(left) > 1e6, left


def cancel_after_begin(stub):
    name, metadata = named()
    never = threading.Event()
    call = stub.channel.stream_unary(f"/{SERVICE}/StreamingInputCall").future(iter(never.wait, True), metadata=metadata)
    SEEN.wait(f"{name} began")
    assert call.cancel()
    equal(call.code(), grpc.StatusCode.CANCELLED)
    never.set()
    SEEN.wait(f"{name} ended")
    # Without a body that is still open.
    name, metadata = named()
    call = stub.unary_call("SleepCall").future(b"", metadata=metadata)
    SEEN.wait(f"{name} began")
    assert call.cancel()
    SEEN.wait(f"{name} ended")


def cancel_after_first_response(stub):
    name, metadata = named()
    never = threading.Event()
    requests = itertools.chain([message(payload(27182), sizes=[31415])], iter(never.wait, True))
    call = stub.both("FullDuplexCall", requests, metadata=metadata)
    equal(next(call), payload(31415))
    call.cancel()
    with fails(grpc.StatusCode.CANCELLED):
        next(call)
    never.set()
    SEEN.wait(f"{name} ended")


def status_code_and_message(stub):
    text = "test status message"
    with fails(grpc.StatusCode.UNKNOWN, text):
        stub.unary("UnaryCall", message(code=2, message=text))
    with fails(grpc.StatusCode.UNKNOWN, text):
        list(stub.both("FullDuplexCall", iter([message(code=2, message=text)])))
    # After an answer, so that they are real trailers.
    call = stub.both("FullDuplexCall", iter([message(sizes=[7], code=2, message=text)]))
    equal(next(call), payload(7))
    with fails(grpc.StatusCode.UNKNOWN, text):
        next(call)
    for code in grpc.StatusCode:
        if code is not grpc.StatusCode.OK:
            with fails(code, f"it is {code.name}"):
                stub.unary("UnaryCall", message(code=code.value[0], message=f"it is {code.name}"))


def special_status_message(stub):
    text = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈 and 100% of %41\t\n"
    with fails(grpc.StatusCode.UNKNOWN, text):
        stub.unary("UnaryCall", message(code=2, message=text))
    call = stub.both("FullDuplexCall", iter([message(sizes=[1], code=2, message=text)]))
    next(call)
    with fails(grpc.StatusCode.UNKNOWN, text):
        next(call)


def custom_metadata(stub):
    initial, trailing = "test_initial_metadata_value", b"\xab\xab\xab\x00\xff, \n"
    metadata = ((INITIAL, initial), (TRAILING, trailing))

    def check(call):
        equal(dict(call.initial_metadata()).get(INITIAL), initial)
        equal(dict(call.trailing_metadata()).get(TRAILING), trailing)

    check(stub.unary("UnaryCall", message(sizes=[LARGE_ANSWER]), metadata=metadata)[1])
    call = stub.both("FullDuplexCall", iter([message(sizes=[5])]), metadata=metadata)
    equal(list(call), [payload(5)])
    check(call)
    # An end with an error brings both, too.
    with fails(grpc.StatusCode.ABORTED):
        try:
            stub.unary("UnaryCall", message(code=10), metadata=metadata)
        except grpc.RpcError as error:
            check(error)
            raise


def metadata_arrive(stub):
    given = [("x-many", "one"), ("x-many", "two"), ("x-empty-bin", b""), ("x-bytes-bin", bytes(range(256)))]
    given += [("x-long", "l" * 3000), ("x-text", "~ a=b; c, \"d\"")]
    rows = json.loads(stub.unary("MetadataCall", metadata=given)[0])
    found = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    many = [part.strip() for value in found["x-many"] for part in value.split(",")]
    equal((many, found["x-long"], found["x-text"]), (["one", "two"], ["l" * 3000], ["~ a=b; c, \"d\""]))
    equal((found["x-bytes-bin"], found["x-empty-bin"]), ([bytes(range(256)).hex()], [""]))
    assert found["user-agent"][0].startswith("grpc-python/"), found["user-agent"]


def unimplemented(stub):
    """By the server itself."""
    for service_name, method in ((SERVICE, "UnimplementedCall"), ("interop.UnimplementedService", "UnimplementedCall")):
        with fails(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"):
            stub.unary(method, service=service_name)


def huge_messages(stub):
    answer, _ = stub.unary("UnaryCall", message(payload(HUGE), sizes=[HUGE]))
    equal(answer, payload(HUGE))
    equal(stub.unary("Count", message(payload(HUGE)))[0], str(HUGE).encode())
    equal(stub.stream_in("StreamingInputCall", iter([message(payload(HUGE))] * 3)), str(3 * HUGE).encode())
    equal(list(stub.stream_out("StreamingOutputCall", message(sizes=[HUGE] * 3))), [payload(HUGE)] * 3)
    requests = iter([message(payload(HUGE), sizes=[HUGE])] * 2)
    equal(list(stub.both("FullDuplexCall", requests)), [payload(HUGE)] * 2)


def a_slow_reader_holds_up_nobody_else(stub):
    """What one stream does not read must not use up what another needs."""
    slow = stub.stream_out("StreamingOutputCall", message(sizes=[1 << 20] * 8))
    equal(next(slow), payload(1 << 20))
    for _ in range(5):
        equal(stub.unary("UnaryCall", message(payload(LARGE_REQUEST), sizes=[LARGE_ANSWER]))[0], payload(LARGE_ANSWER))
    equal([len(answer) for answer in slow], [1 << 20] * 7)


def many_streams(stub):
    """All of them are open at the same time, on one connection."""
    all_begun = threading.Barrier(STREAMS + 1)

    def requests(number):
        yield message(sizes=[number])
        all_begun.wait(PATIENCE)
        yield message(sizes=[number + 1])

    calls = [stub.both("FullDuplexCall", requests(number)) for number in range(STREAMS)]
    for number, call in enumerate(calls):
        equal(next(call), payload(number))
    all_begun.wait(PATIENCE)
    for number, call in enumerate(calls):
        equal(list(call), [payload(number + 1)])


def many_calls(stub):
    calls = [stub.unary_call("UnaryCall").future(message(sizes=[size]), timeout=PATIENCE) for size in range(500)]
    for size, call in enumerate(calls):
        equal(call.result(), payload(size))


def nobody_listens(secure):
    """A reply of the gateway's own: UNAVAILABLE, and the reason."""
    stub = Stub("gone.grpc.test", secure)
    for _ in range(2):
        with fails(grpc.StatusCode.UNAVAILABLE):
            reply(stub, "upstream connect error or disconnect/reset before headers. ")
        with fails(grpc.StatusCode.UNAVAILABLE):
            list(stub.both("FullDuplexCall", iter([message(sizes=[1])])))


def no_route(secure):
    with fails(grpc.StatusCode.UNIMPLEMENTED):
        reply(Stub("none.grpc.test", secure), "")


def reply(stub, begins):
    """A call that the gateway answers by itself: a message comes, and no answer."""
    try:
        stub.unary("EmptyCall")
    except grpc.RpcError as error:
        assert error.details().startswith(begins), error.details()
        raise


def server_goes_away(secure):
    """Calls in flight end as unavailable, or as cancelled by the server, and none hangs."""
    global servers
    stub, (name, metadata) = Stub("plain.grpc.test", secure), named()
    sleeping = stub.unary_call("SleepCall").future(b"", metadata=metadata, timeout=PATIENCE)
    SEEN.wait(f"{name} began")
    servers[0].stop(0).wait()
    ends = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert sleeping.code() in ends, sleeping.code()
    with fails(grpc.StatusCode.UNAVAILABLE):
        reply(stub, "upstream connect error or disconnect/reset before headers. ")
    servers[0] = service.start(int(SERVER))
    # The same channel, on which nothing has happened.
    empty_unary(stub)


INTEROP = [
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    half_duplex,
    timeout_on_sleeping_server,
    deadlines_arrive,
    cancel_after_begin,
    cancel_after_first_response,
    status_code_and_message,
    special_status_message,
    custom_metadata,
    metadata_arrive,
    unimplemented,
    huge_messages,
    a_slow_reader_holds_up_nobody_else,
    many_streams,
    many_calls,
]


def main():
    global servers
    servers = [service.start(int(SERVER)), service.start(int(SECURE_SERVER), (CERTIFICATE, KEY))]
    results = Results()
    for secure, host in itertools.product((False, True), ("plain.grpc.test", "tls.grpc.test")):
        stub = Stub(host, secure)
        for function in INTEROP:
            results.case(f"{'TLS' if secure else 'h2c'} to {host}: {function.__name__}", function, stub)
        stub.channel.close()
    for secure, function in itertools.product((False, True), (nobody_listens, no_route, server_goes_away)):
        results.case(f"{'TLS' if secure else 'h2c'}: {function.__name__}", function, secure)
    results.end()


main()
