"""`python -m bench` prints every figure; `python -m bench values` one group."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

GROUPS = ("requests", "access", "filters", "series", "transfers", "restores", "backups", "values", "webhooks")


def main(wanted: list[str]) -> None:
    if unknown := set(wanted) - set(GROUPS):
        sys.exit(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}")
    for group in wanted or GROUPS:
        print(f"\n{group}", flush=True)
        # A process each: what one leaves in memory is not the other's figure.
        subprocess.run([sys.executable, "-m", f"bench.{group}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
