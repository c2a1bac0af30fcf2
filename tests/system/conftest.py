# SPDX-License-Identifier: BSD-3-Clause
"""What every system test stands on: one lab for the run, and the networks in it.

Everything a network needs is made once and shared; a test leaves it as it found it.
"""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from lab import Lab, has_inet6, is_ip6  # noqa: E402
from networks import Gateway, Link, Router, TapLink  # noqa: E402
from rules import Bench  # noqa: E402


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the system tests make network namespaces and need root", returncode=1)


def pytest_configure(config):
    for marker in ("inet4: what ./dev test runs with polluxd-v4 as well",
                   "inet6: what needs IPv6, and is left out with polluxd-v4, as is what has it as a "
                   "parameter"):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config, items):
    if has_inet6():
        return

    def needs_inet6(item):
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        return item.get_closest_marker("inet6") or any(map(is_ip6, parameters))

    left_out = [item for item in items if needs_inet6(item)]
    items[:] = [item for item in items if not needs_inet6(item)]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def lab():
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def router(lab):
    return Router(lab)


@pytest.fixture(scope="session")
def gateway(lab):
    return Gateway(lab)


@pytest.fixture(scope="module")
def link(lab):
    link = Link(lab)
    yield link
    link.daemon.stop()


@pytest.fixture(scope="session")
def tap_link(lab):
    return TapLink(lab)


@pytest.fixture(scope="session")
def bench(lab):
    return Bench(lab)


@pytest.fixture(autouse=True)
def _daemons_live(request):
    """No test may end a daemon that others use."""
    yield
    for name in ("router", "gateway", "link", "tap_link", "bench"):
        if name in request.fixturenames:
            daemon = request.getfixturevalue(name).daemon
            assert daemon.process.poll() is None, daemon.log_text()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemons said that it had, or started."""
    outcome = yield
    report = outcome.get_result()
    lab = item.funcargs.get("lab") if hasattr(item, "funcargs") else None
    if report.failed and lab is not None:
        shared = [getattr(value, "daemon", None) for value in item.funcargs.values()]
        for daemon in lab.daemons:
            if daemon not in shared and daemon.started < call.start:
                continue
            lines = daemon.log_text().splitlines()[-40:]
            report.sections.append((f"log of {daemon.folder.name}", "\n".join(lines)))
