#!/usr/bin/env python3
"""Autobahn's cases (kosoku) against a WebSocket server, directly and through a gateway: every verdict must be the same.

usage: autobahn.py GATEWAY SERVER

The gateway's port GATEWAY leads to the port SERVER, and this program listens there. Once more each WebSocket goes through
the gateway over HTTP/2. Needs kosoku, websockets and h2.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

from bridge import Bridge
from echo import Echo
from results import Results, equal

GATEWAY, SERVER = map(int, sys.argv[1:])
# 247 cases of the protocol: all but limits and compression (9, 12 and 13).
PROTOCOL = ["-x", "9.*", "-x", "12.*", "-x", "13.*"]
PROTOCOL_CASES = 247
# Messages of up to 16 MiB, whole, in fragments and in small pieces; and some of each kind of compression. The others of 9.3
# and 9.4 have more fragments than this server takes, and the others of compression differ in numbers only.
LIMITS = ["9.1.*", "9.2.*", "9.3.6", "9.4.6", "9.5.6", "9.6.6", "9.7.1", "9.8.1"]
COMPRESSION = ["12.1.1", "12.2.1", "12.4.3", "13.1.1", "13.3.2", "13.5.1", "13.7.1"]
OTHERS = [word for case in LIMITS + COMPRESSION for word in ("-i", case)]
OTHER_CASES = 6 + 6 + 6 + 7
# So often what is different is asked for again; a gateway that changes something does so each time.
ROUNDS = 3
WELL = ("OK", "INFORMATIONAL", "UNIMPLEMENTED")


def verdicts(port, selection):
    """What kosoku says of each case."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(os.path.dirname(sys.executable), "kosoku")
        command = [program, "-p", "4", *selection, "-o", folder, f"127.0.0.1:{port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        try:
            with open(os.path.join(folder, "index.json")) as file:
                agents = json.load(file)
        except OSError:
            raise AssertionError(f"no report: {done.stdout} {done.stderr}") from None
    equal(len(agents), 1, "agents")
    cases = next(iter(agents.values()))
    return {case: (behavior(row), row["behaviorClose"], row["remoteCloseCode"]) for case, row in cases.items()}


def behavior(row):
    """How soon a server sees what is broken, before or after it has answered what was good, is up to it, and a matter of
    time; Autobahn is content with both."""
    return "OK" if row["behavior"] == "NON-STRICT" else row["behavior"]


def same(direct, port, selection, count):
    through = verdicts(port, selection)
    equal((len(direct), len(through)), (count, count), "cases")
    for _ in range(ROUNDS):
        odd = [case for case in direct if direct[case] != through[case]]
        if not odd:
            break
        # Autobahn waits for a second only: what a busy machine has made late is asked for once more, one after another.
        again = ["-p", "1", *(word for case in odd for word in ("-i", case))]
        direct, through = {**direct, **verdicts(SERVER, again)}, {**through, **verdicts(port, again)}
    different = {case: (direct[case], through[case]) for case in direct if direct[case] != through[case]}
    assert not different, f"directly and through the gateway: {different}"
    # A server that fails everything would be as good through a gateway.
    bad = [case for case, row in through.items() if row[0] not in WELL]
    assert len(bad) < count / 20, bad


def main():
    Echo(SERVER)
    results, bridge = Results(), Bridge(GATEWAY)
    for name, selection, count in (("protocol", PROTOCOL, PROTOCOL_CASES), ("limits, compression", OTHERS, OTHER_CASES)):
        direct = verdicts(SERVER, selection)
        for version, port in (("HTTP/1.1", GATEWAY), ("HTTP/2", bridge.port)):
            results.case(f"{name}, {version}", lambda: same(direct, port, selection, count))
    results.end()


main()
