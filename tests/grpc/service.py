"""A gRPC server with the methods of gRPC's interoperability tests, without protobuf. Needs grpcio.

A message is a line of JSON that says what to do, then a payload of any bytes: `{"sizes": [3, 0]}` asks for answers of
so many bytes, `{"code": 2, "message": "..."}` for an end with this status. Answers are payloads only.
"""
import concurrent.futures
import functools
import json

import grpc

from results import PATIENCE, Seen

SERVICE = "interop.TestService"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
MESSAGE_MAX = 32 << 20
LIMITS = [("grpc.max_receive_message_length", MESSAGE_MAX), ("grpc.max_send_message_length", MESSAGE_MAX)]
# Streams that are held open at the same time, each by a thread.
THREADS = 160
SEEN = Seen()


def message(payload=b"", **what):
    return json.dumps(what).encode() + b"\n" + payload


def parse(request):
    line, _, payload = request.partition(b"\n")
    return json.loads(line or b"{}"), payload


@functools.lru_cache(maxsize=64)
def payload(size):
    """Bytes in which nothing can be lost or change places without being seen."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def begin(context):
    """Gives metadata back that a client wants to have back, and tells when the call ends."""
    given = dict(context.invocation_metadata())
    if INITIAL in given:
        context.send_initial_metadata([(INITIAL, given[INITIAL])])
    if TRAILING in given:
        context.set_trailing_metadata([(TRAILING, given[TRAILING])])
    call = given.get("x-call")
    if call:
        # Called at the end of every call, well or not.
        context.add_callback(lambda: SEEN.tell(f"{call} ended"))
        SEEN.tell(f"{call} began")
    return given


def do(what, context):
    if "code" in what:
        code = next(code for code in grpc.StatusCode if code.value[0] == what["code"])
        context.abort(code, what.get("message", ""))


def empty_call(request, context):
    begin(context)
    assert request == b""
    return b""


def unary_call(request, context):
    begin(context)
    what, _ = parse(request)
    do(what, context)
    return payload(what["sizes"][0])


def count(request, context):
    """How long the payload was."""
    begin(context)
    given = parse(request)[1]
    assert given == payload(len(given))
    return str(len(given)).encode()


def streaming_input_call(requests, context):
    begin(context)
    return str(sum(len(parse(request)[1]) for request in requests)).encode()


def streaming_output_call(request, context):
    begin(context)
    what, _ = parse(request)
    for size in what.get("sizes", []):
        yield payload(size)
    do(what, context)


def gated_call(_, context):
    """Two answers; the second when somebody in this process says so."""
    given = begin(context)
    yield payload(5)
    SEEN.wait(f"{given['x-call']} goes on")
    yield payload(6)


def full_duplex_call(requests, context):
    begin(context)
    for request in requests:
        what, _ = parse(request)
        for size in what.get("sizes", []):
            yield payload(size)
        do(what, context)


def half_duplex_call(requests, context):
    """Answers when the client has said all."""
    begin(context)
    for request in list(requests):
        for size in parse(request)[0]["sizes"]:
            yield payload(size)


def sleep_call(_, context):
    """Ends when the client, or somebody on its behalf, does not wait any longer."""
    given = begin(context)
    ended = SEEN.event(f"{given['x-call']} ended")
    ended.wait(PATIENCE)
    return b"slept"


def deadline_call(_, context):
    """What is left of the deadline that has come this far."""
    left = context.time_remaining()
    return b"none" if left is None else str(left).encode()


def metadata_call(_, context):
    """The metadata as they came."""
    rows = [(key, value if isinstance(value, str) else value.hex()) for key, value in context.invocation_metadata()]
    return json.dumps([*rows, ["peer", context.peer()]]).encode()


def handlers():
    unary, stream_in = grpc.unary_unary_rpc_method_handler, grpc.stream_unary_rpc_method_handler
    stream_out, both = grpc.unary_stream_rpc_method_handler, grpc.stream_stream_rpc_method_handler
    # Without serializers messages are bytes.
    methods = {
        "EmptyCall": unary(empty_call),
        "UnaryCall": unary(unary_call),
        "Count": unary(count),
        "SleepCall": unary(sleep_call),
        "DeadlineCall": unary(deadline_call),
        "MetadataCall": unary(metadata_call),
        "StreamingInputCall": stream_in(streaming_input_call),
        "StreamingOutputCall": stream_out(streaming_output_call),
        "GatedCall": stream_out(gated_call),
        "FullDuplexCall": both(full_duplex_call),
        "HalfDuplexCall": both(half_duplex_call),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def start(port, identity=None):
    """A server on a port of this host; with a certificate and key by TLS."""
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=THREADS)
    server = grpc.server(pool, options=[*LIMITS, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handlers(),))
    address = f"127.0.0.1:{port}"
    if identity:
        chain, key = (open(path, "rb").read() for path in identity)
        bound = server.add_secure_port(address, grpc.ssl_server_credentials([(key, chain)]))
    else:
        bound = server.add_insecure_port(address)
    assert bound == port, f"{bound}, not {port}"
    server.start()
    return server
