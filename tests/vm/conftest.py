# SPDX-License-Identifier: BSD-3-Clause
"""What the tests in guests stand on: one guest at a time, shared by the tests that want the same."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from router import MODELS, Router  # noqa: E402

# Made once: pytest keeps a fixture as long as its parameter is the same object.
ROUTERS = [pytest.param((model, binding), id=f"{model.nic}-{binding}")
           for binding in ("uio_pci_generic", "vfio-pci") for model in MODELS]


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("a guest's / is this machine's, which takes root to read", returncode=1)


def pytest_generate_tests(metafunc):
    if "router" in metafunc.fixturenames:
        metafunc.parametrize("router", ROUTERS, indirect=True, scope="module")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With -n 2: the tests of one guest run in one process, guests are spread over processes."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGuest(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid.partition("[")[2] or nodeid

    return ByGuest(config, log)


@pytest.fixture(scope="module")
def router(request):
    router = Router(*request.param)
    yield router
    router.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its guest's console, on which polluxd's log is too."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            guest = getattr(value, "guest", None)
            if guest is not None:
                report.sections.append((str(guest.log_file), guest.log_tail()))
