#!/usr/bin/env python3
"""Sends what is on standard input to a port of this host with Python's TLS, and prints what was agreed and what came back.

usage: client.py PORT [--name=SNI] [--alpn=A,B] [--version=1.2|1.3] [--authority=FILE] [--certificate=FILE --key=FILE]
                 [--again=N]

With --again the session is resumed N times, each on a new connection; the last one is told. Exits with 1 if the handshake
fails or nothing comes back.
"""
import argparse
import socket
import ssl
import sys

PATIENCE = 20  # Seconds; nothing takes so long unless it is broken.
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context(options):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    if options.authority:
        made.load_verify_locations(options.authority)
    else:
        made.verify_mode = ssl.CERT_NONE
    if options.version:
        made.minimum_version = made.maximum_version = VERSIONS[options.version]
    if options.alpn:
        made.set_alpn_protocols(options.alpn.split(","))
    if options.certificate:
        made.load_cert_chain(options.certificate, options.key)
    return made


def exchange(options, made, request, session):
    """One connection; returns what came back and the session to go on with."""
    plain = socket.create_connection(("127.0.0.1", options.port), PATIENCE)
    with made.wrap_socket(plain, server_hostname=options.name, session=session) as stream:
        stream.sendall(request)
        answer = b""
        while piece := stream.recv(65536):
            answer += piece
        subject = dict(pair[0] for pair in stream.getpeercert().get("subject", ())) if options.authority else {}
        facts = {
            "version": stream.version(),
            "alpn": stream.selected_alpn_protocol() or "",
            "subject": subject.get("commonName", ""),
            "resumed": stream.session_reused,
        }
        return facts, answer, stream.session


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    for name in ("name", "alpn", "version", "authority", "certificate", "key"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--again", type=int, default=0)
    options = parser.parse_args()
    request = sys.stdin.buffer.read()
    made = context(options)
    session = None
    for _ in range(1 + options.again):
        try:
            facts, answer, session = exchange(options, made, request, session)
        except (OSError, ssl.SSLError) as error:
            sys.exit(f"{type(error).__name__}: {error}")
    if not answer:
        sys.exit("the connection was closed without an answer")
    for name, value in facts.items():
        print(f"{name}: {value}")
    sys.stdout.flush()
    sys.stdout.buffer.write(answer)


main()
