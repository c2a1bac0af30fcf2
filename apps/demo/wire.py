# SPDX-License-Identifier: BSD-3-Clause
"""The cable between the gateways, watched: a capture of the whole run, judged frame by frame."""
import collections
import ipaddress
import mmap
import re
import signal
import struct
import subprocess

from lab import LabError, run, wait_for

SNAP_LEN = 256  # bytes kept of a frame: far beyond where an inner header would stand
ETHER_ARP, ETHER_IP4, PROTO_ESP = 0x0806, 0x0800, 50


class Capture:
    """tcpdump on a port of the cable. A third party's view: a tap inside a gateway would depend on
    what the gateway's driver lets a tap see (AF_XDP takes frames before any tap)."""

    def __init__(self, namespace, interface, path):
        self.path = path
        self._process = namespace.start(
            "tcpdump", "-i", interface, "-n", "-s", SNAP_LEN, "-B", 65536, "-Z", "root", "-w", path,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        first = self._process.stderr.readline()
        if "listening on" not in first:
            raise LabError(f"tcpdump does not start: {first.strip()}")

    def stop(self):
        """Returns the number of frames the kernel could not hand to tcpdump in time."""
        self._process.send_signal(signal.SIGINT)
        text = self._process.communicate(timeout=60)[1]
        missed = re.search(r"(\d+) packets? dropped by kernel", text)
        if not missed:
            raise LabError(f"tcpdump does not end well: {text.strip()}")
        return int(missed[1])


def frames(path):
    """Every frame of a capture file (classic pcap, little endian), as memory of the file."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"\xd4\xc3\xb2\xa1":
            raise LabError(f"{path} is not a capture in this machine's byte order")
        at = 24
        while at + 16 <= len(data):
            kept = struct.unpack_from("<I", data, at + 8)[0]
            yield data[at + 16:at + 16 + kept]
            at += 16 + kept


class WireCheck:
    """What may be on the cable: ARP, and ESP between the outer addresses. Nothing else, and the
    pair of inner addresses nowhere, in whatever form."""

    def __init__(self, outer, inner):
        """`outer`, `inner`: the two addresses each, as text."""
        left, right = (ipaddress.IPv4Address(a).packed for a in outer)
        self._outer_pairs = {left + right, right + left}
        left, right = (ipaddress.IPv4Address(a).packed for a in inner)
        self._inner_pairs = (left + right, right + left)
        self._inner_filter = " or ".join(f"host {a}" for a in inner)
        self.counts = collections.Counter()
        self.offences = []

    def judge(self, frame):
        """"ARP", "ESP", or what is wrong with the frame."""
        if len(frame) < 34:
            return "truncated frame"
        if any(pair in frame for pair in self._inner_pairs):
            return "inner addresses in the clear"
        ether_type = int.from_bytes(frame[12:14], "big")
        if ether_type == ETHER_ARP:
            return "ARP"
        if ether_type != ETHER_IP4:
            return f"EtherType 0x{ether_type:04x}"
        if frame[23] != PROTO_ESP:
            return f"IPv4 protocol {frame[23]}"
        return "ESP" if frame[26:34] in self._outer_pairs else "ESP between unknown addresses"

    def run(self, path):
        """Judges every frame, and asks tcpdump for a second opinion."""
        for number, frame in enumerate(frames(path), start=1):
            verdict = self.judge(frame)
            self.counts[verdict] += 1
            if verdict not in ("ARP", "ESP") and len(self.offences) < 5:
                self.offences.append(f"frame {number}: {verdict}")
        for expression in ("not arp and not ip proto 50", self._inner_filter):
            count = self._tcpdump_count(path, expression)
            if count:
                self.offences.append(f"tcpdump finds {count} frames of '{expression}'")
        if not self.counts["ESP"]:
            self.offences.append("no ESP at all")
        return not self.offences

    @staticmethod
    def _tcpdump_count(path, expression):
        text = run("tcpdump", "-n", "--count", "-r", path, expression).stdout
        return int(re.search(r"(\d+) packet", text)[1])


def lay(lab, left, right, name):
    """The cable between two gateways: a bridge in a namespace of its own, without an address.
    Returns the namespace; "left" is the port to listen on."""
    cable = lab.namespace("cable")
    cable.ip("link", "add", "name", "bridge", "type", "bridge", "stp_state", "0",
             "mcast_snooping", "0")
    for gateway, port in ((left, "left"), (right, "right")):
        lab.cable(gateway, name, cable, port)
        cable.ip("link", "set", port, "master", "bridge")
    cable.ip("link", "set", "bridge", "up")
    wait_for(lambda: all(link.get("linkinfo", {}).get("info_slave_data", {}).get("state")
                         == "forwarding" for link in
                         cable.ip_json("-d", "link", "show", "master", "bridge")),
             "the cable's bridge to forward")
    return cable
