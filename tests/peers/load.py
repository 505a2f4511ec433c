"""What programs that load a gateway share: ports, what a process holds, checks, and what wrk saw."""

import os
import pathlib
import re
import socket

from results import Results


def free_ports(count):
    """So many ports that nobody has."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def resident_kib(pid):
    """The memory of a process that is in use."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def descriptors(pid):
    """How many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def wrk_errors(said):
    """The number of requests, and what went wrong; empty if nothing did."""
    requests = re.search(r"(\d+) requests in", said)
    if not requests:
        return 0, f"wrk said {said[-200:]!r}"
    found = [line.strip() for line in said.splitlines() if "Socket errors" in line or "Non-2xx" in line]
    return int(requests.group(1)), "; ".join(found)


class Checks(Results):
    """Says of each check whether it holds and what was seen, and counts both."""

    def check(self, name, holds, seen=""):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"{'ok' if holds else 'FAILED'}: {name}: {seen}", flush=True)
