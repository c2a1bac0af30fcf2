# SPDX-License-Identifier: BSD-3-Clause
"""VLAN tags seen from the other end of a cable, where the kernel has no VLANs."""
import contextlib
import socket
import struct
import time

from scapy.layers.l2 import Ether


class TaggedTap:
    """Frames with their VLAN tag, which the kernel takes off and tells beside them."""
    _SOL_PACKET, _PACKET_AUXDATA, _VLAN_VALID, _ETH_P_ALL = 263, 8, 1 << 4, 3

    def __init__(self, namespace, name):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(self._ETH_P_ALL))
        self.socket.bind((name, self._ETH_P_ALL))
        self.socket.setsockopt(self._SOL_PACKET, self._PACKET_AUXDATA, 1)

    def send(self, frame):
        self.socket.send(bytes(frame))

    def receive(self):
        """[(tag protocol, tag control information, scapy's frame)] of what comes in a while."""
        frames, end = [], time.monotonic() + 0.2
        with contextlib.suppress(TimeoutError):
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                frame, beside, _, source = self.socket.recvmsg(4096, 256)
                if source[2] == socket.PACKET_OUTGOING:
                    continue
                fields = struct.unpack("=IIIHHHH", beside[0][2][:20])
                tag = (fields[6], fields[5]) if fields[0] & self._VLAN_VALID else (None, None)
                frames.append((*tag, Ether(frame)))
        return frames
