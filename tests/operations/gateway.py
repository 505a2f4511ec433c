"""A gateway with origins, and changes of its configuration."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "peers"))

from load import free_ports

PATIENCE = 30

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: storm}}
spec:
  servers:
  - port: {{number: 80, name: http, protocol: HTTP}}
    bind: 127.0.0.1
    hosts: ["*"]
  - port: {{number: 443, name: https, protocol: HTTPS}}
    bind: 127.0.0.1
    hosts: ["*"]
    tls: {{mode: SIMPLE, serverCertificate: {folder}/tls.crt, privateKey: {folder}/tls.key}}
  - port: {{number: 9000, name: tcp, protocol: TCP}}
    bind: 127.0.0.1
    hosts: ["*"]
{more}---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: app}}
spec:
  hosts: [app.storm]
  ports: [{{number: 80, name: http, protocol: HTTP}}, {{number: 81, name: tcp, protocol: TCP}}]
  resolution: STATIC
  endpoints:
{endpoints}"""

ANOTHER_LISTENER = """  - port: {number: 81, name: more, protocol: HTTP}
    bind: 127.0.0.1
    hosts: ["*"]
"""

ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: storm}}
spec:
  hosts: ["*"]
  gateways: [storm]
  http:
  - match: [{{uri: {{exact: /version}}}}]
    directResponse: {{status: 200, body: {{string: "{version}"}}}}
{more}  - route: [{{destination: {{host: app.storm, port: {{number: 80}}}}}}]
    timeout: 120s
  tcp:
  - match: [{{port: 9000}}]
    route: [{{destination: {{host: app.storm, port: {{number: 81}}}}}}]
"""

ANOTHER_ROUTE = """  - match: [{{uri: {{prefix: /only-in-{version}}}}}]
    redirect: {{uri: /}}
"""


def write(path, text):
    """As careful tools do it: nobody ever sees half of a file."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.rename(path)


class Origin:
    def __init__(self, name):
        self.port = free_ports(1)[0]
        command = [sys.executable, str(HERE / "origin.py"), str(self.port), name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{name} does not listen on port {self.port}")

    def end(self):
        self.process.kill()
        self.process.wait()


class Configuration:
    """The files. Each change gives `/version` another answer, so that it is seen when it holds."""

    def __init__(self, folder, origins):
        self.folder, self.origins, self.version = pathlib.Path(folder), origins, 0
        self.directory = self.folder / "conf.d"
        self.directory.mkdir()
        for number in range(2):
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
            command += ["-subj", f"/CN=web{number}.test", "-keyout", f"{self.folder}/{number}.key", "-out", f"{self.folder}/{number}.crt"]
            subprocess.run(command, check=True, capture_output=True)
        self.more_routes = self.more_listeners = ""
        self.endpoints, self.certificate = 2, 0
        self.write()

    def write(self):
        for kind in ("crt", "key"):
            text = (self.folder / f"{self.certificate}.{kind}").read_text()
            path = self.folder / f"tls.{kind}"
            if not path.exists() or path.read_text() != text:
                write(path, text)
        used = self.origins[: self.endpoints]
        endpoints = "".join(f"  - {{address: 127.0.0.1, ports: {{http: {o.port}, tcp: {o.port}}}}}\n" for o in used)
        text = GATEWAY.format(folder=self.folder, more=self.more_listeners, endpoints=endpoints)
        write(self.directory / "gateway.yaml", text)
        write(self.directory / "routes.yaml", ROUTES.format(version=self.version, more=self.more_routes))

    def change(self):
        """The next change; returns what it is."""
        self.version += 1
        kind = ["route", "cluster", "certificate", "listener"][self.version % 4]
        if kind == "route":
            self.more_routes = "" if self.more_routes else ANOTHER_ROUTE.format(version=self.version)
        elif kind == "cluster":
            self.endpoints = 5 - self.endpoints
        elif kind == "certificate":
            self.certificate = 1 - self.certificate
        else:
            self.more_listeners = "" if self.more_listeners else ANOTHER_LISTENER
        self.write()
        return kind


class Manager:
    """What systemd does for a service: it hears what the service says of itself."""

    def __init__(self, folder):
        self.path = f"{folder}/notify"
        pathlib.Path(self.path).unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard, self.main_pid = [], None
        self.changed = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            said = self.socket.recv(8192).decode()
            with self.changed:
                self.heard.append(said)
                for line in said.splitlines():
                    if line.startswith("MAINPID="):
                        self.main_pid = int(line.removeprefix("MAINPID="))
                self.changed.notify_all()

    def wait_for(self, what, holds):
        with self.changed:
            if not self.changed.wait_for(lambda: holds(self), PATIENCE):
                raise SystemExit(f"the manager was not told: {what}; it heard {self.heard[-5:]}")


class Gateway:
    def __init__(self, program, configuration, more=()):
        self.program, self.folder = program, configuration.folder
        self.manager = Manager(self.folder)
        http, https, tcp, another, self.admin, self.status = free_ports(6)
        self.http, self.https, self.tcp, self.another = http, https, tcp, another
        self.command = [program, "run", "-c", str(configuration.directory), "--workers", "2"]
        self.command += ["--port-map", f"80={http},443={https},9000={tcp},81={another}"]
        self.command += ["--admin", f"127.0.0.1:{self.admin}", "--status", f"127.0.0.1:{self.status}"]
        self.command += ["--access-log", f"{self.folder}/access.log", *more]
        self.said = open(f"{self.folder}/said", "a+")
        self.start()

    def start(self):
        heard = len(self.manager.heard)
        environment = {**os.environ, "NOTIFY_SOCKET": self.manager.path}
        # A group of its own, with the processes that take over from it.
        self.process = subprocess.Popen(self.command, stderr=self.said, env=environment, start_new_session=True)
        self.manager.main_pid = self.process.pid
        self.manager.wait_for("READY=1", lambda m: any("READY=1" in said for said in m.heard[heard:]))

    @property
    def pid(self):
        return self.manager.main_pid

    def signal(self, name):
        os.kill(self.pid, getattr(signal, f"SIG{name}"))

    def say(self, command):
        """A subcommand that talks to the running gateway."""
        done = subprocess.run([self.program, command, "--admin", f"127.0.0.1:{self.admin}"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"sluicegate {command} ended with {done.returncode}: {done.stdout}{done.stderr}{self.last_words()}")

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def version(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/version", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def wait_for_version(self, version):
        end = time.monotonic() + PATIENCE
        while (now := self.version()) != str(version):
            if time.monotonic() > end:
                raise SystemExit(f"version {now} is served, not {version}:\n{self.last_words()}")
            time.sleep(0.005)

    def last_words(self):
        return "".join(pathlib.Path(self.said.name).read_text().splitlines(keepends=True)[-30:])
