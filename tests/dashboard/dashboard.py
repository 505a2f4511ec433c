#!/usr/bin/env python3
"""A real browser (Chromium, without a window) has the dashboard of a gateway before it while things happen to the gateway.

usage: dashboard.py ADMIN PORT GOOD BAD PID CONFIGURATION

The gateway with this process and this file has its admin pages on the port ADMIN, and leads what comes to PORT to GOOD and
BAD, where this program listens; see the test for its routes. It is killed and started again in the end, and then ended.
With SLUICEGATE_SCREENSHOTS in the environment, pictures are put into that folder. Needs chromium and websockets.
"""
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peers"))

from chromium import Browser
from results import PATIENCE, Results, equal

ADMIN, PORT, GOOD, BAD, PID = map(int, sys.argv[1:6])
CONFIGURATION = sys.argv[6]
PAGE = f"http://127.0.0.1:{ADMIN}/"
EVIL = "<img src=x onerror=\"window.caught='route'\">"
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
DESK = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
ENTER, ESCAPE, TAB = 13, 27, 9
# WCAG 2.2, success criterion 1.4.3.
CONTRAST_MIN = 4.5

# The text of an element.
TEXT = "(document.querySelector(%r)?.textContent ?? '')"
# Text that is harder to read than it may be: its contrast with what is behind it.
PALE = """
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = numbers(color).slice(0, 3).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if ((numbers(color)[3] ?? 1) > 0.99) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const pale = [];
    for (const element of document.querySelectorAll('body *')) {
        const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!hasText || !element.checkVisibility() || element.closest('svg, datalist, noscript, script, style')) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < CONTRAST_MIN) pale.push(`${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}: ${contrast.toFixed(2)}`);
    }
    return pale;
""".replace("CONTRAST_MIN", str(CONTRAST_MIN))
# What sticks out to the right, but for what is scrolled by itself.
WIDE = """
    const isScrolled = (element) => {
        for (let at = element.parentElement; at; at = at.parentElement) if (getComputedStyle(at).overflowX !== 'visible') return true;
        return false;
    };
    const wide = [...document.querySelectorAll('main *, header *, footer *')].filter((element) =>
        element.checkVisibility() && !isScrolled(element) && element.getBoundingClientRect().right > innerWidth + 0.5);
    return [document.documentElement.scrollWidth, wide.map((element) => `${element.tagName} ${element.id} ${element.className}`)];
"""


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(self.server.status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, *_):
        pass


def serve(port, status):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Origin)
    server.daemon_threads = True
    server.status = status
    threading.Thread(target=server.serve_forever, daemon=True).start()


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def ask(path, times=1):
    """The statuses of requests through the gateway."""
    return [get(PORT, path, host="shop.test")[0].status for _ in range(times)]


def text(selector):
    return TEXT % selector


def screenshot(browser, name):
    folder = os.environ.get("SLUICEGATE_SCREENSHOTS")
    if folder:
        browser.screenshot(os.path.join(folder, f"{name}.png"))


def colours(browser, scheme):
    browser.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


def programs_get_text(_):
    answer, body = get(ADMIN, "/", accept="*/*")
    assert answer.getheader("content-type").startswith("text/plain") and "/api/overview" in body, body
    answer, body = get(ADMIN, "/", accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.getheader("content-type") == "text/html; charset=utf-8" and "<h1>sluicegate</h1>" in body
    policy = answer.getheader("content-security-policy")
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy, policy
    overview = json.loads(get(ADMIN, "/api/overview?history=1")[1])
    assert overview["schema"] == 1 and len(overview["workers"]) == 2 and overview["history"]["at"], overview


def loads(browser):
    for domain in ("Runtime", "Log", "Network"):
        browser.command(f"{domain}.enable")
    browser.command("Emulation.setDeviceMetricsOverride", **DESK)
    colours(browser, "light")
    browser.visit(PAGE)
    browser.until("document.title === 'sluicegate: ready'", "ready")
    equal(browser.run(f"return {text('#state-word')}"), "Ready")
    browser.until(f"/generation 1: 1 listener, \\d+ routes/.test({text('#configuration-note')})", "what is served")


def numbers_move(browser):
    equal(set(ask("/shop", 40)), {200})
    browser.until(f"{text('#tiles .tile p')}.startsWith('40 since')", "forty requests")
    browser.until(f"[...document.querySelectorAll('#routes-table .name b')].some((name) => name.textContent === 'shop')", "their route")
    equal(set(ask("/shop", 40)), {200})
    # It is that of the last two seconds.
    browser.until(f"parseFloat({text('#tiles .tile b')}) > 0", "a rate", lambda: equal(ask("/shop"), [200]))
    browser.until("document.querySelector('#chart .line').getAttribute('d').length > 10", "a line")
    # The latency of a route that has just been used is one of now.
    row = "[...document.querySelectorAll('#routes-table tbody tr')].find((row) => row.querySelector('b').textContent === 'shop')"
    browser.until(f"/^[\\d.]+ m?s$/.test({row}.lastElementChild.textContent)", "its p99")


def errors_have_a_meaning(browser):
    equal(set(ask("/nothing", 3)), {404})
    browser.until(f"{text('#flags-list')}.includes('NRNo route: no rule fits')", "NR")


def endpoints_that_are_put_out(browser):
    for _ in range(20):
        ask("/moody")
    browser.until(f"{text('#clusters-list summary .name span')}.startsWith('1 endpoint not used: 127.0.0.1:{BAD} is put out')", "it is put out")
    equal(browser.run(f"return {text('#clusters-list .chip')}"), "1 of 2 good")
    browser.run("document.querySelector('#clusters-list summary').focus()")
    browser.press("Enter", ENTER)
    browser.until(f"/^127.0.0.1:{BAD}1is put out \\(.+\\), back in [45] min/.test({text('#clusters-list tbody tr')})", "why, and until when")


def names_are_text(browser):
    equal(set(ask("/evil", 5)), {200})
    browser.until(f"{text('#routes-table')}.includes({EVIL!r})", "a route with an odd name")
    equal(browser.run("return [document.querySelectorAll('img').length, window.caught ?? null]"), [0, None])


def keys(browser):
    browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    browser.press("/")
    equal(browser.run("return document.activeElement.id"), "routes-search")
    for key in "SHO":
        browser.press(key)
    browser.until("[...document.querySelectorAll('#routes-table tbody b')].map((name) => name.textContent).join() === 'shop'", "only what was asked for")
    browser.run("document.activeElement.value = ''; document.activeElement.dispatchEvent(new Event('input'))")
    browser.press("Escape", ESCAPE)
    browser.until("document.querySelectorAll('#routes-table tbody tr').length === 4", "all routes again")
    equal(browser.run("return document.activeElement === document.body"), True)
    # Whoever tabs can go past the top, sort, and see where he is.
    browser.run("const button = document.querySelector('#routes-table th button'); button.focus()")
    browser.press("Enter", ENTER)
    browser.until("document.querySelector('#routes-table th').getAttribute('aria-sort') === 'ascending'", "sorted by name")
    names = browser.run("return [...document.querySelectorAll('#routes-table tbody b')].map((name) => name.textContent)")
    equal(names, sorted(names, key=str.lower))
    browser.run("document.activeElement.blur()")
    browser.press("p")
    equal(browser.run(f"return [{text('#pause')}, {text('#live')}]"), ["Resume", "paused"])
    browser.press("p")
    equal(browser.run(f"return {text('#pause')}"), "Pause")
    without_name = """return [...document.querySelectorAll('a, button, input, textarea')].filter((element) =>
        !(element.textContent.trim() || element.getAttribute('aria-label') || element.labels?.length)).map((element) => element.outerHTML)"""
    equal(browser.run(without_name), [])


def explains(browser):
    browser.run("document.activeElement.blur()")
    browser.press("e")
    for key in f"http://shop.test:{PORT}/shop?a=<b>":
        browser.press(key)
    browser.press("Enter", ENTER)
    story = browser.until("!document.querySelector('#story').hidden && document.querySelector('#story').textContent", "a story")
    assert "route" in story and "outbound|80||good.test" in story, story
    browser.run("document.querySelector('#explain-url').value = 'nonsense://'; document.querySelector('#explain-form').requestSubmit()")
    browser.until("document.querySelector('#story').dataset.level === 'bad'", "what is wrong with the question")


def readable_in_any_light(browser):
    backs = []
    for scheme in ("light", "dark"):
        colours(browser, scheme)
        backs.append(browser.run("return getComputedStyle(document.documentElement).backgroundColor"))
        equal(browser.run(PALE), [], scheme)
        screenshot(browser, f"desk-{scheme}")
    assert backs[0] != backs[1], backs
    # What is chosen on the page holds whatever the system has, and also the next time.
    browser.run("while (document.querySelector('#theme').textContent !== 'Light') document.querySelector('#theme').click()")
    equal(browser.run("return getComputedStyle(document.documentElement).backgroundColor"), backs[0])
    browser.visit(PAGE)
    equal(browser.run("return getComputedStyle(document.documentElement).backgroundColor"), backs[0])
    browser.run("while (document.querySelector('#theme').textContent !== 'Auto') document.querySelector('#theme').click()")
    equal(browser.run("return getComputedStyle(document.documentElement).backgroundColor"), backs[1])
    # Who comes late sees what was before.
    browser.until("document.querySelector('#chart .line').getAttribute('d').split('L').length > 4", "the last minutes")


def phone(browser):
    browser.command("Emulation.setDeviceMetricsOverride", **PHONE)
    browser.until("document.querySelectorAll('#routes-table tbody tr').length > 2 && Boolean(document.querySelector('#clusters-list summary'))", "the page")
    browser.run("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    # The page, and then the chart in it, hear of the new width by and by.
    browser.becomes(WIDE, [390, []])
    screenshot(browser, "phone-dark")
    colours(browser, "light")
    screenshot(browser, "phone-light")
    browser.command("Emulation.setDeviceMetricsOverride", **DESK)


def reload_with(content):
    with open(f"{CONFIGURATION}.new", "w") as file:
        file.write(content)
    # The gateway notices by itself. If it were told as well, it might load it twice, and count that.
    os.replace(f"{CONFIGURATION}.new", CONFIGURATION)


def broken_reload(browser):
    with open(CONFIGURATION) as file:
        good = file.read()
    bad = "<script>window.caught = 'diagnostic'</script>"
    reload_with(good.replace("name: shop", f"nam: \"{bad}\"", 1))
    browser.until(f"{text('#state-word')} === 'Reload failed'", "the reload has failed")
    said = browser.run(f"return {text('#state-text')}")
    assert "generation 1 of" in said and "is still served" in said, said
    shown = browser.until("document.querySelector('#loads details')?.open && document.querySelector('#loads pre')?.textContent", "a diagnostic")
    # With its place, and without the piece of the file, in which a key might stand.
    assert "unknown field `nam`" in shown and "config.yaml:" in shown and bad not in shown, shown
    equal(browser.run("return window.caught ?? null"), None)
    equal(browser.run(PALE), [])
    screenshot(browser, "reload-failed")
    equal(set(ask("/shop", 2)), {200})
    reload_with(good + "---\n# Once more.\n")
    browser.until(f"{text('#state-word')} === 'Ready' && {text('#state-text')}.startsWith('serving generation 2')", "good again")


def restart(browser):
    """Killed and started again, as it was."""
    def of_process(what):
        with open(f"/proc/{PID}/{what}", "rb") as file:
            return [part.decode() for part in file.read().split(b"\0") if part]

    command, environment = of_process("cmdline"), dict(pair.split("=", 1) for pair in of_process("environ"))
    program, folder = os.readlink(f"/proc/{PID}/exe"), os.readlink(f"/proc/{PID}/cwd")
    os.kill(PID, signal.SIGKILL)
    browser.until(f"{text('#state-word')} === 'Not reachable' && {text('#state-text')}.startsWith('since ')", "it is gone")
    equal(browser.run(f"return [{text('#live')}, document.title]"), ["no answer", "sluicegate: not reachable"])
    again = subprocess.Popen([program, *command[1:]], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        browser.until(f"{text('#state-word')} === 'Ready' && {text('#state-text')}.startsWith('serving generation 1')", "it is there again")
        equal(set(ask("/shop", 7)), {200})
        browser.until(f"{text('#tiles .tile p')}.startsWith('7 since')", "it counts anew")
        drains(browser, again)
    finally:
        again.kill()
        again.wait()


def drains(browser, process):
    # A request that is not whole holds it up.
    held = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    held.putrequest("POST", "/shop", skip_host=True)
    held.putheader("host", "shop.test")
    held.putheader("content-length", "5")
    held.endheaders(b"he")
    browser.until(f"{text('#tiles .tile:nth-child(5) b')} === '1'", "a request in flight")
    process.send_signal(signal.SIGTERM)
    browser.until(f"{text('#state-word')} === 'Draining'", "it drains")
    held.close()
    browser.until(f"{text('#state-word')} === 'Not reachable'", "it has ended")


def nothing_went_wrong(browser):
    """Of all that the browser has told: no script has failed, and nothing was asked of anybody else."""
    said = []
    for event in browser.events:
        method, about = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            said.append(about["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            said.append(about["args"])
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            # While nobody is there, and for the question that made no sense.
            if about["entry"]["source"] != "network":
                said.append(about["entry"])
    equal(said, [])
    asked = {event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"}
    elsewhere = [url for url in asked if not url.startswith((PAGE, "data:"))]
    assert asked and not elsewhere, elsewhere


CASES = [
    programs_get_text, loads, numbers_move, errors_have_a_meaning, endpoints_that_are_put_out, names_are_text, keys, explains,
    readable_in_any_light, phone, broken_reload, restart, nothing_went_wrong,
]


def main():
    serve(GOOD, 200)
    serve(BAD, 503)
    results = Results()
    with Browser() as browser:
        for function in CASES:
            began = time.monotonic()
            results.case(function.__name__, function, browser)
            print(f"    {time.monotonic() - began:.1f} s")
            if results.failed and function is loads:
                # Nothing of what follows could be seen.
                break
    results.end()


main()
