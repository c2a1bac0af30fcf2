# SPDX-License-Identifier: BSD-3-Clause
"""A trunk with VLANs, VLANs on a VLAN (802.1ad, "QinQ") and VLANs in VRFs; every host is a kernel
behind the switch of switch.py.

    c7   10.7.0.2 -- s200.7  -+                    c7    10.7.0.1
    c8   10.8.0.2 -- s200.8   |                    c8    10.8.0.1
    v7  10.70.0.2 -- 7        +- trunk0, a tap --- v7    10.70.0.1   polluxd
    red  10.0.0.2 -- 20       |                    red   10.0.0.1 (VRF red)
    blue 10.0.0.2 -- 21       |                    blue  10.0.0.1 (VRF blue)
    r9   10.9.0.2 -- s200.9  -+                    r9    10.9.0.1 (VRF red)
"""
import pytest
from frames import moved
from lab import wait_for
from networks import Network, interface
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from switch import C_TAG, S_TAG, Switch, tagged

SERVICE = 200
# name: (network, VLAN, in the service VLAN, VRF)
LINKS = {"c7": ("10.7.0", 7, True, None), "c8": ("10.8.0", 8, True, None),
         "v7": ("10.70.0", 7, False, None), "red": ("10.0.0", 20, False, "red"),
         "blue": ("10.0.0", 21, False, "blue"), "r9": ("10.9.0", 9, True, "red")}
V6 = {"c7": "2001:db8:7", "c8": "2001:db8:8"}
NO_LOSS = " 0% packet loss"


class Trunk(Network):
    def __init__(self, lab):
        super().__init__(lab, "trunk")
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "vrf": [{"name": "red"}, {"name": "blue"}],
            "interface": [
                {"driver": "dpdk", "name": "trunk0",
                 "options": {"devargs": "net_tap0,iface=plxtrunk"}},
                {"driver": "vlan", "name": "service",
                 "options": {"parent": "trunk0", "id": SERVICE, "proto": "802.1ad"}},
                *(self.vlan(name) for name in LINKS)],
        })
        self.switch = Switch(lab, "trunk-switch").uplink(self.gw, "plxtrunk")
        self.hosts = {name: self.behind(name) for name in LINKS}
        self.switch.start()
        self.mac = interface(self.daemon, "trunk0")["mac"]

    def vlan(self, name):
        network, vlan, inner, vrf = LINKS[name]
        addresses = [f"{network}.1/24"] + ([f"{V6[name]}::1/64"] if name in V6 else [])
        return {"driver": "vlan", "name": name, "address": addresses,
                **({"vrf": vrf} if vrf else {}),
                "options": {"parent": "service" if inner else "trunk0", "id": vlan}}

    def behind(self, name):
        network, vlan, inner, _ = LINKS[name]
        host = self.lab.namespace(f"trunk-{name}")
        self.switch.access(host, "eth0", vlan, SERVICE if inner else None)
        host.address("eth0", f"{network}.2/24")
        host.route("default", f"{network}.1")
        if name in V6:
            host.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
            host.ip("-6", "addr", "add", f"{V6[name]}::2/64", "dev", "eth0", "nodad")
            host.ip("-6", "route", "add", "default", "via", f"{V6[name]}::1")
        return host

    def drops_of_tagged(self, *tags):
        """The drops of VLANs' that move by an echo request to v7 with these tags."""
        echo = (Ether(src="02:00:00:00:00:99", dst=self.mac) /
                IP(src="10.70.0.2", dst="10.70.0.1") / ICMP(type=8))
        def counts():  # what the hosts' kernels say to groups counts elsewhere
            return {r: n for r, n in self.daemon.drops().items() if r.startswith("Vlan")}

        before = counts()
        self.switch.inject(tagged(bytes(echo), tags))
        return wait_for(lambda: moved(before, counts()), "the frame to be dropped")


@pytest.fixture(scope="module")
def trunk(lab):
    net = Trunk(lab)
    yield net
    net.switch.close()  # before its trunk goes
    net.daemon.stop()


def reaches(host, target, *options):
    wait_for(lambda: host.ping(target, "-W", 2, *options, check=False).returncode == 0,
             f"{target} to answer", every_s=0.2)


@pytest.mark.parametrize("name", LINKS)
def test_each_reaches_us(trunk, name):
    reaches(trunk.hosts[name], f"{LINKS[name][0]}.1")


@pytest.mark.parametrize("there, back", [("c7", "c8"), ("c7", "v7"), ("v7", "c8")])
@pytest.mark.parametrize("size", [0, 1472])
def test_two_tags_both_ways(trunk, there, back, size):
    """Between VLANs of the service VLAN, and with one tag of the same id; 1,522 bytes on the trunk."""
    for one, other in ((there, back), (back, there)):
        target = f"{LINKS[other][0]}.2"
        reaches(trunk.hosts[one], target)
        done = trunk.hosts[one].ping(target, "-M", "do", "-s", size, "-i", 0.01, "-W", 5, count=10)
        assert NO_LOSS in done.stdout


def test_two_tags_ip6(trunk):
    for one, other in (("c7", "c8"), ("c8", "c7")):
        reaches(trunk.hosts[one], f"{V6[other]}::2")
        done = trunk.hosts[one].ping(f"{V6[other]}::2", "-s", 1452, "-i", 0.01, "-W", 5, count=10)
        assert NO_LOSS in done.stdout


def test_tags_that_nobody_has(trunk):
    assert trunk.drops_of_tagged((C_TAG, 99)) == {"VlanUnknown": 1}
    assert trunk.drops_of_tagged((S_TAG, SERVICE), (C_TAG, 99)) == {"VlanUnknown": 1}
    assert trunk.drops_of_tagged((C_TAG, SERVICE), (C_TAG, 7)) == {"VlanUnknown": 1}, "not 802.1ad"
    assert trunk.drops_of_tagged((S_TAG, SERVICE), (C_TAG, 7), (C_TAG, 7)) == {"VlanNested": 1}


def test_vlans_in_vrfs(trunk):
    """One address twice, on two VLANs of one trunk; red has a VLAN of the service VLAN as well."""
    for name in ("red", "blue"):
        mac = trunk.hosts[name].mac("eth0")
        (known,) = [n for n in trunk.daemon.plx("arp") if n["interface"] == name]
        assert (known["address"], known["mac"]) == ("10.0.0.2", mac)
    reaches(trunk.hosts["red"], "10.9.0.2")
    reaches(trunk.hosts["r9"], "10.0.0.2")
    for name in ("red", "blue", "r9"):
        done = trunk.hosts[name].ping("10.70.0.2", "-W", 5, check=False)
        assert "Destination Net Unreachable" in done.stdout, "no way into the default VRF"
    done = trunk.hosts["blue"].ping("10.9.0.2", "-W", 5, check=False)
    assert "Destination Net Unreachable" in done.stdout
