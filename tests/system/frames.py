# SPDX-License-Identifier: BSD-3-Clause
"""Frames for the tests, built and read by scapy, and the exchange that makes a test exact."""
import itertools

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.utils import checksum

BROADCAST = "ff:ff:ff:ff:ff:ff"
NO_MAC = "00:00:00:00:00:00"

_barrier_ids = itertools.count(0x4000)


def icmp_of(frame, kind=None):
    """The ICMP layer of an Ethernet frame that holds one (of type `kind`), or None."""
    packet = Ether(frame)
    if ICMP not in packet or (kind is not None and packet[ICMP].type != kind):
        return None
    return packet[ICMP]


def insert_options(frame, options):
    """The frame with these bytes as the options of its IPv4 header, which has none, padded to words.
    By hand, as scapy refuses to build what is wrong."""
    frame, options = bytes(frame), options + bytes(-len(options) % 4)
    header = bytearray(frame[14:34] + options)
    header[0] = 0x45 + len(options) // 4
    header[2:4] = (len(frame) + len(options) - 14).to_bytes(2, "big")
    header[10:12] = b"\0\0"
    header[10:12] = checksum(bytes(header)).to_bytes(2, "big")
    return frame[:14] + bytes(header) + frame[34:]


class Station:
    """Sends frames on a cable to a gateway, and knows when the gateway has dealt with them."""

    def __init__(self, tap, mac, address, gateway_mac, gateway):
        self.tap, self.mac, self.address = tap, mac, address
        self.gateway_mac, self.gateway = gateway_mac, gateway

    def ether(self, **fields):
        return Ether(**{"src": self.mac, "dst": self.gateway_mac, **fields})

    def ip(self, dst, **fields):
        """A frame to the gateway with an IPv4 packet from this station."""
        return self.ether() / IP(**{"src": self.address, "dst": dst, **fields})

    def _barrier(self, seen):
        """An echo exchange with the gateway; what arrives before the reply goes to `seen`."""
        number = next(_barrier_ids) & 0xffff
        self.tap.send(self.ip(self.gateway) / ICMP(type=8, id=number, seq=1) / b"barrier")

        def is_reply(frame):
            icmp = icmp_of(frame, kind=0)
            if icmp is not None and icmp.id == number:
                return True
            seen.append(frame)
            return False

        assert self.tap.receive(is_reply), "the gateway does not answer an echo request"

    def exchange(self, *sent):
        """Sends frames and waits until the gateway has dealt with all of them. Returns every frame
        that came back.

        A worker takes frames in their order, so an echo that is answered shows that those before it
        are done. A second one, in another burst, brings what the first burst's answers overtook.
        """
        self.tap.drain()
        for frame in sent:
            self.tap.send(frame)
        seen = []
        self._barrier(seen)
        self._barrier(seen)
        return seen


def moved(before, after):
    """{reason: how much it grew} of those that did."""
    return {name: count - before.get(name, 0) for name, count in after.items()
            if count != before.get(name, 0)}
