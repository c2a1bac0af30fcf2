# SPDX-License-Identifier: BSD-3-Clause
"""A machine without hugepages: an IOMMU makes up for them, and without either it says why not."""
import pytest

from lab import LabError
from router import MODELS, Router
from test_nics import ALL_SIZES

pytestmark = pytest.mark.long
VIRTIO = next(model for model in MODELS if model.driver == "virtio")


def test_without_hugepages_behind_an_iommu():
    router = Router(VIRTIO, "vfio-pci", name="no-hugepages-vfio", hugepages=0)
    try:
        assert "ordinary pages" in router.guest.log_text()
        router.assert_carries(0, 1, count=ALL_SIZES)
        assert router.stop() == 0
    finally:
        router.close()


def test_without_hugepages_or_iommu():
    with pytest.raises(LabError, match=r"(?s)ended with status 1.*needs hugepages"):
        Router(VIRTIO, "uio_pci_generic", name="no-hugepages-uio", hugepages=0).close()
