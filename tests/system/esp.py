# SPDX-License-Identifier: BSD-3-Clause
"""The far end of a tunnel in Python: scapy for what is well-formed, AES-GCM by hand for what is not
(ESP in tunnel mode with AES-GCM and a 16-byte ICV, RFC 4303 and RFC 4106)."""
import os
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.layers.inet import IP
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.layers.l2 import Ether

SALT_LEN = 4
IPV4_IN = 4  # ESP next header: an IPv4 packet


class Peer:
    """One tunnel's other end, as seen on the cable behind `station`."""

    def __init__(self, station, name, local, remote, network, spi_from_gateway, spi_to_gateway,
                 key_from_gateway, key_to_gateway):
        self.station, self.name = station, name
        self.local, self.remote, self.network = local, remote, network
        self.spi_from_gateway, self.spi_to_gateway = spi_from_gateway, spi_to_gateway
        self.key_from_gateway, self.key_to_gateway = key_from_gateway, key_to_gateway
        self.inside = f"{network}.9"  # a host behind it
        self._opens = SecurityAssociation(
            ESP, spi=spi_from_gateway, crypt_algo="AES-GCM", crypt_key=key_from_gateway,
            tunnel_header=IP(src=local, dst=remote))
        self._seals = SecurityAssociation(
            ESP, spi=spi_to_gateway, crypt_algo="AES-GCM", crypt_key=key_to_gateway,
            tunnel_header=IP(src=remote, dst=local))
        self._sequence = 0

    def next_sequence(self, step=1):
        self._sequence += step
        return self._sequence

    def seal(self, inner, sequence=None):
        """A frame with `inner`, an IP packet, sealed by scapy."""
        sequence = self.next_sequence() if sequence is None else sequence
        return self.station.ether() / self._seals.encrypt(inner, seq_num=sequence)

    def seal_bytes(self, plaintext, sequence=None, spi=None, key=None, **outer):
        """A frame whose ESP payload, trailer included, is `plaintext`, as it is."""
        sequence = self.next_sequence() if sequence is None else sequence
        key = key or self.key_to_gateway
        header = struct.pack(">II", self.spi_to_gateway if spi is None else spi, sequence)
        iv = os.urandom(8)
        sealed = AESGCM(key[:-SALT_LEN]).encrypt(key[-SALT_LEN:] + iv, plaintext, header)
        return self.outer(header + iv + sealed, **outer)

    def outer(self, payload, **fields):
        """A frame with an outer header and these bytes as protocol 50."""
        fields = {"src": self.remote, "dst": self.local, "proto": 50, **fields}
        return self.station.ether() / IP(**fields) / payload

    @staticmethod
    def trailer(length, pad=None, next_header=IPV4_IN):
        """Padding, pad length and next header for a payload of `length` bytes (RFC 4303 2.4)."""
        if pad is None:
            pad = bytes(range(1, 1 + (-(length + 2)) % 4))
        return pad + bytes([len(pad), next_header])

    def is_ours(self, frame):
        packet = Ether(frame)
        return ESP in packet and packet[ESP].spi == self.spi_from_gateway

    def receive(self):
        """The next frame of the tunnel. Returns (outer IP header, ESP, inner packet by scapy)."""
        frame = self.station.tap.receive(self.is_ours)
        assert frame, f"no ESP of {self.name} arrives"
        packet = Ether(frame)
        return packet[IP], packet[ESP], self.open(frame)

    def open(self, frame):
        """The inner packet of a frame, ICV checked by scapy."""
        return self._opens.decrypt(Ether(frame)[IP])
