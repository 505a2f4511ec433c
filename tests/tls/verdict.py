#!/usr/bin/env python3
"""Judges what testssl.sh, sslscan and sslyze have found: prints a line for each finding, and exits with 1 if one of them is
worse than "low", or if a scanner did not get to its end.

usage: verdict.py [--testssl FILE.json] [--sslscan FILE.xml] [--sslyze FILE.json --sslyze-said FILE.txt]
"""
import argparse
import json
import sys
import xml.etree.ElementTree as tree

GOOD = "good"
LOW = "low"
BAD = "BAD"

# testssl.sh's words. WARN and FATAL say that it could not look.
SEVERITIES = {"OK": None, "INFO": None, "LOW": LOW, "MEDIUM": BAD, "HIGH": BAD, "CRITICAL": BAD, "WARN": BAD, "FATAL": BAD}
# It lets openssl leave as soon as the handshake is done, and if that was before a ticket of TLS 1.3 came, it could not look.
HASTY = {("WARN", "sessionresumption_ticket")}


def testssl(path):
    """Whatever it does not call fine."""
    with open(path) as file:
        findings = json.load(file)
    names = {finding["id"] for finding in findings}
    for needed in ("TLS1_2", "TLS1_3", "heartbleed", "cert_chain_of_trust <cert#1>"):
        if needed not in names:
            yield BAD, f"it did not look at {needed}"
    for finding in findings:
        is_hasty = (finding["severity"], finding["id"]) in HASTY
        judged = LOW if is_hasty else SEVERITIES.get(finding["severity"], BAD)
        if judged:
            yield judged, f"{finding['severity']} {finding['id']}: {finding['finding']}"
    fine = sum(finding["severity"] in ("OK", "INFO") for finding in findings)
    yield GOOD, f"{fine} of {len(findings)} findings are OK or INFO"


def sslscan(path):
    """Versions, ciphers and what else it has an opinion on."""
    found = tree.parse(path).getroot().find("ssltest")
    if found is None:
        yield BAD, "it found no server"
        return
    enabled = {f"{p.get('type')} {p.get('version')}" for p in found.iter("protocol") if p.get("enabled") == "1"}
    yield (GOOD if enabled == {"tls 1.2", "tls 1.3"} else BAD), f"versions: {', '.join(sorted(enabled))}"
    ciphers = list(found.iter("cipher"))
    weak = [cipher.get("cipher") for cipher in ciphers if cipher.get("strength") not in ("strong", "acceptable")]
    yield (BAD if weak or not ciphers else GOOD), f"{len(ciphers)} ciphers, weak ones: {', '.join(weak) or 'none'}"
    for what, key, bad in (("renegotiation", "secure", "0"), ("compression", "supported", "1"), ("heartbleed", "vulnerable", "1")):
        for element in found.iter(what):
            offered = element.get("supported", "1") == "1"
            judged = BAD if offered and element.get(key) == bad else GOOD
            yield judged, f"{what}: {element.attrib}"
    for element in found.iter("certificate"):
        expired, own = element.findtext("expired"), element.findtext("self-signed")
        yield (GOOD if (expired, own) == ("false", "false") else BAD), f"certificate: expired {expired}, self-signed {own}"


def sslyze(path, said):
    """What each of its commands answered, and whether Mozilla's "intermediate" configuration is met. Not what it says of
    resumption: it takes a ticket that is renewed with each use for one that is not accepted."""
    with open(path) as file:
        results = json.load(file)["server_scan_results"]
    if not results or results[0]["scan_status"] != "COMPLETED":
        yield BAD, "it did not get to its end"
        return
    scan = results[0]["scan_result"]

    def result(name):
        if scan[name]["status"] != "COMPLETED":
            return None
        return scan[name]["result"]

    def expect(name, holds):
        answer = result(name)
        shown = {key: value for key, value in (answer or {}).items() if isinstance(value, (bool, int, str))}
        return (GOOD if answer is not None and holds(answer) else BAD), f"{name}: {shown or scan[name]['status']}"

    for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"):
        answer = result(f"{version}_cipher_suites")
        count = None if answer is None else len(answer["accepted_cipher_suites"])
        wanted = version in ("tls_1_2", "tls_1_3")
        yield (GOOD if count is not None and (count > 0) == wanted else BAD), f"{version}: {count} cipher suites"
    yield expect("tls_compression", lambda answer: not answer["supports_compression"])
    yield expect("tls_1_3_early_data", lambda answer: not answer["supports_early_data"])
    yield expect("openssl_ccs_injection", lambda answer: not answer["is_vulnerable_to_ccs_injection"])
    yield expect("heartbleed", lambda answer: not answer["is_vulnerable_to_heartbleed"])
    yield expect("robot", lambda answer: answer["robot_result"].startswith("NOT_VULNERABLE"))
    yield expect("tls_fallback_scsv", lambda answer: answer["supports_fallback_scsv"])
    safe = lambda answer: answer["supports_secure_renegotiation"] and not answer["is_vulnerable_to_client_renegotiation_dos"]
    yield expect("session_renegotiation", safe)
    with open(said) as file:
        yield (GOOD if "OK - Compliant" in file.read() else BAD), "Mozilla's intermediate configuration"


def main():
    parser = argparse.ArgumentParser()
    for name in ("testssl", "sslscan", "sslyze", "sslyze-said"):
        parser.add_argument(f"--{name}")
    options = parser.parse_args()
    scanners = [
        ("testssl.sh", testssl, [options.testssl]),
        ("sslscan", sslscan, [options.sslscan]),
        ("sslyze", sslyze, [options.sslyze, options.sslyze_said]),
    ]
    bad = 0
    for name, judge, files in scanners:
        if None in files:
            print(f"{name}: skipped: it is not installed")
            continue
        try:
            judged = list(judge(*files))
        except (OSError, ValueError, KeyError, tree.ParseError) as error:
            judged = [(BAD, f"what it wrote is not understood: {type(error).__name__} {error}")]
        for verdict, finding in judged:
            print(f"{name}: {verdict}: {finding}")
            bad += verdict == BAD
    print("nothing is worse than low" if not bad else f"FAILED: {bad} findings are worse than low")
    sys.exit(1 if bad else 0)


main()
