"""Generating a company: customers a second, and memory that does not grow with the company."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from features.company.generate import generate_company

SMALL, LARGE = 20_000, 200_000
MOST_GROWTH = 1.5
"""A company ten times as large may take at most so many times the memory."""


def main() -> int:
    if len(sys.argv) == 2:
        print(json.dumps(_generate(int(sys.argv[1]))))
        return 0
    small, large = _measured(SMALL), _measured(LARGE)
    growth = large["megabytes"] / small["megabytes"]
    for size, run in ((SMALL, small), (LARGE, large)):
        print(
            f"{size:>9,} customers: {run['seconds']:6.1f} s, {size / run['seconds']:7,.0f} a "
            f"second, {run['rows'] / 1e6:6.1f} million rows, {run['megabytes']:5.0f} MB"
        )
    minutes = 1_000_000 / LARGE * large["seconds"] / 60
    print(f"a million customers at this pace: {minutes:.1f} minutes")
    print(f"memory of {LARGE:,} over {SMALL:,} customers: {growth:.2f} (at most {MOST_GROWTH})")
    return 0 if growth <= MOST_GROWTH else 1


def _measured(customers: int) -> dict[str, float]:
    """One run in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-m", "benchmarks.company", str(customers)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output))


def _generate(customers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        company = generate_company(Path(folder), customers)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "megabytes": peak, "rows": sum(company.rows.values())}


if __name__ == "__main__":
    raise SystemExit(main())
