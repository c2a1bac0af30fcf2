# SPDX-License-Identifier: BSD-3-Clause
"""What the tests in guests stand on: one guest at a time, shared by the tests that want the same."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from router import MODELS, Router  # noqa: E402

# Each model under one kernel driver, and each of these under two models. The others take longer,
# with the worker and the manager on a CPU each.
QUICK = {("virtio-net-pci", "vfio-pci"), ("e1000", "uio_pci_generic"), ("e1000e", "vfio-pci"),
         ("vmxnet3", "uio_pci_generic")}


def parameter(model, binding):
    quick = (model.nic, binding) in QUICK
    return pytest.param((model, binding, 1 if quick else 2), id=f"{model.nic}-{binding}",
                        marks=() if quick else (pytest.mark.long,))


# Made once: pytest keeps a fixture as long as its parameter is the same object.
ROUTERS = [parameter(model, binding)
           for binding in ("uio_pci_generic", "vfio-pci") for model in MODELS]


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out by ./dev test without --long or --vm")
    config.addinivalue_line("markers", "binding(name): for devices of this kernel driver only")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("a guest's / is this machine's, which takes root to read", returncode=1)


def pytest_generate_tests(metafunc):
    if "router" in metafunc.fixturenames:
        metafunc.parametrize("router", ROUTERS, indirect=True, scope="module")


def pytest_collection_modifyitems(config, items):
    """Later than the parameters: pytest groups tests by the place of a parameter in its list."""
    def fits(item):
        only = item.get_closest_marker("binding")
        return only is None or item.callspec.params["router"][1] in only.args

    config.hook.pytest_deselected(items=[item for item in items if not fits(item)])
    items[:] = filter(fits, items)


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
    model, binding, cpus = request.param
    router = Router(model, binding, cpus=cpus)
    yield router
    router.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its guest's console, on which polluxd's log is too, and what
    polluxd has dropped."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for value in getattr(item, "funcargs", {}).values():
        guest = getattr(value, "guest", None)
        if guest is not None:
            report.sections.append((str(guest.log_file), guest.log_tail()))
        if isinstance(value, Router):
            report.sections.append(("drops", value.told_drops()))
