#!/usr/bin/env python3
"""Every dependency must offer a permissive licence. Reads `cargo metadata` from stdin."""
import hashlib
import json
import pathlib
import re
import sys

ALLOWED = {
    "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "Unlicense",
    "CC0-1.0", "Unicode-3.0", "BSL-1.0", "Apache-2.0 WITH LLVM-exception",
}

# Licences stated as a file alone, read by a person: SHA-256 of the text.
READ = {
    # MIT; the parts after LetsBeRational under its own notice: any use, the notice kept.
    "implied-vol": "78be2e81200c02372a841027e71a117b377e42318f801e3f60c1cd1b6a87b1db",
}


def was_read(package: dict) -> bool:
    if not package.get("license_file") or package["name"] not in READ:
        return False
    text = pathlib.Path(package["manifest_path"]).parent / package["license_file"]
    return hashlib.sha256(text.read_bytes()).hexdigest() == READ[package["name"]]


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
    if not permits(p.get("license") or "") and not was_read(p)
]
print(f"licences: {len(packages)} packages, {len(bad)} not permissive")
for line in bad:
    print(" ", line)
sys.exit(1 if bad else 0)
