#!/usr/bin/env python3
"""Every dependency must offer a permissive licence. Reads `cargo metadata` from stdin."""
import json
import re
import sys

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "Unlicense",
    "CC0-1.0", "Unicode-3.0", "BSL-1.0", "Apache-2.0 WITH LLVM-exception",
}


def permits(expression: str) -> bool:
    """SPDX expression: AND of ORs is all that occurs; '/' is an old way to write OR."""
    expression = expression.replace("/", " OR ")
    parts = re.sub(r"[()]", "", expression)
    return all(
        any(choice.strip() in ALLOWED for choice in clause.split(" OR ")) for clause in parts.split(" AND ")
    )


packages = json.load(sys.stdin)["packages"]
bad = [
    f"{p['name']} {p['version']}: {p.get('license') or 'no licence stated'}"
    for p in packages
    if not permits(p.get("license") or "")
]
print(f"licences: {len(packages)} packages, {len(bad)} not permissive")
for line in bad:
    print(" ", line)
sys.exit(1 if bad else 0)
