#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""results.jsonl of gpu_report.sh as a table, of the side "stamp" or another that is named: our time, PyTorch's best,
their ratio, and our share of what the machine did at best in the same run."""

import json
import sys


def main():
    ours = sys.argv[2] if len(sys.argv) > 2 else "stamp"
    readings = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    ceiling = {r["name"]: r for r in readings if r["kind"] == "ceiling"}
    flops = ceiling.get("square_8192", {}).get("tflops")
    bandwidth = ceiling.get("copy", {}).get("gbytes_per_s")
    if flops:
        print(f"ceilings: {flops:.0f} TFLOP/s bf16 product of 8192, {bandwidth:.0f} GB/s copy")
    theirs = {}
    for r in readings:
        if r["side"].startswith("torch") and "ms" in r:
            name = r["name"].removesuffix("_flash").removesuffix("_cudnn")
            theirs[name] = min(theirs.get(name, r["ms"]), r["ms"])
        elif "failed" in r:
            print(f"{r['side']} {r['name']}: {r['failed']}")
    print(f"{'':<34}{'ours ms':>10}{'torch ms':>10}{'ratio':>7}{'TFLOP/s':>9}{'GB/s':>8}{'of roof':>9}")
    for r in readings:
        if r["side"] != ours or "ms" not in r:
            if r["side"] == ours and r["kind"] == "memory":
                print(f"{r['name']}: {r['count']}")
            if r["side"] == ours and r["kind"] == "compare":
                print(f"{r['name']}: largest difference {r['largest_difference']}, {r['beyond']} beyond tolerance and "
                      f"{r['changed']} changed from run to run of {r['of']}")
            continue
        other = theirs.get(r["name"].removesuffix("_tensor").removesuffix("_tiled").removesuffix("_hopper"))
        share = ""
        if flops and "tflops" in r:
            share = f"{100 * max(r['tflops'] / flops, r['gbytes_per_s'] / bandwidth):.0f} %"
        print(f"{r['kind'] + ' ' + r['name']:<34}{r['ms']:>10.4f}"
              + (f"{other:>10.4f}{other / r['ms']:>7.2f}" if other else " " * 17)
              + (f"{r['tflops']:>9.1f}{r['gbytes_per_s']:>8.0f}" if "tflops" in r else " " * 17) + f"{share:>9}")


if __name__ == "__main__":
    main()
