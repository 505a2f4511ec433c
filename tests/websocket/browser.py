#!/usr/bin/env python3
"""A real browser (Chromium, without a window) loads a page over HTTP/2 through a gateway and opens WebSockets on it.

usage: browser.py SECURE SERVER

The gateway's port SECURE is TLS, with a certificate for `web.test`, and leads to the port SERVER, where this program
listens. Prints `opened: PATH ...` for the WebSockets that the browser has opened. Needs chromium and websockets.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

from chromium import Browser
from echo import Echo
from results import Results, equal

SECURE, SERVER = map(int, sys.argv[1:])
ORIGIN = f"https://web.test:{SECURE}"
SHARED = """
const once = (target, ...names) => new Promise((done) => names.forEach((name) =>
    target.addEventListener(name, (event) => done(event), {once: true})));
const open = async (path, ...more) => {
    const socket = new WebSocket(`wss://${location.host}${path}`, ...more);
    socket.binaryType = 'arraybuffer';
    const event = await once(socket, 'open', 'error', 'close');
    return event.type === 'open' ? socket : null;
};
const echo = async (socket, data) => {
    const answer = once(socket, 'message', 'close');
    socket.send(data);
    return (await answer).data;
};
"""


class Page(Browser):
    """One whose scripts have the functions of SHARED."""

    def run(self, script):
        return super().run(f"{SHARED} {script}")


def page_by_http2(browser):
    browser.visit(f"{ORIGIN}/")
    equal(browser.run("return location.href"), f"{ORIGIN}/")
    equal(browser.run("return performance.getEntriesByType('navigation')[0].nextHopProtocol"), "h2")
    equal(browser.run("return document.querySelector('p').textContent"), "a page")


def echo(browser):
    script = """
        const socket = await open('/ws');
        if (!socket) return 'not opened';
        const got = [];
        for (const text of ['first', '', '☺', 'x'.repeat(300000)]) got.push(await echo(socket, text) === text);
        const data = crypto.getRandomValues(new Uint8Array(60000));
        const back = new Uint8Array(await echo(socket, data));
        got.push(back.length === data.length && back.every((byte, at) => byte === data[at]));
        const closed = once(socket, 'close');
        socket.close(4321, 'enough');
        const event = await closed;
        return [got, event.code, event.reason, event.wasClean];
    """
    equal(browser.run(script), [[True] * 5, 4321, "enough", True])
    equal(SERVING.wait_closed("/ws"), (4321, "enough"))


def several_and_requests(browser):
    script = """
        const sockets = await Promise.all([...Array(6).keys()].map((number) => open(`/many/${number}`)));
        if (!sockets.every(Boolean)) return 'not opened';
        const answers = sockets.map((socket, number) => echo(socket, `socket ${number}`));
        const pages = [...Array(6).keys()].map(async (number) => (await fetch(`/page/${number}`)).text());
        const result = [await Promise.all(answers), (await Promise.all(pages)).every((page) => page.includes('a page'))];
        sockets.forEach((socket) => socket.close());
        await Promise.all(sockets.map((socket) => once(socket, 'close')));
        return result;
    """
    equal(browser.run(script), [[f"socket {number}" for number in range(6)], True])


def subprotocols(browser):
    equal(browser.run("return (await open('/sub', ['none', 'chat']))?.protocol"), "chat")


def the_server_closes(browser):
    script = """
        const socket = new WebSocket(`wss://${location.host}/close`);
        const event = await once(socket, 'close');
        return [event.code, event.reason, event.wasClean];
    """
    equal(browser.run(script), [4001, "goodbye", True])


def the_server_dies(browser):
    script = """
        const socket = await open('/die');
        const closed = once(socket, 'close');
        const last = await echo(socket, 'the last words');
        const event = await closed;
        return [last, event.code, event.wasClean];
    """
    equal(browser.run(script), ["the last words", 1006, False])


def refused(browser):
    equal(browser.run("return await open('/no')"), None)
    equal(browser.run("return (await (await fetch('/')).text()).includes('a page')"), True)


def the_page_leaves(browser):
    equal(browser.run("return await echo(await open('/leave'), 'x')"), "x")
    browser.visit(f"{ORIGIN}/next")
    # A browser may say goodbye first, or not.
    code, _ = SERVING.wait_closed("/leave")
    assert code in (1001, 1005, 1006), code


CASES = [page_by_http2, echo, several_and_requests, subprotocols, the_server_closes, the_server_dies, refused, the_page_leaves]
# What the cases open, without the one that is refused.
OPENED = ["/ws", *(f"/many/{number}" for number in range(6)), "/sub", "/close", "/die", "/leave"]


def main():
    global SERVING
    SERVING, results = Echo(SERVER), Results()
    with Page({"web.test": "127.0.0.1"}) as browser:
        for function in CASES:
            results.case(function.__name__, function, browser)
    print("opened:", *OPENED)
    results.end()


main()
