# SPDX-License-Identifier: BSD-3-Clause
"""The demo ends cleanly however it is ended. That it passes is for `./dev demo` to show."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest
from lab import GENEROUS_S, REPOSITORY, run


def command_lines():
    """Of all processes."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace").replace("\0", " ")


def remains(pid):
    """Namespaces, temporary files and processes of a demo that had this process id."""
    mine = f"plx-{pid}-"
    namespaces = [n for n in run("ip", "netns", "list").stdout.split() if n.startswith(mine)]
    files = [str(p) for p in pathlib.Path(tempfile.gettempdir()).glob(f"{mine}*")]
    return namespaces + files + [args for args in command_lines() if mine in args]


@pytest.fixture
def demo(lab):
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "apps" / "demo" / "demo.py")], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("at", ["Topology", "ping, 56", "iperf3 TCP"])
def test_interrupted(demo, number, at):
    """Whatever runs at that moment, nothing stays."""
    for line in demo.stdout:
        if at in line:
            break
    os.kill(demo.pid, number)
    rest = demo.stdout.read()
    assert demo.wait(GENEROUS_S) == 1
    assert rest.splitlines()[-1] == f"demo: failed: interrupted ({number.name})"
    assert remains(demo.pid) == []


def test_says_what_is_missing(lab, tmp_path):
    """Without the programs: one line that says so, and status 1."""
    done = run(sys.executable, REPOSITORY / "apps" / "demo" / "demo.py", check=False,
               env={**os.environ, "POLLUX_BUILD": str(tmp_path)})
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("demo: failed: ")
    assert "polluxd" in done.stdout.splitlines()[-1]
