# SPDX-License-Identifier: BSD-3-Clause
"""vhost-user: the kernel of a guest against our end of its virtio devices.

    guest: near 10.1.0.2 -- virtio-net == vhost v0 10.1.0.1 \\
                                                              polluxd, on this machine
    guest: far  10.2.0.2 -- virtio-net == vhost v1 10.2.0.1 /
"""
import pytest

from guest import Guest, Nic
from lab import Lab, wait_for

MEMORY_MIB = 512
NEAR, FAR = "10.1.0.2", "10.2.0.2"


@pytest.fixture
def lab():
    with Lab() as lab:
        yield lab


class Host:
    """polluxd with two vhost ports, and guests that come and go."""

    def __init__(self, lab, role):
        self.role, self.folder = role, lab.folder("vhost")
        self.sockets = [self.folder / f"v{i}.sock" for i in range(2)]
        self.daemon = lab.polluxd(lab.namespace(f"vhost-{role}"), {
            "sysctl": {"net.inet.ip.forwarding": 1},
            "interface": [{"driver": "vhost", "name": f"v{i}", "address": f"10.{i + 1}.0.1/24",
                           "options": {"iface": str(path), "role": role}}
                          for i, path in enumerate(self.sockets)]})

    def boot(self, name):
        # vectors=0: with MSI-X, QEMU 7.2 crashes under emulation when a vhost-user device starts.
        nics = [Nic("virtio-net-pci", "vectors=0", netdev=f"vhost-user,chardev=v{i}")
                for i in range(2)]
        qemu_listens = ",server=on,wait=on" if self.role == "client" else ""
        guest = Guest(name, nics, memory_mib=MEMORY_MIB, hugepages=0, arguments=[
            "-object", f"memory-backend-memfd,id=ram,size={MEMORY_MIB}M,share=on",
            "-machine", "memory-backend=ram",
            *(a for i, path in enumerate(self.sockets)
              for a in ("-chardev", f"socket,id=v{i},path={path}{qemu_listens}"))])
        try:
            guest.run("modprobe virtio_net && ip netns add far && ip link set eth1 netns far")
            for inside, device, address in (("", "eth0", NEAR), ("ip netns exec far ", "eth1", FAR)):
                guest.run(f"{inside}ip addr add {address}/24 dev {device}; "
                          f"{inside}ip link set {device} up; "
                          f"{inside}ip route add default via {address[:-1]}1")
        except BaseException:
            guest.close()
            raise
        return guest

    def wait_for_links(self, up):
        wait_for(lambda: all(x["link"] is up for x in self.daemon.plx("ifconfig")),
                 f"the links of v0 and v1 to be {'up' if up else 'down'}")


def assert_carries(guest):
    """Echoes of all sizes, and a megabyte by TCP whose checksums the guest leaves to the device."""
    for size in (0, 56, 1472):
        told = guest.run(f"ping -n -c 20 -i 0.05 -W 5 -s {size} {FAR}")[1]
        assert " 0% packet loss" in told, told
    guest.run("head -c 1000000 /dev/urandom >/run/sent; "
              "(ip netns exec far timeout 60 busybox nc -l -p 5000 -e sh -c 'cat >/run/got') & "
              "until ip netns exec far busybox netstat -ltn | grep -q :5000; do sleep 0.1; done; "
              f"timeout 60 busybox nc {FAR} 5000 </run/sent; wait; cmp /run/sent /run/got")


@pytest.mark.parametrize("role", ["server", pytest.param("client", marks=pytest.mark.long)])
def test_guest_comes_goes_and_comes_back(lab, role):
    host = Host(lab, role)
    for name in (f"vhost-{role}-1", f"vhost-{role}-2"):
        with host.boot(name) as host.guest:
            host.wait_for_links(True)
            assert_carries(host.guest)
        host.wait_for_links(False)
    # The guest's kernel speaks to groups that are not ours; its rings were full, or it was not there.
    assert host.daemon.drops().keys() <= {"Ip4Multicast", "Ip6Multicast", "TxQueueFull"}
    host.daemon.stop()
