# SPDX-License-Identifier: BSD-3-Clause
"""The bench on which the rules of the RFCs are shown, one packet or a few at a time, and the form of
a rule: packet in; packet, answer or named drop out.

    scapy 10.1.0.2, 2001:db8:1::2 ---- lan0 polluxd wan0 ---- 10.2.0.2, 2001:db8:2::2 scapy
                                       .1, ::1      .1, ::1, MTU 1400
                                               up0 ---- scapy, a router that advertises

DPDK's taps, no kernel at either end: nothing is on the links but what a rule puts there and what
polluxd says. The stations are permanent neighbours.
"""
import dataclasses
from typing import Callable

from frames import Station
from lab import wait_for
from networks import Network, interface
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

GW, GW_B, HOST, FAR = "10.1.0.1", "10.2.0.1", "10.1.0.2", "10.2.0.2"
GW6, GW6_B, HOST6, FAR6 = "2001:db8:1::1", "2001:db8:2::1", "2001:db8:1::2", "2001:db8:2::2"
MAC_A, MAC_B, MAC_UP = "02:00:00:00:01:02", "02:00:00:00:02:02", "02:00:00:00:0b:0b"
MTU_B = 1400
ERRORS4, FIRST_INFORMATIONAL6, REDIRECT6 = (3, 4, 5, 11, 12), 128, 137


@dataclasses.dataclass
class Rule:
    """`send` makes what is put in, of the station on lan0. Of the rest, what is not given must not
    happen."""
    section: str                      # "RFC 791 3.1"
    what: str
    send: Callable
    drops: str | dict | None = None   # its reason, once; or {reason: times}
    told: tuple | None = None         # ICMP type, code and value (pointer, MTU or gateway; or none)
    passed: Callable | int | None = None     # how many come out on wan0, or what holds of the one
    answered: Callable | None = None  # what holds of the packet that comes back and is no error

    @property
    def name(self):
        return f"{self.section}: {self.what}"


class Bench(Network):
    LINKS = ("lan0", "wan0", "up0")

    def __init__(self, lab):
        super().__init__(lab, "rules")
        addresses = {"lan0": [f"{GW}/24", f"{GW6}/64"], "wan0": [f"{GW_B}/24", f"{GW6_B}/64"],
                     "up0": ["10.3.0.1/24"]}
        self.start({
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0, "net.inet.icmp.errppslimit": 100000,
                       "net.inet6.icmp6.errppslimit": 100000},
            "interface": [{"driver": "dpdk", "name": name, "address": addresses[name],
                           **({"mtu": MTU_B} if name == "wan0" else {}),
                           **({"autoconf": True} if name == "up0" else {}),
                           "options": {"devargs": f"net_tap{n},iface=plxrule{n}"}}
                          for n, name in enumerate(self.LINKS)],
            "route": [{"prefix": "10.66.0.0/16", "kind": "blackhole"},
                      {"prefix": "10.67.0.0/16", "kind": "prohibit"},
                      {"prefix": "10.68.0.0/16", "kind": "unreachable"},
                      {"prefix": "10.50.0.0/16", "via": "10.1.0.9"},
                      {"prefix": "2001:db8:66::/48", "kind": "blackhole"},
                      {"prefix": "2001:db8:67::/48", "kind": "prohibit"},
                      {"prefix": "2001:db8:68::/48", "kind": "unreachable"},
                      {"prefix": "2001:db8:50::/48", "via": "fe80::9", "interface": "lan0"}],
            "neighbor": [{"interface": name, "address": address, "mac": mac}
                         for name, address, mac in (
                             ("lan0", HOST, MAC_A), ("lan0", HOST6, MAC_A),
                             ("lan0", "fe80::a", MAC_A), ("lan0", "10.1.0.9", "02:00:00:00:01:09"),
                             ("lan0", "fe80::9", "02:00:00:00:01:09"),
                             ("wan0", FAR, MAC_B), ("wan0", FAR6, MAC_B))],
        })
        for n in range(len(self.LINKS)):
            self.gw.ip("link", "set", f"plxrule{n}", "up")
        self.macs = {name: interface(self.daemon, name)["mac"] for name in self.LINKS}
        self.a = Station(self.gw.tap("plxrule0"), MAC_A, HOST, self.macs["lan0"], GW)
        self.b, self.up = self.gw.tap("plxrule1"), self.gw.tap("plxrule2")
        # So that no rule's frames are mixed with what a new address has to say.
        self.link_local_b = wait_for(lambda: self.link_local("wan0"), "a link-local address")

    def link_local(self, name):
        return next((a["address"].split("/")[0]
                     for a in interface(self.daemon, name)["address_states"]
                     if a["origin"] == "link-local"), None)

    def _said_by_others(self, frame):
        """The packet of a frame on wan0 that is not polluxd's own."""
        packet = Ether(frame)
        ours = (GW_B, "0.0.0.0", GW6_B, "::", self.link_local_b)
        for layer in (IP, IPv6):
            if layer in packet and packet[layer].src not in ours:
                return packet
        return None

    def try_out(self, *frames):
        """Sends frames. Returns (drops that moved, what came back on lan0, what went on to wan0)."""
        self.b.drain()
        drops, back = self.drops_of(self.a, *frames)
        onward = [p for f in self.b.pending() if (p := self._said_by_others(f)) is not None]
        return drops, [Ether(f) for f in back], onward


def error_of(packet):
    """(type, code, value) of an ICMP error or redirect that is for the station, or None."""
    if ICMP in packet and packet[IP].dst == HOST and packet[ICMP].type in ERRORS4:
        message = bytes(packet[IP].payload)
        kind = message[0]
        value = {5: int.from_bytes(message[4:8], "big"), 12: message[4],
                 3: int.from_bytes(message[6:8], "big")}.get(kind, 0)
        return kind, message[1], value
    if IPv6 in packet and packet[IPv6].nh == 58 and packet[IPv6].dst in (HOST6, "fe80::a"):
        message = bytes(packet[IPv6].payload)
        if message[0] < FIRST_INFORMATIONAL6 or message[0] == REDIRECT6:
            return message[0], message[1], int.from_bytes(message[4:8], "big")
    return None


def is_answer(packet):
    """Whether it is for the station and no error. What polluxd says to all is none."""
    if packet.dst != MAC_A or error_of(packet) is not None:
        return False
    return not (ICMP in packet and bytes(packet[IP].payload)[8:] == b"barrier")


def check(bench, rule):
    frames = rule.send(bench.a)
    frames = frames if isinstance(frames, list) else [frames]
    drops, back, onward = bench.try_out(*frames)
    wanted = {rule.drops: 1} if isinstance(rule.drops, str) else (rule.drops or {})
    assert drops == wanted
    errors = [error_of(p) for p in back if error_of(p) is not None]
    if rule.told is None:
        assert errors == []
    else:
        (error,) = errors
        assert error[:len(rule.told)] == rule.told
    if rule.passed is None or isinstance(rule.passed, int):
        assert len(onward) == (rule.passed or 0), onward
    else:
        (packet,) = onward
        assert rule.passed(packet), packet.show(dump=True)
    answers = [p for p in back if is_answer(p)]
    if rule.answered is None:
        assert answers == []
    else:
        (answer,) = answers
        assert rule.answered(answer), answer.show(dump=True)
