# SPDX-License-Identifier: BSD-3-Clause
"""Numbered UDP frames through a router in a guest, each checked to the last byte.

A flow goes in at one wire and comes out at another. At most a window of its frames is under way, so
that no queue between overflows: what is missing then was lost by somebody.
"""
import dataclasses
import itertools
import select
import socket
import struct
import threading
import time

from lab import GENEROUS_S, LabError

MIN_FRAME, MAX_FRAME = 60, 1514
WINDOW = 32
TTL = 64
VLAN = 0x8100

_MARK = b"plxvm"
_HEADERS = 14 + 20 + 8
_ids = itertools.count(1)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def internet_checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


@dataclasses.dataclass
class Hop:
    """A station on a wire and the router's port there."""
    wire: object
    station_mac: str
    router_mac: str
    network: str           # "10.1.0": the router is .1
    vlan: int | None = None

    def ether(self, to_router):
        ends = [mac_bytes(self.router_mac), mac_bytes(self.station_mac)]
        tag = b"" if self.vlan is None else struct.pack("!HH", VLAN, self.vlan)
        return b"".join(ends if to_router else ends[::-1]) + tag + b"\x08\x00"


class Flow:
    """From a host behind one hop to one behind another, of the frame sizes given, in turn; a VLAN
    tag comes on top."""

    def __init__(self, source, target, sizes=range(MIN_FRAME, MAX_FRAME + 1), ttl=TTL,
                 dont_fragment=True, source_host=2, target_host=2):
        self.source, self.target = source, target
        self.sizes, self.ttl, self.dont_fragment = sizes, ttl, dont_fragment
        self.id = next(_ids)
        self._hosts = [socket.inet_aton(f"{hop.network}.{host}") for hop, host in
                       ((source, source_host), (target, target_host))]
        self._pattern = bytes((i * 7 + self.id) & 0xff for i in range(MAX_FRAME))

    def _packet(self, number, ttl):
        data_len = self.sizes[number % len(self.sizes)] - _HEADERS
        data = (_MARK + struct.pack("!II", self.id, number) +
                self._pattern[number % 16:])[:data_len]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + data_len, number & 0xffff,
                         0x4000 if self.dont_fragment else 0, ttl, socket.IPPROTO_UDP, 0,
                         *self._hosts)
        ip = ip[:10] + struct.pack("!H", internet_checksum(ip)) + ip[12:]
        return ip + struct.pack("!HHHH", 5000, 5001, 8 + data_len, 0) + data

    def sent(self, number):
        return self.source.ether(to_router=True) + self._packet(number, self.ttl)

    def expected(self, number):
        return self.target.ether(to_router=False) + self._packet(number, self.ttl - 1)


def identify(frame):
    """(flow, number) of one of our frames, or None."""
    at = 14 + (4 if frame[12:14] == VLAN.to_bytes(2, "big") else 0) + 28
    if frame[at:at + len(_MARK)] != _MARK:
        return None
    return struct.unpack_from("!II", frame, at + len(_MARK))


class Exchange:
    """Some frames of some flows, at once. `others` has the frames that were none of these."""

    def __init__(self, flows, count, first=0):
        self.flows = {flow.id: flow for flow in flows}
        self.others = []
        self._end = first + count
        self._next = {flow.id: first for flow in flows}
        self._missing = {flow.id: {} for flow in flows}  # number: what must come
        self._wrong = []

    def run(self, stall_s=GENEROUS_S):
        """LabError if a frame is missing, wrong or there twice. A stall of `stall_s` seconds, in
        which none comes, is an end too."""
        wires = {flow.source.wire for flow in self.flows.values()} | \
            {flow.target.wire for flow in self.flows.values()}
        last = time.monotonic()
        while any(self._missing.values()) or any(n < self._end for n in self._next.values()):
            for flow in self.flows.values():
                self._send(flow)
            select.select(list(wires), [], [], 0.05)
            if any([self._receive(wire) for wire in wires]):
                last = time.monotonic()
            elif time.monotonic() - last > stall_s:
                break
        self._judge()

    def _send(self, flow):
        missing = self._missing[flow.id]
        while len(missing) < WINDOW and self._next[flow.id] < self._end:
            number = self._next[flow.id]
            if not flow.source.wire.send(flow.sent(number)):
                return
            missing[number] = flow.expected(number)
            self._next[flow.id] = number + 1

    def _receive(self, wire):
        """@return whether one of ours came."""
        ours = False
        for frame in wire.receive():
            flow, number = identify(frame) or (None, None)
            if flow not in self.flows:
                self.others.append((wire, frame))
                continue
            ours = True
            expected = self._missing[flow].pop(number, None)
            # A short packet is padded to 60 bytes, by whom is the device's affair.
            if expected is None:
                self._wrong.append(f"flow {flow}: {number} came again")
            elif self.flows[flow].target.wire is not wire:
                self._wrong.append(f"flow {flow}: {number} came out at the wrong port")
            elif frame[:len(expected)] != expected or any(frame[len(expected):]):
                self._wrong.append(f"flow {flow}: {number} is not as it should be:\n"
                                   f"{frame[:80].hex(' ')}\n{expected[:80].hex(' ')}")
        return ours

    def _judge(self):
        missing = {flow: sorted(numbers) for flow, numbers in self._missing.items() if numbers}
        if missing or self._wrong:
            unsent = {flow: self._end - n for flow, n in self._next.items() if n < self._end}
            raise LabError("\n".join([
                *(f"flow {flow}: {len(n)} missing: {n[:10]}" for flow, n in missing.items()),
                *(f"flow {flow}: {n} not sent for want of answers" for flow, n in unsent.items()),
                *self._wrong[:5]]))


class Background:
    """Flows that go on, from another thread, while a block runs; all is well at its end or LabError.

        with Background(flows) as traffic:
            ...
            traffic.more()          # returns when every flow has carried more since
    """
    _ROUND = 64

    def __init__(self, flows):
        self._flows = flows
        self._stop = threading.Event()
        self._rounds = 0
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self._stop.is_set():
                Exchange(self._flows, self._ROUND, first=self._rounds * self._ROUND).run()
                self._rounds += 1
        except BaseException as error:  # told at the end of the block
            self._error = error

    def more(self):
        goal = self._rounds + 2
        while self._rounds < goal and self._thread.is_alive():
            time.sleep(0.01)
        self._check()

    @property
    def frames(self):
        return self._rounds * self._ROUND * len(self._flows)

    def _check(self):
        if self._error is not None:
            raise LabError(f"the traffic meanwhile: {self._error}")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop.set()
        self._thread.join()
        if kind is None:
            self._check()
