# SPDX-License-Identifier: BSD-3-Clause
"""Each driver carries packets: a kernel pings through it.

    host-a ---- polluxd 1 ==== polluxd 2 ---- host-b         memif
    host-a ---- polluxd ---- host-b                          the others
"""
import itertools

import pytest
from lab import GENEROUS_S, LabError, Polluxd, wait_for
from networks import interface

_numbers = itertools.count(1)


def config(*interfaces, routes=()):
    return {"sysctl": {"net.inet.ip.forwarding": 1}, "interface": list(interfaces),
            "route": [{"prefix": prefix, "via": via} for prefix, via in routes]}


def port(driver, name, address, **options):
    return {"driver": driver, "name": name, "address": [address], "options": options}


@pytest.fixture
def hosts(lab):
    """Two hosts, each on a cable to a gateway's namespace: (a, gw of a, b, gw of b)."""
    number = next(_numbers)
    gateways = [lab.namespace(f"driver{number}-{n}") for n in ("gw1", "gw2")]
    hosts = []
    for n, letter in enumerate("ab"):
        host = lab.namespace(f"driver{number}-{letter}")
        lab.cable(host, "eth0", gateways[n], f"lan{n + 1}")
        host.address("eth0", f"10.{n + 1}.0.2/24")
        host.route("default", f"10.{n + 1}.0.1")
        hosts += [host, gateways[n]]
    return hosts


def assert_carries(host):
    """All sizes, both ways: an echo request and its reply."""
    wait_for(lambda: host.ping("10.2.0.2", "-W", 1, check=False).returncode == 0, "a first reply")
    for size in (0, 56, 1472):
        told = host.ping("10.2.0.2", "-s", size, "-i", 0.01, count=20).stdout
        assert " 0% packet loss" in told


@pytest.mark.parametrize("driver", ["af_packet", "af_xdp"])
def test_kernel_interface(lab, hosts, driver):
    a, gw, b, gw2 = hosts
    gw2.ip("link", "set", "lan2", "netns", gw.name)
    gw.ip("link", "set", "lan2", "up")
    try:
        daemon = lab.polluxd(gw, config(port(driver, "lan1", "10.1.0.1/24", iface="lan1"),
                                        port(driver, "lan2", "10.2.0.1/24", iface="lan2")))
    except LabError as error:
        if driver == "af_xdp" and "not supported" in str(error):
            pytest.skip(f"this kernel has no AF_XDP: {error}")
        raise
    assert_carries(a)
    assert interface(daemon, "lan1")["link"] is True
    daemon.stop()
    # The kernel has its interfaces back as they were.
    links = {link["ifname"]: link for link in gw.ip_json("-d", "link", "show")}
    assert all("xdp" not in links[name] for name in ("lan1", "lan2"))


def test_memif(lab, hosts):
    """Two daemons joined by shared memory."""
    a, gw1, b, gw2 = hosts
    socket = lab.folder(f"memif-{gw1.role}") / "memif.sock"
    common = {"socket": str(socket), "id": 7}
    first = lab.polluxd(gw1, config(
        port("memif", "peer0", "192.0.2.1/24", role="server", **common),
        port("af_packet", "lan1", "10.1.0.1/24", iface="lan1"),
        routes=[("10.2.0.0/24", "192.0.2.2")]))
    second = lab.polluxd(gw2, config(
        port("memif", "peer0", "192.0.2.2/24", role="client", **common),
        port("af_packet", "lan2", "10.2.0.1/24", iface="lan2"),
        routes=[("10.1.0.0/24", "192.0.2.1")]))
    wait_for(lambda: interface(first, "peer0")["link"], "the link of the memif")
    assert_carries(a)
    second.stop()
    wait_for(lambda: not interface(first, "peer0")["link"], "the link to go")
    first.stop()
    assert not socket.exists()


@pytest.mark.parametrize("roles", [("server", "no"), ("client", "yes")], ids=["server", "client"])
def test_vhost_user(lab, hosts, roles):
    """Two daemons, the one as a guest's device, the other as its host; the guest restarts."""
    a, gw1, b, gw2 = hosts
    role, server = roles
    socket = lab.folder(f"vhost-{gw1.role}") / "vhost.sock"
    first = lab.polluxd(gw1, config(
        port("vhost", "peer0", "192.0.2.1/24", iface=str(socket), role=role),
        port("af_packet", "lan1", "10.1.0.1/24", iface="lan1"),
        routes=[("10.2.0.0/24", "192.0.2.2")]))
    for _ in range(2):
        second = lab.polluxd(gw2, config(
            port("virtio_user", "peer0", "192.0.2.2/24", path=str(socket), server=server),
            port("af_packet", "lan2", "10.2.0.1/24", iface="lan2"),
            routes=[("10.1.0.0/24", "192.0.2.1")]))
        wait_for(lambda: interface(first, "peer0")["link"], "the link of vhost")
        assert_carries(a)
        second.stop()
        wait_for(lambda: not interface(first, "peer0")["link"], "the link to go")
    first.stop()
    assert not socket.exists()


@pytest.mark.parametrize("driver, options", [
    ("tap", {"iface": "plxtap"}),
    ("dpdk", {"devargs": "net_tap0,iface=plxtap"}),
], ids=["tap", "dpdk"])
def test_tap(lab, hosts, driver, options):
    """The kernel's end of a port, under its own driver and as a virtual device of DPDK."""
    a, gw, b, _ = hosts
    daemon = lab.polluxd(gw, config(
        port("af_packet", "lan1", "10.1.0.1/24", iface="lan1"),
        port(driver, "lan2", "10.2.0.1/24", **options)))
    # The kernel's end of the tap becomes host-b's interface.
    wait_for(lambda: any(link["ifname"] == "plxtap" for link in gw.ip_json("link", "show")),
             "the tap device")
    gw.ip("link", "set", "plxtap", "netns", b.name)
    b.ip("link", "set", "plxtap", "address", "02:00:00:00:02:02")  # DPDK gave both ends the same
    b.ip("addr", "flush", "dev", "eth0")
    b.address("plxtap", "10.2.0.2/24")
    b.ip("link", "set", "plxtap", "up")
    b.ip("route", "replace", "default", "via", "10.2.0.1")
    assert_carries(a)
    daemon.stop()
    wait_for(lambda: not any(link["ifname"] == "plxtap" for link in b.ip_json("link", "show")),
             "the tap device to go", GENEROUS_S)


@pytest.mark.parametrize("device, said", [
    ("af_packet", "iface"),
    ("af_packet,iface=nosuch0", "nosuch0"),
    ("af_packet,iface=lo,colour=red", "colour"),
    ("af_p", "iface"),
    ("nosuchdriver", "nosuchdriver"),
    ("memif,socket=@pollux-test,role=chief", "role"),
    ("dpdk,devargs=net_nosuch0", "net_nosuch0"),
    ("intel,pci=ffff:1f:1f.7", "no PCI device ffff:1f:1f.7"),
    ("intel", "either pci=ADDRESS or id="),
    ("virtio,pci=eth0", "expected 0000:03:00.0"),
    ("vhost,iface=peer.sock", "absolute path"),
    ("virtio_user,path=/nosuch.sock", "no backend"),
    ("tap,iface=lo", "exists already"),
    ("pcap,read=/nosuch.pcap", "No such file"),
    ("null,size=1", "size 1 "),
    ("bond,members=net_nosuch0", "net_nosuch0"),
], ids=str)
def test_bad_device_is_refused(lab, device, said):
    """The daemon does not start, and says what was wrong with the device."""
    gw = lab.namespace(f"device{next(_numbers)}")
    daemon = Polluxd(lab, gw, {}, arguments=["-d", device])
    assert daemon.process.wait(GENEROUS_S) == 1
    assert said in daemon.log_text()
    assert "READY" not in daemon.log_text()
