#!/usr/bin/env python3
"""Instructions per event of the hot paths, against the limits in instructions.json.

    python3 .ci/instructions.py target/release/hot [--update]

Each path runs under `valgrind --tool=callgrind` with two counts; the difference divided by that of the
counts leaves set-up out. Exits 1 when a path costs more than its limit; says so, without failing, when
it costs less than eight tenths (the limit is then loose: lower it). Prints "skipped" where there is no
valgrind.
"""
import json, os, re, shutil, subprocess, sys, tempfile

LIMITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.json")
# path: (smaller count, larger count, what is taken off, events per count)
RUNS = {
    "loop, per quote": ("loop", "quotes", 1),
    "order round trip, per order": ("dense", "loop", 20),
    "journal encode and hash, per quote": ("encode", "quotes", 1),
    "journal decode and check, per quote": ("decode", None, 1),
    "Black-Scholes-Merton price, per option": ("price", None, 1),
}
COUNTS = (40960, 163840)


def instructions(binary, path, count):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind")
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary, path, str(count)],
            capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{binary} {path} {count} failed under valgrind:\n{run.stderr}")
        return int(re.search(r"^summary: (\d+)", open(out).read(), re.M).group(1))


def main():
    if shutil.which("valgrind") is None:
        print("skipped: instruction counts need valgrind")
        return 0
    binary, update = sys.argv[1], "--update" in sys.argv
    paths = sorted({path for run in RUNS.values() for path in run[:2] if path})
    slope = {}
    for path in paths:
        low, high = (instructions(binary, path, count) for count in COUNTS)
        slope[path] = (high - low) / (COUNTS[1] - COUNTS[0])
    found = {name: (slope[path] - slope.get(off, 0.0)) * per for name, (path, off, per) in RUNS.items()}
    if update:
        json.dump({name: round(cost * 1.05) for name, cost in found.items()}, open(LIMITS, "w"), indent=2)
        open(LIMITS, "a").write("\n")
    limits, bad = json.load(open(LIMITS)), False
    for name, cost in found.items():
        verdict = "ok" if cost <= limits[name] else "TOO MANY"
        if cost < 0.8 * limits[name]:
            verdict = "limit is loose: lower it"
        bad |= verdict == "TOO MANY"
        print(f"{name:<42} {cost:9.1f} instructions, limit {limits[name]:>6}  {verdict}")
    return 1 if bad else 0


sys.exit(main())
