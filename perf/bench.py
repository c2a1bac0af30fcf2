#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the benchmarks with huge pages where they can be had: the table of forwarding is 32 MiB, and
with 4 KiB pages its cost is the TLB's. Gives the pages back afterwards."""
import os
import pathlib
import subprocess
import sys

HUGE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
WANTED = 512  # 1 GiB


def reserve() -> int | None:
    """Number of huge pages before, or None where nothing was changed."""
    try:
        before = int(HUGE.read_text())
        if before >= WANTED:
            return None
        HUGE.write_text(str(WANTED))
        return before
    except OSError:
        return None


def main() -> int:
    build = pathlib.Path(os.environ.get("POLLUX_BUILD", "build/release"))
    before = reserve()
    try:
        return subprocess.run([build / "bin" / "bench", *sys.argv[1:]], check=False).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        if before is not None:
            HUGE.write_text(str(before))


if __name__ == "__main__":
    sys.exit(main())
