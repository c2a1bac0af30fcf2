# SPDX-License-Identifier: BSD-3-Clause
"""A VLAN switch: kernels without VLAN devices of their own reach a trunk port through it."""
import selectors
import socket
import struct
import threading

_SOL_PACKET, _PACKET_AUXDATA, _VLAN_VALID, _ETH_P_ALL, _OUTGOING = 263, 8, 1 << 4, 3, 4
C_TAG, S_TAG = 0x8100, 0x88a8  # IEEE 802.1Q, 802.1ad
_ROOM_FOR_TAGS = 8


def tagged(frame, tags):
    """The frame with these tags, (protocol, id) each, the outermost first."""
    return frame[:12] + b"".join(struct.pack("!HH", *tag) for tag in tags) + frame[12:]


def _untagged(frame, beside):
    """The tags of a frame, and the frame without them. The kernel takes the outer tag of what arrives
    off and tells it beside the frame."""
    tags = []
    for level, kind, data in beside:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, *_, tci, protocol = struct.unpack("=IIIHHHH", data[:20])
            if status & _VLAN_VALID:
                tags.append((protocol, tci & 0xfff))
    while (protocol := int.from_bytes(frame[12:14], "big")) in (C_TAG, S_TAG):
        tags.append((protocol, int.from_bytes(frame[14:16], "big") & 0xfff))
        frame = frame[:12] + frame[16:]
    return tuple(tags), frame


class Switch:
    """Access ports of one trunk: what enters one leaves by the trunk with the port's tags, and back."""

    def __init__(self, lab, role):
        self._space = lab.namespace(role)
        self._lab = lab
        self._by_tags, self._by_port = {}, {}
        self._selector = selectors.DefaultSelector()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        lab.on_close(self.close)

    def trunk(self, namespace, name):
        """The cable to the trunk port, an interface `name` there. Before start()."""
        self._lab.cable(self._space, "trunk", namespace, name)
        self._trunk = self._open("trunk")
        return self

    def uplink(self, namespace, name):
        """The same of the other end of a tap, an interface `name` there, which moves to the switch."""
        namespace.ip("link", "set", name, "netns", self._space.name)
        self._space.ip("link", "set", name, "name", "trunk", "mtu", 1500 + _ROOM_FOR_TAGS, "up")
        self._trunk = self._open("trunk")
        return self

    def access(self, namespace, name, vlan, outer=None):
        """A cable to an interface `name` there, whose frames are of that VLAN; of a customer whose
        frames have the service tag `outer`, where there is one."""
        inside = f"port{len(self._by_port)}"
        self._lab.cable(self._space, inside, namespace, name)
        port = self._open(inside)
        tags = ((S_TAG, outer),) * (outer is not None) + ((C_TAG, vlan),)
        self._by_tags[tags], self._by_port[port] = port, tags

    def start(self):
        self._thread.start()
        return self

    def inject(self, frame):
        """Sends a frame, tags and all, by the trunk."""
        self._trunk.send(bytes(frame))

    def close(self):
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(10)
        for port in [*self._by_port, self._trunk]:
            port.close()

    def _open(self, interface):
        with self._space.entered():
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        port.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        with self._space.entered():
            port.bind((interface, _ETH_P_ALL))
        self._selector.register(port, selectors.EVENT_READ)
        return port

    def _run(self):
        while not self._ending.is_set():
            for key, _ in self._selector.select(timeout=0.1):
                frame, beside, _, source = key.fileobj.recvmsg(65536, 256)
                if source[2] != _OUTGOING:
                    self._forward(key.fileobj, frame, beside)

    def _forward(self, port, frame, beside):
        if port is not self._trunk:
            self._trunk.send(tagged(frame, self._by_port[port]))
            return
        tags, plain = _untagged(frame, beside)
        if out := self._by_tags.get(tags):
            out.send(plain)
