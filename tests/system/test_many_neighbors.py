# SPDX-License-Identifier: BSD-3-Clause
"""A table full of neighbours of both families: some set, some learned. Times and memory are
printed, never judged.

    host 10.8.0.2 ---- 10.8.0.1/15 polluxd
    2001:db8:8::2      2001:db8:8::1/64

The host answers for a few addresses, scapy for none: the others are permanent. POLLUX_TEST_LONG=1:
65,536 neighbours.
"""
import os
import time

import pytest
from api import Api, Asker, Refusal
from lab import wait_for
from networks import Network, af_packet
from test_scale import Big

pytestmark = pytest.mark.inet6

LONG = os.environ.get("POLLUX_TEST_LONG") == "1"
NEIGHBORS = 65_536 if LONG else 2_000
LIVE4 = [f"10.9.255.{n}" for n in range(1, 6)]
LIVE6 = [f"2001:db8:8::ffff:{n}" for n in range(1, 6)]


class Crowd(Network):
    memory_kib, usage = Big.memory_kib, Big.usage

    def __init__(self, lab):
        super().__init__(lab, "crowd")
        self.neighbor = self.host("host", "lan", "10.8.0.2")
        self.neighbor.sysctl("net.ipv6.conf.eth0.disable_ipv6", 0)
        for address in ("10.8.0.2/15", *(f"{a}/15" for a in LIVE4)):
            self.neighbor.address("eth0", address)
        for address in ("2001:db8:8::2", *LIVE6):
            self.neighbor.ip("-6", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
        lan = af_packet("lan0", "lan", "10.8.0.1/15")
        lan["address"].append("2001:db8:8::1/64")
        self.start({"limits": {"neighbors": NEIGHBORS, "next_hops": NEIGHBORS + 1000,
                               "routes": NEIGHBORS + 1000, "route_groups": 1000,
                               "routes6": NEIGHBORS + 1000, "route_groups6": 4096},
                    "sysctl": {"net.inet6.ip6.dad_count": 0}, "interface": [lan]})


@pytest.fixture(scope="module")
def crowd(lab):
    net = Crowd(lab)
    yield net
    net.daemon.stop()


def addresses(count):
    """Half IPv4, half IPv6."""
    for n in range(count // 2):
        yield f"10.{8 + (n >> 15)}.{n >> 8 & 127}.{n & 255}" if n & 0xff else f"10.9.254.{n >> 8}"
        yield f"2001:db8:8::1:{n:x}"


def test_a_full_table_keeps_its_live_ones_and_refuses_the_next(crowd):
    daemon = crowd.daemon
    live = LIVE4 + LIVE6

    def answers(address):
        return daemon.run_plx("ping" if "." in address else "ping6", "-c", 1,
                              address).returncode == 0

    for address in live:  # asked by us, and answered: those never give way
        wait_for(lambda a=address: answers(a), address)
    room = NEIGHBORS - crowd.usage("neighbors")["used"]
    before, begun = crowd.memory_kib(), time.monotonic()
    own = {"10.8.0.1", "10.8.0.2", "10.8.0.0"}
    wanted = [a for a in addresses(2 * NEIGHBORS) if a not in own]
    mac = "02:00:00:00:00:77"
    with Asker(daemon) as asker, Api(daemon) as api:
        for address in wanted[:room]:
            api.call("neighbor.add", interface="lan0", address=address, mac=mac)
        took = time.monotonic() - begun
        # Whoever is not in use gives way, those that answer and those that were set never do.
        with pytest.raises(Refusal, match=r"table is full: \d+ entries \(limits.neighbors\)"):
            for address in wanted[room:room + 64]:
                api.call("neighbor.add", interface="lan0", address=address, mac=mac)
        usage = crowd.usage("neighbors")
        assert usage["used"] == usage["limit"] == NEIGHBORS
        with pytest.raises(Refusal, match="limits.neighbors"):
            api.call("neighbor.add", interface="lan0", address=wanted[-1], mac=mac)
    print(f"\n{room} neighbours in {took:.2f} s, {took / room * 1e6:.1f} us each; "
          f"{(crowd.memory_kib() - before) * 1024 / room:.0f} bytes each\n  meanwhile {asker}")
    begun = time.monotonic()
    known = {n["address"]: n["state"] for n in daemon.plx("ndp", timeout=600)}
    print(f"  all shown in {time.monotonic() - begun:.2f} s")
    assert len(known) == NEIGHBORS and all(known.get(a) == "reachable" for a in LIVE4)
    assert "neighbors" in daemon.run_plx("arp", "usage", check=True).stdout
    # IPv6's are stale after some seconds (RFC 4861), and what is stale gives way: not judged.
    for address in LIVE4:
        assert answers(address), address
    begun = time.monotonic()
    with Api(daemon) as api:
        for address, state in known.items():
            if state == "permanent":
                api.call("neighbor.delete", interface="lan0", address=address)
    print(f"  deleted in {time.monotonic() - begun:.2f} s")
    assert crowd.usage("neighbors")["used"] < 100
