# SPDX-License-Identifier: BSD-3-Clause
"""A VLAN switch: kernels without VLAN devices of their own reach a trunk port through it."""
import selectors
import socket
import struct
import threading

_SOL_PACKET, _PACKET_AUXDATA, _VLAN_VALID, _ETH_P_ALL, _OUTGOING = 263, 8, 1 << 4, 3, 4
_TPID = 0x8100


class Switch:
    """Access ports of one trunk: what enters one leaves by the trunk with the port's tag, and back.

    The kernel takes the tag of what arrives off and tells it beside the frame."""

    def __init__(self, lab, role):
        self._space = lab.namespace(role)
        self._lab = lab
        self._by_id, self._by_port = {}, {}
        self._selector = selectors.DefaultSelector()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        lab.on_close(self.close)

    def trunk(self, namespace, name):
        """The cable to the trunk port, an interface `name` there. Before start()."""
        self._lab.cable(self._space, "trunk", namespace, name)
        self._trunk = self._open("trunk")
        return self

    def access(self, namespace, name, vlan):
        """A cable to an interface `name` there, whose frames are of that VLAN."""
        self._lab.cable(self._space, f"port{vlan}", namespace, name)
        port = self._open(f"port{vlan}")
        self._by_id[vlan], self._by_port[port] = port, vlan

    def start(self):
        self._thread.start()
        return self

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
            tag = struct.pack("!HH", _TPID, self._by_port[port])
            return self._trunk.send(frame[:12] + tag + frame[12:])
        for level, kind, data in beside:
            if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
                status, *_, tci, _tpid = struct.unpack("=IIIHHHH", data[:20])
                if status & _VLAN_VALID and (out := self._by_id.get(tci & 0xfff)):
                    out.send(frame)
        return None
