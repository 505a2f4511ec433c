"""A collector of spans: takes OTLP by HTTP with the types of opentelemetry-proto, which refuse what is no message, and
says what it got, a line of JSON a request. The first line is its port.

What it answers is in the path: /v1/traces takes everything; /later says 503 twice and then takes it; /limited says 429 with
retry-after; /refuse says 400; /partial refuses one span of each request; /silent never answers.
"""

import http.server
import json
import sys
import threading

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

lock = threading.Lock()
asked = {}


def say(what):
    with lock:
        print(json.dumps(what), flush=True)


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value"))


def attributes(pairs):
    keys = [pair.key for pair in pairs]
    assert len(keys) == len(set(keys)), keys
    return {pair.key: value(pair.value) for pair in pairs}


def span(of):
    assert len(of.trace_id) == 16 and any(of.trace_id), of
    assert len(of.span_id) == 8 and any(of.span_id), of
    assert len(of.parent_span_id) in (0, 8), of
    assert 0 < of.start_time_unix_nano <= of.end_time_unix_nano, of
    return {
        "trace": of.trace_id.hex(),
        "id": of.span_id.hex(),
        "parent": of.parent_span_id.hex(),
        "state": of.trace_state,
        "name": of.name,
        "kind": of.kind,
        "flags": of.flags,
        "start": of.start_time_unix_nano,
        "end": of.end_time_unix_nano,
        "attributes": attributes(of.attributes),
        "events": [{"name": e.name, "at": e.time_unix_nano, **attributes(e.attributes)} for e in of.events],
        "error": of.status.code == 2,
        "message": of.status.message,
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", fields=()):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        for name, text in fields:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with lock:
            count = asked[self.path] = asked.get(self.path, 0) + 1
        said = {"path": self.path, "number": count, "fields": {k.lower(): v for k, v in self.headers.items()}}
        try:
            assert self.headers["content-type"] == "application/x-protobuf"
            request = service.ExportTraceServiceRequest.FromString(body)
            # What is not known to the types would be here.
            assert request.SerializeToString() and not request.ByteSize() > len(body)
            (resource_spans,) = request.resource_spans
            (scope_spans,) = resource_spans.scope_spans
            said["resource"] = attributes(resource_spans.resource.attributes)
            said["scope"] = scope_spans.scope.name
            said["spans"] = [span(of) for of in scope_spans.spans]
        except Exception as error:
            said["broken"] = repr(error)
        if self.path == "/silent":
            say(said)
            threading.Event().wait()
        elif self.path == "/later" and count <= 2:
            self.answer(503)
        elif self.path == "/limited" and count == 1:
            self.answer(429, fields=[("retry-after", "2")])
        elif self.path == "/refuse":
            self.answer(400)
        elif self.path == "/partial":
            response = service.ExportTraceServiceResponse()
            response.partial_success.rejected_spans = 1
            response.partial_success.error_message = "one is enough"
            self.answer(200, response.SerializeToString())
        else:
            self.answer(200, service.ExportTraceServiceResponse().SerializeToString())
        if self.path != "/silent":
            say(said)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
# It ends with whoever started it.
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
