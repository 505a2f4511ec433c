"""A real browser (Chromium, without a window) with a profile of its own and one page, driven by its remote control.

Needs chromium and websockets.
"""
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time

from websockets.sync.client import connect

from results import PATIENCE

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-extensions --disable-default-apps --disable-dev-shm-usage
    --ignore-certificate-errors --disable-features=BackForwardCache --remote-debugging-port=0 --no-proxy-server""".split()
# What is looked at several times is not looked at without a pause.
PAUSE = 0.05


class Browser:
    """Use it in a `with`. Names are looked for nowhere but in `hosts`, which maps them to addresses."""

    def __init__(self, hosts=None):
        rules = [f"MAP {name} {address}" for name, address in (hosts or {}).items()]
        rules += ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
        self.flags = [*FLAGS, f"--host-resolver-rules={', '.join(rules)}"]
        # What the page has said and asked for, as the remote control tells it.
        self.events = []

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        # It ends with this program, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", program, *self.flags, f"--user-data-dir={self.profile.name}", "about:blank"]
        environment = {**os.environ, "HOME": self.profile.name}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith("DevTools listening on "):
                break
        else:
            raise AssertionError(f"it does not start: {''.join(said)}")
        self.closing = contextlib.ExitStack()
        # Nobody is to wait for the rest of what it says, and it for nobody.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        options = {"max_size": None, "proxy": None, "open_timeout": PATIENCE, "ping_interval": None}
        self.control = self.closing.enter_context(connect(line.split()[-1], **options))
        self.number, self.session = 0, None
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.command("Page.enable")
        self.command("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(self, *_):
        self.closing.close()
        self.process.kill()
        self.process.wait()
        self.profile.cleanup()

    def command(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.control.send(json.dumps(message))
        while (answer := self.hear()).get("id") != self.number:
            pass
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def hear(self):
        """The next thing that it says; events are kept."""
        said = json.loads(self.control.recv(timeout=PATIENCE))
        if "id" not in said:
            self.events.append(said)
        return said

    def visit(self, url):
        seen = len(self.events)
        result = self.command("Page.navigate", url=url)
        assert "errorText" not in result, result
        # The answer may come while the page before is still there: scripts would run on that one.
        wanted = {"name": "load", "loaderId": result["loaderId"]}

        def is_loaded(event):
            return event.get("method") == "Page.lifecycleEvent" and wanted.items() <= event["params"].items()

        while not any(map(is_loaded, self.events[seen:])):
            self.hear()

    def run(self, script):
        """What an asynchronous function with this body returns, on the page."""
        expression = f"(async () => {{ {script} }})()"
        result = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression, what, meanwhile=lambda: None):
        """Waits until an expression is true on the page; returns its value. `meanwhile` is done between two looks."""
        end = time.monotonic() + PATIENCE
        while True:
            value = self.run(f"return {expression}")
            if value:
                return value
            assert time.monotonic() < end, f"never so: {what}; last: {value!r}"
            meanwhile()
            time.sleep(PAUSE)

    def becomes(self, script, wanted):
        """Waits until a function with this body returns this on the page."""
        end = time.monotonic() + PATIENCE
        while (found := self.run(script)) != wanted:
            assert time.monotonic() < end, f"still {found!r}, not {wanted!r}"
            time.sleep(PAUSE)

    def press(self, key, code=None):
        """A key, as a person presses it. `code` is that of a key that writes no letter."""
        text = {"text": "\r"} if key == "Enter" else {} if code else {"text": key}
        more = {"windowsVirtualKeyCode": code} if code else {}
        self.command("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **more)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    def screenshot(self, path):
        """All of the page, as a PNG."""
        self.run("scrollTo(0, 0)")
        image = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(image))
