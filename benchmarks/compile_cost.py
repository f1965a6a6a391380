#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What including the headers costs: a budget, not a hope.

  * front-end time of <stamp/stamp.hpp>, best of nine: at most 0.6 s, and at most 0.75 of an empty
    unit of <Eigen/Core> on the same machine at the same moment. The ratio decides, for a busy or
    slow machine stretches both; the seconds are printed.
  * nothing of Eigen, oneDNN, CUDA, nlohmann, iostream, regex, ranges or filesystem is under it.
  * examples/segment.cpp at -O2: at most 8 s, and 9 times the Eigen unit. The library stamp::cpu holds the
    models on its engine; the same program on the reference backend, which compiles them itself, may take 18 times.

The time is the processor's, user and system, so that waiting for a core does not count.
"""
import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS, RATIO = 0.6, 0.75  # budget; <Eigen/Core> takes 0.86 s where the budget was set
EXAMPLE_SECONDS = 8.0
EXAMPLE_RATIOS = {"cpu": 9, "reference": 18}  # of <Eigen/Core>, by backend
FORBIDDEN = re.compile(
    r"/eigen3/|/Eigen/|dnnl|/cuda|cuda_runtime|nlohmann|/fmt/|/xtl/|/stb/|pcre2|utf8proc|jpeglib"
    r"|/c\+\+/(v1|[0-9.]+)/(iostream|regex|ranges|filesystem|bits/regex\.h|bits/fs_path\.h)$")


def compile_seconds(compiler, flags, source):
    """Processor seconds of one compilation."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([compiler, "-std=c++20", *flags, source], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"compile_cost: {source} does not compile:\n{result.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def headers_under(compiler, includes, source):
    out = subprocess.run([compiler, "-std=c++20", *includes, "-M", source], capture_output=True,
                         text=True, check=True).stdout
    return out.replace("\\\n", " ").split()[2:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--include", default=str(ROOT / "build/include"), help="where <stamp/reference.hpp> is")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    includes = ["-I", str(ROOT / "include"), "-I", options.include, "-isystem", "/usr/include/eigen3",
                "-isystem", "/usr/include/stb", "-DSTAMP_HAS_LIBJPEG"]
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        stamp = os.path.join(folder, "stamp.cpp")
        eigen = os.path.join(folder, "eigen.cpp")
        pathlib.Path(stamp).write_text("#include <stamp/stamp.hpp>\n")
        pathlib.Path(eigen).write_text("#include <Eigen/Core>\n")

        found = [h for h in headers_under(options.compiler, includes, stamp) if FORBIDDEN.search(h)]
        if found:
            problems.append("under <stamp/stamp.hpp> stands " + ", ".join(sorted(found)[:5]))

        front = ["-fsyntax-only", *includes]
        pairs = [(compile_seconds(options.compiler, front, stamp), compile_seconds(options.compiler, front, eigen))
                 for _ in range(options.rounds)]  # in turns, so that both meet the same weather
        ours, theirs = min(p[0] for p in pairs), min(p[1] for p in pairs)
        ratio = ours / theirs
        print(f"<stamp/stamp.hpp>  {ours:.2f} s  (budget {SECONDS} s{', MISSED' if ours > SECONDS else ''})   <Eigen/Core> {theirs:.2f} s   "
              f"ratio {ratio:.2f} (limit {RATIO})")
        if ratio > RATIO:
            problems.append(f"<stamp/stamp.hpp> takes {ratio:.2f} of <Eigen/Core>, limit {RATIO}")

        text = (ROOT / "examples/segment.cpp").read_text()
        flags = ["-O2", "-c", "-o", "/dev/null", *includes]
        for backend, limit in EXAMPLE_RATIOS.items():
            example = os.path.join(folder, f"segment_{backend}.cpp")
            pathlib.Path(example).write_text(
                text.replace("stamp/cpu.hpp", f"stamp/{backend}.hpp").replace("stamp::cpu", f"stamp::{backend}"))
            # Twice, each beside an <Eigen/Core> of its own: what passes the limit passes it both times.
            tries = [(compile_seconds(options.compiler, flags, example),
                      compile_seconds(options.compiler, front, eigen)) for _ in range(2)]
            seconds, theirs = min(tries, key=lambda pair: pair[0] / pair[1])
            missed = ", MISSED" if backend == "cpu" and seconds > EXAMPLE_SECONDS else ""
            print(f"examples/segment.cpp on {backend}, -O2  {seconds:.2f} s  (goal of the example {EXAMPLE_SECONDS} s{missed})   "
                  f"ratio {seconds / theirs:.1f} (limit {limit})")
            if seconds / theirs > limit:
                problems.append(f"examples/segment.cpp on {backend} takes {seconds:.1f} s, {seconds / theirs:.1f} times "
                                f"<Eigen/Core>, limit {limit}")
    for problem in problems:
        print("compile_cost: " + problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
