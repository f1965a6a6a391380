#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many tests were skipped, and why: a line a reason, from the JUnit file that ctest writes.
usage: skipped.py FILE"""
import collections
import re
import sys
import xml.etree.ElementTree

reasons = collections.Counter()
for test in xml.etree.ElementTree.parse(sys.argv[1]).iter("testcase"):
    skipped = test.find("skipped")
    # A program that is missing is "skipped", too, but fails.
    if skipped is None or not skipped.get("message", "").startswith("SKIP_"):
        continue
    output = test.findtext("system-out") or ""
    # A test of GoogleTest says why below the line of its place, a script in its last line.
    said = re.findall(r"\.[a-z]+:\d+: Skipped\n(.+)", output) or output.strip().splitlines()[-1:]
    reasons[said[0].removeprefix("SKIPPED:").strip() if said else "no reason given"] += 1
for reason, count in sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])):
    print(f"{count} {'test' if count == 1 else 'tests'} skipped: {reason}")
