"""Everything about a running gateway changes while clients use it, and no client may notice.

storm.py GATEWAY [ACT ...]

reloads   a hundred in a minute, each changing something, under wrk, h2load, WebSockets, TCP and a long download
upgrades  ten binary upgrades under the same load, as a service manager sees them
hosts     a reload with 10,000 hosts of 10 routes: what the slowest request takes, and what memory is held
ends      SIGTERM under load, with clients that are slow and WebSockets that stay
kills     SIGKILL in the middle of reloads and upgrades; the next start serves

Prints what it saw, and `N passed, M failed`.
"""

import os
import pathlib
import shutil
import sys
import tempfile
import time

import clients
from gateway import Configuration, Gateway, Origin, write
from load import Checks, descriptors, resident_kib

RELOADS = 100
UPGRADES = 10


class Results(Checks):
    def saw_nothing(self, running):
        for client in running:
            seen = f"{client.requests} requests, the slowest {client.slowest * 1000:.0f} ms, {client.errors[:3] or 'no error'}"
            self.check(f"{client.name} sees no error", client.requests > 0 and not client.errors, seen)


def started(all_of_them):
    for client in all_of_them:
        client.start()
    return all_of_them


def ended(all_of_them):
    for client in all_of_them:
        client.ending.set()
    for client in all_of_them:
        client.end()


def people(gateway, may_close=False):
    """Clients that keep what they have."""
    tls = clients.trusting()
    return [
        clients.Kept("a kept connection", gateway.http),
        clients.Kept("a kept TLS connection", gateway.https, tls),
        clients.Fresh("connections for one request", gateway.http),
        clients.Fresh("TLS connections for one request", gateway.https, tls),
        clients.Download("a long download", gateway.http, 40, 8),
        *[clients.WebSocket(f"WebSocket {n}", gateway.http, may_close) for n in range(5)],
        clients.WebSocket("a TCP connection", gateway.tcp, may_close),
    ]


def reloads(program, folder, origins, results):
    configuration = Configuration(folder, origins)
    gateway = Gateway(program, configuration)
    quiet = clients.wrk(gateway.http, 8)
    with_h2 = clients.h2load(gateway.http, 8)
    running = started([*people(gateway), quiet, with_h2])
    time.sleep(5)
    ended(running)
    results.saw_nothing(running)
    before = clients.p99_ms(quiet.said)
    held = (descriptors(gateway.pid), resident_kib(gateway.pid))

    busy, with_h2 = clients.wrk(gateway.http, 62), clients.h2load(gateway.http, 62)
    running = started([*people(gateway), busy, with_h2])
    began, kinds = time.monotonic(), {}
    for number in range(RELOADS):
        kind = configuration.change()
        kinds[kind] = kinds.get(kind, 0) + 1
        if number % 3 == 0:
            gateway.signal("HUP")
        elif number % 3 == 1:
            gateway.say("reload")
        gateway.wait_for_version(configuration.version)
        if number % 20 == 19:
            print(f"{number + 1} reloads in {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(max(0.0, began + (number + 1) * 60 / RELOADS - time.monotonic()))
    took = time.monotonic() - began
    ended(running)
    results.check("a hundred reloads in a minute", took < 66, f"{took:.1f} s: {kinds}")
    results.saw_nothing(running)
    opened = [client.opened for client in running if type(client) is clients.Kept]
    results.check("kept connections are kept", opened == [1, 1], f"opened {opened} times")
    after = clients.p99_ms(busy.said)
    results.check("p99 is within twice the quiet one", after <= 2 * before, f"{before:.2f} ms quiet, {after:.2f} ms with reloads")
    seen = f"{held[1]} KiB before, {resident_kib(gateway.pid)} KiB after; descriptors {held[0]}, {descriptors(gateway.pid)}"
    results.check("memory is back", resident_kib(gateway.pid) <= held[1] * 1.25 + 8192, seen)
    end(gateway, results)


def upgrades(program, folder, origins, results):
    own = pathlib.Path(folder) / "sluicegate"
    shutil.copy(program, own)
    configuration = Configuration(folder, origins)
    gateway = Gateway(str(own), configuration, ["--drain-time", "20s"])
    running = started([*people(gateway, may_close=True), clients.wrk(gateway.http, 40), clients.curl_http2(gateway.https)])
    time.sleep(2)
    pids = [gateway.pid]
    for number in range(UPGRADES):
        # Another file of the same name, as packages install it.
        write_program(program, own)
        if number % 2 == 0:
            gateway.signal("USR2")
        else:
            gateway.say("upgrade")
        gateway.manager.wait_for("another MAINPID", lambda m: m.main_pid not in pids)
        pids.append(gateway.pid)
        gateway.wait_for_version(configuration.version)
        time.sleep(2)
    ended(running)
    results.check("ten upgrades", len(set(pids)) == UPGRADES + 1, f"processes {pids}")
    results.saw_nothing(running)
    closed = sum(client.closed for client in running if isinstance(client, clients.WebSocket))
    print(f"WebSockets and TCP connections that the drain of an old process ended: {closed}")
    gone_by = time.monotonic() + 30
    while (left := [pid for pid in pids[:-1] if is_running(pid)]) and time.monotonic() < gone_by:
        gateway.process.poll()
        time.sleep(0.1)
    results.check("the old processes are gone", not left, f"left: {left}")
    end(gateway, results)


def write_program(program, own):
    new = own.with_name("sluicegate.new")
    shutil.copy(program, new)
    new.rename(own)


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def end(gateway, results):
    gateway.signal("TERM")
    deadline = time.monotonic() + 60
    while is_running(gateway.pid) and time.monotonic() < deadline:
        gateway.process.poll()
        time.sleep(0.05)
    results.check("it ends well", not is_running(gateway.pid), "ended" if gateway.pid != gateway.process.pid else gateway.process.returncode)


def many_hosts(count, routes, version, port):
    parts = [f"""apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: many}}
spec:
  servers:
  - port: {{number: 80, name: http, protocol: HTTP}}
    bind: 127.0.0.1
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: app}}
spec:
  hosts: [app.storm]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: rest}}
spec:
  hosts: ["*"]
  gateways: [many]
  http:
  - match: [{{uri: {{exact: /version}}}}]
    directResponse: {{status: 200, body: {{string: "{version}"}}}}
  - route: [{{destination: {{host: app.storm}}}}]
"""]
    for host in range(count):
        rules = "".join(f"  - match: [{{uri: {{prefix: /r{n}/}}}}]\n    route: [{{destination: {{host: app.storm}}}}]\n" for n in range(routes))
        parts.append(f"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: h{host}}}\nspec:\n"
                     f"  hosts: [h{host}.test]\n  gateways: [many]\n  http:\n{rules}")
    return "---\n".join(parts)


class Many:
    """A configuration of one large file."""

    def __init__(self, folder, port):
        self.folder, self.port = pathlib.Path(folder), port
        self.directory = self.folder / "conf.d"
        self.directory.mkdir()

    def write(self, version):
        write(self.directory / "many.yaml", many_hosts(10_000, 10, version, self.port))


def hosts(program, folder, origins, results):
    configuration = Many(folder, origins[0].port)
    configuration.write(0)
    gateway = Gateway(program, configuration)
    gateway.wait_for_version(0)

    def slowest(act):
        """The slowest of steady requests meanwhile: paced, so that the load generator itself is not what is slow."""
        probes = started([clients.Kept(f"probe {n}", gateway.http) for n in range(4)])
        act()
        ended(probes)
        results.saw_nothing(probes)
        return max(probe.slowest for probe in probes) * 1000

    quiet = slowest(lambda: time.sleep(5))
    memory, took = [resident_kib(gateway.pid)], []
    worst = 0.0
    for version in range(1, 6):
        configuration.write(version)

        def reload():
            began = time.monotonic()
            gateway.signal("HUP")
            gateway.wait_for_version(version)
            took.append(time.monotonic() - began)
            time.sleep(1)

        worst = max(worst, slowest(reload))
        memory.append(resident_kib(gateway.pid))
    results.check("no request is slower than 50 ms because of it", worst <= quiet + 50, f"slowest {quiet:.1f} ms quiet, {worst:.1f} ms with reloads of {max(took):.2f} s")
    results.check("memory is back", memory[-1] <= max(memory[1], memory[2]) * 1.1, f"resident {[kib >> 10 for kib in memory]} MiB")
    end(gateway, results)


def ends(program, folder, origins, results):
    configuration = Configuration(folder, origins)
    for within, name in (("10s", "with time"), ("2s", "with little time")):
        gateway = Gateway(program, configuration, ["--drain-time", within])
        running = started([
            clients.Kept("a kept connection", gateway.http),
            clients.Download("a download of 4 s", gateway.http, 20, 4),
            *[clients.WebSocket(f"WebSocket {n}", gateway.http, may_close=True) for n in range(5)],
            clients.wrk(gateway.http, 4),
        ])
        slow = clients.connected(gateway.http, None)
        slow.sendall(b"GET / HT")
        time.sleep(2)
        began = time.monotonic()
        gateway.signal("TERM")
        deadline = began + 40
        while is_running(gateway.pid) and time.monotonic() < deadline:
            gateway.process.poll()
            time.sleep(0.02)
        took = time.monotonic() - began
        gateway.process.wait()
        for client in running:
            client.ending.set()
        results.check(f"{name}: it ends by its deadline", took <= float(within[:-1]) + 5, f"{took:.2f} s, exit {gateway.process.returncode}")
        ended(running)
        refused = ("ConnectionRefusedError", "EOFError")
        for client in running[:2]:
            cut = [error for error in client.errors if not error.startswith(refused)]
            may_cut = within == "2s" and client is running[1]
            results.check(f"{name}: {client.name} is not cut", may_cut or not cut, f"{client.requests} requests, {cut[:3] or 'not cut'}")
        print(gateway.last_words().splitlines()[-1])
        slow.close()


def kills(program, folder, origins, results):
    configuration = Configuration(folder, origins)
    gateway = Gateway(program, configuration)
    starts = 0
    for number in range(20):
        running = started([clients.wrk(gateway.http, 1)])
        configuration.change()
        gateway.signal(["HUP", "USR2"][number % 2])
        time.sleep(number * 0.02)
        os.killpg(gateway.process.pid, 9)
        gateway.process.wait()
        ended(running)
        gateway.start()
        gateway.wait_for_version(configuration.version)
        starts += 1
    results.check("killed in the middle of reloads and upgrades, it starts and serves what the files say", starts == 20, f"{starts} starts")
    log = (pathlib.Path(folder) / "access.log").read_bytes().split(b"\n")
    whole = [line for line in log if line.startswith(b"[20")]
    results.check("the access log has whole lines", len(log) - len(whole) <= 21, f"{len(whole)} of {len(log)}")
    end(gateway, results)


ACTS = {act.__name__: act for act in (reloads, upgrades, hosts, ends, kills)}


def main():
    program, wanted = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(ACTS)
    missing = [tool for tool in ("wrk", "h2load", "curl", "openssl") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed\n0 passed, 0 failed")
        return 0
    results = Results()
    origins = [Origin(f"origin-{n}") for n in range(3)]
    try:
        for act in wanted:
            print(f"== {act}", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                ACTS[act](program, folder, origins, results)
    finally:
        for origin in origins:
            origin.end()
    print(results.summary())
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
