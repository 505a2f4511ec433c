#!/usr/bin/env python3
"""gRPC while the gateway is told to end: what is under way ends well, and clients are told not to begin more.

usage: drain.py PLAIN SECURE CA SERVER PID

The gateway's port PLAIN is plain text, SECURE is TLS with a certificate that CA vouches for. Both lead `plain.grpc.test`
to the port SERVER, and this program listens there. PID is the gateway, which gets SIGTERM. Needs grpcio and h2.
"""
import os
import queue
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

import grpc

import h2raw
import service
from results import PATIENCE, Results, equal
from service import SERVICE, message, payload

PLAIN, SECURE, CA, SERVER, PID = sys.argv[1:]
HOST = "plain.grpc.test"
PING, GOAWAY = 6, 7


class Call:
    """A stream both ways that goes on until it is told to end."""

    def __init__(self, secure):
        options = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", HOST)]
        if secure:
            with open(CA, "rb") as file:
                credentials = grpc.ssl_channel_credentials(file.read())
            options.append(("grpc.ssl_target_name_override", HOST))
            self.channel = grpc.secure_channel(f"127.0.0.1:{SECURE}", credentials, options)
        else:
            self.channel = grpc.insecure_channel(f"127.0.0.1:{PLAIN}", options)
        self.requests = queue.SimpleQueue()
        method = self.channel.stream_stream(f"/{SERVICE}/FullDuplexCall")
        self.answers = method(iter(self.requests.get, None), timeout=2 * PATIENCE)

    def ask(self, size):
        self.requests.put(message(payload(size), sizes=[size]))
        equal(next(self.answers), payload(size))

    def end(self):
        self.requests.put(None)
        equal((list(self.answers), self.answers.code()), ([], grpc.StatusCode.OK))


def until_refused(port):
    """Waits until nobody takes connections any more, which nobody announces; each try waits for an answer of the gateway's."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", int(port)), PATIENCE) as stream:
                # What was still taken is ended.
                stream.recv(1)
        except ConnectionError:
            return


def goodbye(stream):
    """The codes of the GOAWAYs that come until the end of a connection. There may be several, and a PING between them, which
    is answered (RFC 9113 section 6.8); h2 takes the first one for the end."""
    data = b""
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            try:
                piece = stream.recv(65536)
            except ConnectionError:
                return
            if not piece:
                return
            data += piece
        end = 9 + int.from_bytes(data[:3], "big")
        kind, flags, body, data = data[3], data[4], data[9:end], data[end:]
        if kind == PING and not flags:
            stream.sendall(bytes([0, 0, 8, PING, 1, 0, 0, 0, 0]) + body)
        elif kind == GOAWAY:
            yield int.from_bytes(body[4:8], "big")


def drain(calls, idle):
    for size, call in enumerate(calls):
        call.ask(size + 100)
    idle.greet()
    os.kill(int(PID), signal.SIGTERM)
    goaways = list(goodbye(idle.socket))
    assert goaways and set(goaways) == {int(h2raw.h2.errors.ErrorCodes.NO_ERROR)}, goaways
    until_refused(PLAIN)
    for _ in range(3):
        for size, call in enumerate(calls):
            call.ask(100_000 + size)
    for call in calls:
        call.end()


def main():
    server, results = service.start(int(SERVER)), Results()
    calls = [Call(secure) for secure in (False, True, False, True)]
    results.case("drain", drain, calls, h2raw.Client(int(PLAIN)))
    assert server
    results.end()


main()
