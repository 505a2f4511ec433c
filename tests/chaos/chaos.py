"""Endpoints die, come back, slow down and reset while wrk and h2load run. No client may see what the policy hides.

chaos.py GATEWAY [--seconds N] [--seed N] [--workers N]

Five origins behind one route with `retries` and `outlierDetection`; at most two are ill at a time. A second destination has
room for few requests only: its circuit breaker has to open while it hangs, and to close when it answers again. In the end
memory and descriptors of the gateway have to be what they were before. Prints what it saw, and `N passed, M failed`.
"""

import argparse
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "peers"))

from load import Checks, descriptors, free_ports, resident_kib, wrk_errors

ORIGINS = 5
# Of five, two are ill and two left out at most: one that was ill stays out for a while, when others are ill already. So
# there is always one that is well and not left out, and a policy that tries often enough finds it.
ILL_MAX = 2
LEFT_OUT_PERCENT = 40
# Longer than any try may take: what is ill has to be noticed by requests before it is well again.
ILL_SECONDS = (0.6, 2.0)
ILLNESSES = ["die", "slow 150", "slow 5000", "error", "hang", "close", "reset"]

CONFIGURATION = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: chaos}}
spec:
  servers:
  - port: {{number: 80, name: http, protocol: HTTP}}
    bind: 127.0.0.1
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: chaos}}
spec:
  hosts: ["*"]
  gateways: [chaos]
  http:
  - match: [{{uri: {{prefix: /narrow}}}}]
    route: [{{destination: {{host: narrow.chaos}}}}]
    timeout: 2s
    retries: {{attempts: 0}}
  - route: [{{destination: {{host: app.chaos}}}}]
    timeout: 20s
    retries:
      attempts: 6
      perTryTimeout: 400ms
      retryOn: 5xx,reset,connect-failure,refused-stream
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: app}}
spec:
  hosts: [app.chaos]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints:
{endpoints}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: narrow}}
spec:
  hosts: [narrow.chaos]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{http: {narrow}}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: app}}
spec:
  host: app.chaos
  trafficPolicy:
    connectionPool: {{http: {{idleTimeout: 2s}}}}
    outlierDetection: {{consecutive5xxErrors: 5, interval: 500ms, baseEjectionTime: 500ms, maxEjectionPercent: {left_out}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: narrow}}
spec:
  host: narrow.chaos
  trafficPolicy:
    connectionPool: {{tcp: {{maxConnections: 4}}, http: {{http1MaxPendingRequests: 4, idleTimeout: 2s}}}}
"""


class Origin:
    def __init__(self, name, port):
        self.name, self.port, self.process = name, port, None
        self.start()

    def start(self):
        command = [sys.executable, str(HERE / "origin.py"), str(self.port), self.name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{self.name} does not listen on port {self.port}")

    def be(self, what):
        if what == "die":
            self.process.kill()
            self.process.wait()
            return
        if self.process.poll() is not None:
            self.start()
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self):
        self.process.kill()
        self.process.wait()


class Load:
    """One of the load generators, again and again until it is told to stop."""

    def __init__(self, command, errors_of):
        self.command, self.errors_of = command, errors_of
        self.requests, self.errors, self.stopping = 0, [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping:
            done = subprocess.run(self.command, capture_output=True, text=True, check=False)
            requests, error = self.errors_of(done.stdout)
            self.requests += requests
            if done.returncode != 0 or error:
                self.errors.append(error or done.stderr.strip() or f"exit {done.returncode}")

    def end(self):
        self.stopping = True
        self.thread.join()


def h2load_errors(said):
    requests = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, (.*)", said)
    codes = re.search(r"status codes: (\d+) 2xx, (.*)", said)
    if not requests or not codes:
        return 0, f"h2load said {said[-200:]!r}"
    good = requests.group(1) == requests.group(2) == codes.group(1)
    return int(requests.group(1)), "" if good else f"{requests.group(0)}; {codes.group(0)}"


def loads(port):
    url = f"http://127.0.0.1:{port}/"
    return {
        "wrk": Load(["wrk", "-t1", "-c16", "-d5s", "--timeout", "30s", url], wrk_errors),
        "h2load": Load(["h2load", "-c4", "-m4", "-n4000", url], h2load_errors),
    }


def status_of(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0  # No answer.


def statuses(url, count):
    """The statuses of so many requests at a time."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(status_of(url))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class Trouble:
    """Makes origins ill, and well again; at most so many at a time."""

    def __init__(self, origins, seed):
        self.origins, self.random = origins, random.Random(seed)
        self.counts = dict.fromkeys(ILLNESSES, 0)

    def go_on(self, until):
        ill = {}
        while (now := time.monotonic()) < until:
            for origin in [origin for origin, end in ill.items() if end <= now]:
                origin.be("serve")
                del ill[origin]
            well = [origin for origin in self.origins if origin not in ill]
            if len(ill) < ILL_MAX:
                illness = self.random.choice(ILLNESSES)
                origin = self.random.choice(well)
                origin.be(illness)
                self.counts[illness] += 1
                ill[origin] = now + self.random.uniform(*ILL_SECONDS)
            time.sleep(self.random.uniform(0.05, 0.3))
        for origin in ill:
            origin.be("serve")


class Gateway:
    def __init__(self, program, yaml, folder, workers):
        path = pathlib.Path(folder) / "chaos.yaml"
        path.write_text(yaml)
        self.port, admin = free_ports(2)
        self.log = open(pathlib.Path(folder) / "access.log", "w")
        command = [program, "run", "-c", str(path), "--workers", str(workers), "--port-map", f"80={self.port}"]
        command += ["--admin", f"127.0.0.1:{admin}", "--status", "off"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.PIPE, text=True)
        self.metrics_url = f"http://127.0.0.1:{admin}/stats/prometheus"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit("the gateway did not start:\n" + self.process.stderr.read())
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def metric(self, pattern):
        with urllib.request.urlopen(self.metrics_url, timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(pattern, line))

    def quiet_descriptors(self, at_most):
        """Waits until pooled connections have been closed, which they are after two seconds."""
        end = time.monotonic() + 15
        while (count := descriptors(self.process.pid)) > at_most and time.monotonic() < end:
            time.sleep(0.2)
        return count


def breaker(gateway, narrow, results):
    """Opens the circuit breaker and lets it close again."""
    url = f"http://127.0.0.1:{gateway.port}/narrow"
    narrow.be("hang")
    seen = statuses(url, 32)
    counts = {status: seen.count(status) for status in sorted(set(seen))}
    holds = seen.count(503) == 24 and seen.count(504) == 8
    results.check("the breaker opens: four requests sent, four waiting, the others 503", holds, counts)
    narrow.be("serve")
    seen = [status_of(url) for _ in range(50)]
    results.check("it closes", seen == [200] * 50, f"{seen.count(200)} of 50 answered")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gateway")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    missing = [tool for tool in ("wrk", "h2load") if shutil.which(tool) is None]
    if missing:
        print(f"skipped: no {' and no '.join(missing)}")
        print("0 passed, 0 failed")
        return 0
    print(f"seed {arguments.seed}", flush=True)
    results = Checks()
    origins = [Origin(f"origin-{n}", port) for n, port in enumerate(free_ports(ORIGINS))]
    narrow = Origin("narrow", free_ports(1)[0])
    endpoints = "\n".join(f"  - {{address: 127.0.0.1, ports: {{http: {origin.port}}}}}" for origin in origins)
    yaml = CONFIGURATION.format(endpoints=endpoints, narrow=narrow.port, left_out=LEFT_OUT_PERCENT)
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(arguments.gateway, yaml, folder, arguments.workers)
        try:
            play(gateway, origins, narrow, arguments, results)
        finally:
            gateway.process.send_signal(signal.SIGTERM)
            status = gateway.process.wait(30)
            for origin in [*origins, narrow]:
                origin.end()
        results.check("it ends well", status == 0, f"exit {status}")
        if results.failed:
            tell_errors(pathlib.Path(folder) / "access.log")
    print(results.summary())
    return 1 if results.failed else 0


def tell_errors(log):
    """What the gateway says of requests that no policy has hidden."""
    with open(log) as lines:
        of_app = (line for line in lines if "|app.chaos" in line and '" 200 ' not in line)
        for _, line in zip(range(10), of_app):
            print(line, end="")


def play(gateway, origins, narrow, arguments, results):
    pid = gateway.process.pid
    # What it is like when it has worked for a while and nothing was wrong.
    at_rest = descriptors(pid)
    began = loads(gateway.port)
    time.sleep(min(5.0, arguments.seconds / 4))
    for load in began.values():
        load.end()
    gateway.quiet_descriptors(at_rest)
    before = (descriptors(pid), resident_kib(pid))
    breaker(gateway, narrow, results)

    running = loads(gateway.port)
    trouble = Trouble(origins, arguments.seed)
    trouble.go_on(time.monotonic() + arguments.seconds)
    for name, load in running.items():
        load.end()
        seen = f"{load.requests} requests, {load.errors[:3] or 'no error'}"
        results.check(f"{name} sees no error", not load.errors and load.requests > 0, seen)
    print(f"made ill: {', '.join(f'{what} {count}' for what, count in trouble.counts.items())}")
    retries = gateway.metric(r"envoy_cluster_upstream_rq_retry\b")
    results.check("retries were made", retries > 0, f"{retries:.0f}")
    ejections = gateway.metric(r"\w*outlier_detection_ejections\w*total\w*\b")
    results.check("endpoints were left out", ejections > 0, f"{ejections:.0f}")
    breaker(gateway, narrow, results)

    count = gateway.quiet_descriptors(before[0])
    results.check("descriptors are back", count <= before[0], f"{before[0]} before, {count} after")
    resident = resident_kib(pid)
    seen = f"{before[1]} KiB before, {resident} KiB after"
    results.check("memory is back", resident <= before[1] * 1.25 + 8192, seen)


if __name__ == "__main__":
    sys.exit(main())
