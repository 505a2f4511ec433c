"""Cases one after another, and what became of each."""
import os
import sys
import threading
import traceback

# A case that waits in vain still leaves time to say so.
PATIENCE = 20.0


class Results:
    """Prints a line for each case, and `N passed, M failed` at the end."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def case(self, name, function, *arguments):
        try:
            function(*arguments)
        except Exception:
            self.failed += 1
            print(f"{name}: FAILED\n{traceback.format_exc()}", flush=True)
        else:
            self.passed += 1
            print(f"{name}: passed", flush=True)

    def summary(self):
        return f"{self.passed} passed, {self.failed} failed"

    def end(self):
        """Ends the program, with what still runs in other threads: a case that failed may have left it there."""
        print(self.summary(), flush=True)
        os._exit(1 if self.failed else 0)


class Seen:
    """What one thread is told by another, by name."""

    def __init__(self):
        self.events, self.lock = {}, threading.Lock()

    def event(self, name):
        with self.lock:
            return self.events.setdefault(name, threading.Event())

    def tell(self, name):
        self.event(name).set()

    def has(self, name):
        return self.event(name).is_set()

    def wait(self, name):
        assert self.event(name).wait(PATIENCE), f"never seen: {name}"


def equal(found, expected, what=""):
    """Fails and shows both, in short."""
    if found != expected:
        raise AssertionError(f"{what}: found {short(found)}, expected {short(expected)}".lstrip(": "))


def short(value):
    text = repr(value)
    return text if len(text) < 400 else f"{text[:200]} ... {text[-100:]} ({len(text)} characters)"


def say(text):
    print(text, file=sys.stderr, flush=True)
