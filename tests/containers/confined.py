#!/usr/bin/python3
"""Runs a program under a seccomp profile of containers, as their runtimes do.

    confined.py PROFILE.json PROGRAM [ARGUMENT...]

A call that the profile does not have fails with its `defaultErrnoRet`. Ends with 77 and the reason where the library is
missing. `--trap` before the profile ends the program at the first such call instead.
"""

import json
import os
import sys

try:
    import seccomp
except ImportError as error:
    print(f"skipped: seccomp profiles: {error} (Debian: python3-seccomp)", file=sys.stderr)
    sys.exit(77)


def main(arguments):
    trap = arguments[0] == "--trap"
    if trap:
        arguments = arguments[1:]
    with open(arguments[0], encoding="utf-8") as file:
        profile = json.load(file)
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    rest = seccomp.KILL_PROCESS if trap else seccomp.ERRNO(profile["defaultErrnoRet"])
    confined = seccomp.SyscallFilter(defaction=rest)
    for group in profile["syscalls"]:
        assert group["action"] == "SCMP_ACT_ALLOW", group
        for name in group["names"]:
            try:
                confined.add_rule(seccomp.ALLOW, name)
            except (RuntimeError, ValueError):
                # Runtimes leave out what the architecture, or the library, does not know.
                print(f"not known here: {name}", file=sys.stderr)
    confined.load()
    os.execv(arguments[1], arguments[1:])


main(sys.argv[1:])
