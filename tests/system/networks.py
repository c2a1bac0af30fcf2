# SPDX-License-Identifier: BSD-3-Clause
"""The networks of the system tests. In each picture the hosts are kernels of namespaces, or
scapy on a raw socket; the middle is a polluxd.

Router    host-a 10.1.0.2 ---- 10.1.0.1 polluxd 10.2.0.1 ---- 10.2.0.2 host-b
                        MTU 1500                   MTU 1400

Gateway   host 10.1.0.2 ---- 10.1.0.1 polluxd 192.0.2.1 ==== 192.0.2.2, 192.0.2.3 peer (scapy)
                               ipsec0 AES-256, 10.2.0.0/24 at .2; ipsec1 AES-128, 10.3.0.0/24 at .3

Link      host 10.1.0.2 ---- 10.1.0.1 polluxd

TapLink   scapy 10.1.0.2 ---- 10.1.0.1 polluxd          DPDK's tap, no kernel between; 10.2.0.0/24
                               is behind 10.1.0.2 as well, so that what is forwarded comes back

TapRouter as Router, MTU 1300 on the right; the daemon's ports are DPDK's taps, whose other ends are
          the hosts' own interfaces
"""
import os

from esp import Peer
from frames import Station, moved
from lab import has_inet6, only_ip4

WAN_PEER_MAC = "02:00:00:00:02:02"
TAP_MAC = "02:00:00:00:01:02"


def af_packet(name, iface, address, **more):
    """An [[interface]] of the configuration."""
    return {"driver": "af_packet", "name": name, "address": [address],
            "options": {"iface": iface}, **more}


def interface(daemon, name):
    """What plx shows of one interface."""
    return next(i for i in daemon.plx("ifconfig") if i["name"] == name)


class Network:
    """What the three have in common: a daemon in a namespace of its own."""

    def __init__(self, lab, role):
        self.lab, self.role = lab, role
        self.gw = lab.namespace(f"{role}-gw")

    def host(self, name, port, address, mtu=1500):
        """A kernel as a host on a cable to the gateway, which is its default route."""
        host = self.lab.namespace(f"{self.role}-{name}")
        self.lab.cable(host, "eth0", self.gw, port, mtu=mtu)
        host.address("eth0", f"{address}/24")
        host.route("default", address.rpartition(".")[0] + ".1")
        return host

    def start(self, config, **keywords):
        """`config` may have IPv6 in it whatever daemon is under test."""
        if not has_inet6():
            config = only_ip4(config)
        self.daemon = self.lab.polluxd(self.gw, config, name=self.role, **keywords)

    def station(self, host, address, interface_name):
        """scapy beside a host's kernel, with its addresses."""
        return Station(host.tap("eth0"), host.mac("eth0"), address,
                       interface(self.daemon, interface_name)["mac"],
                       address.rpartition(".")[0] + ".1")

    def drops_of(self, station, *sent):
        """Sends frames. Returns ({reason: packets} that moved, frames that came back)."""
        before = self.daemon.drops()
        answers = station.exchange(*sent)
        return moved(before, self.daemon.drops()), answers


class Router(Network):
    MTU_B = 1400

    def __init__(self, lab):
        super().__init__(lab, "router")
        self.host_a = self.host("a", "lan", "10.1.0.2")
        self.host_b = self.host("b", "wan", "10.2.0.2", mtu=self.MTU_B)
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1},
            "interface": [af_packet("lan0", "lan", "10.1.0.1/24"),
                          af_packet("wan0", "wan", "10.2.0.1/24", mtu=self.MTU_B)],
            "route": [{"prefix": "10.3.0.0/16", "via": "10.2.0.2"},
                      {"prefix": "10.66.0.0/16", "kind": "blackhole"},
                      {"prefix": "10.67.0.0/16", "kind": "prohibit"}],
        })
        self.a = self.station(self.host_a, "10.1.0.2", "lan0")
        self.b = self.station(self.host_b, "10.2.0.2", "wan0")
        # So that no test's counts begin with address resolution.
        self.host_a.ping("10.2.0.2", "-W", 5, count=3)


class Gateway(Network):
    def __init__(self, lab):
        super().__init__(lab, "gateway")
        self.inside = self.host("host", "lan", "10.1.0.2")
        outside = lab.namespace("gateway-peer")  # no address: its kernel is silent, scapy speaks
        lab.cable(outside, "eth0", self.gw, "wan")
        keys = {bits: {way: os.urandom(bits // 8 + 4) for way in ("in", "out")}
                for bits in (128, 256)}
        tunnels = [("ipsec0", 256, "192.0.2.2", "10.2.0.0/24", 0x1000),
                   ("ipsec1", 128, "192.0.2.3", "10.3.0.0/24", 0x2000)]
        self.keys = keys
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1},
            "interface": [af_packet("lan0", "lan", "10.1.0.1/24"),
                          af_packet("wan0", "wan", "192.0.2.1/24")],
            "tunnel": [{"name": name, "local": "192.0.2.1", "remote": remote,
                        "selectors": [{"local": "10.1.0.0/24", "remote": behind}]}
                       for name, _, remote, behind, _ in tunnels],
            "sa": [{"tunnel": name, "direction": way, "spi": spi + (way == "in"),
                    "algorithm": f"aes-gcm-{bits}", "key_file": f"{name}-{way}.key",
                    **({"replay_window": 64} if way == "in" else {})}
                   for name, bits, _, _, spi in tunnels for way in ("out", "in")],
            "route": [{"prefix": behind, "interface": name} for name, _, _, behind, _ in tunnels],
            "neighbor": [{"interface": "wan0", "address": address, "mac": WAN_PEER_MAC}
                         for address in ("192.0.2.2", "192.0.2.3", "192.0.2.4")],
        }, keys={f"{name}-{way}.key": keys[bits][way].hex().encode()
                 for name, bits, _, _, _ in tunnels for way in ("in", "out")})
        self.lan = self.station(self.inside, "10.1.0.2", "lan0")
        self.wan = Station(outside.tap("eth0"), WAN_PEER_MAC, "192.0.2.4",
                           interface(self.daemon, "wan0")["mac"], "192.0.2.1")
        self.peers = {
            bits: Peer(self.wan, name=name, local="192.0.2.1", remote=remote,
                       network=behind.rpartition(".")[0], spi_from_gateway=spi,
                       spi_to_gateway=spi + 1, key_from_gateway=keys[bits]["out"],
                       key_to_gateway=keys[bits]["in"])
            for name, bits, remote, behind, spi in tunnels}
        self.inside.ping("10.1.0.1", "-W", 5, count=1)


class Link(Network):
    def __init__(self, lab, role="link"):
        super().__init__(lab, role)
        self.neighbor = self.host("host", "lan", "10.1.0.2")
        self.start({"interface": [af_packet("lan0", "lan", "10.1.0.1/24")]})
        self.station_ = self.station(self.neighbor, "10.1.0.2", "lan0")


class TapLink(Network):
    def __init__(self, lab):
        super().__init__(lab, "tap")
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1},
            "route": [{"prefix": "10.2.0.0/24", "via": "10.1.0.2"}],
            "interface": [{"driver": "dpdk", "name": "tap0", "address": ["10.1.0.1/24"],
                           "options": {"devargs": "net_tap0,iface=plxtap"}}],
            "neighbor": [{"interface": "tap0", "address": "10.1.0.2", "mac": TAP_MAC}],
        })
        self.gw.ip("link", "set", "plxtap", "up")
        self.station_ = Station(self.gw.tap("plxtap"), TAP_MAC, "10.1.0.2",
                                interface(self.daemon, "tap0")["mac"], "10.1.0.1")


class TapRouter(Network):
    MTU_B = 1300

    def __init__(self, lab, role="taprouter"):
        super().__init__(lab, role)
        ports = [("a", "lan0", "10.1.0", 1500), ("b", "wan0", "10.2.0", self.MTU_B)]
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1},
            "interface": [{"driver": "dpdk", "name": name, "address": [f"{network}.1/24"],
                           "mtu": mtu, "options": {"devargs": f"net_tap{n},iface=plxtap{side}"}}
                          for n, (side, name, network, mtu) in enumerate(ports)],
        })
        hosts = []
        for side, _, network, mtu in ports:
            host = lab.namespace(f"{role}-{side}")
            self.gw.ip("link", "set", f"plxtap{side}", "netns", host.name)
            host.ip("link", "set", f"plxtap{side}", "name", "eth0", "mtu", mtu, "up")
            host.address("eth0", f"{network}.2/24")
            host.route("default", f"{network}.1")
            hosts.append(host)
        self.host_a, self.host_b = hosts
        self.a = self.station(self.host_a, "10.1.0.2", "lan0")
        self.host_a.ping("10.2.0.2", "-W", 5, count=3)

    def _usage(self):
        return next(u for u in self.daemon.plx("stats", "--usage") if u["table"] == "fragments")

    def fragments(self):
        """Fragments that wait for others."""
        return self._usage()["used"]

    def fragment_limit(self):
        return self._usage()["limit"]

    def moved_since(self, before):
        return moved(before, self.daemon.drops())
