# SPDX-License-Identifier: BSD-3-Clause
"""Each PMD, under each kernel driver that hands a device over: packets, and everything that changes
a port while it runs.

    test == p0 \\
    test == p1  > polluxd            three NICs of one model
    test == p2 /
"""
import contextlib
import threading
import time

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.l2 import ARP, Ether
from traffic import MAX_FRAME, MIN_FRAME, Background, Exchange, Flow, Hop

ALL_SIZES = MAX_FRAME - MIN_FRAME + 1
BROADCAST = "ff:ff:ff:ff:ff:ff"


def part(frame, layer, **fields):
    """The frame, parsed, if it has that layer with these fields; None otherwise."""
    packet = Ether(frame)
    matches = layer in packet and all(getattr(packet[layer], name) == value
                                      for name, value in fields.items())
    return packet if matches else None


def test_forwards_every_size(router):
    """Three ports, all ways between neighbours at once, every size from 60 to 1514 bytes."""
    before, packets = router.drops(), router.packets()
    flows = router.flows(0, 1) + router.flows(1, 2) + router.flows(2, 0)
    Exchange(flows, ALL_SIZES).run()
    assert router.drops() == before
    moved = {name: tuple(now - then for now, then in zip(counts, packets[name]))
             for name, counts in router.packets().items()}
    # A port may have announced itself by ARP meanwhile.
    assert all(rx == 2 * ALL_SIZES <= tx <= 2 * ALL_SIZES + 3 for rx, tx in moved.values()), moved


def test_resolves_a_neighbor(router):
    """Broadcasts go out and come in: polluxd asks for a host, and is asked."""
    source, target = router.hops[0], router.hops[1]
    flow = Flow(source, target, target_host=3)
    assert source.wire.send(flow.sent(0))
    absent, us = f"{target.network}.3", f"{target.network}.1"
    asked = target.wire.wait_for(lambda f: part(f, ARP, op=1, pdst=absent))
    assert (asked.dst, asked[ARP].hwsrc, asked[ARP].psrc) == (BROADCAST, target.router_mac, us)
    assert target.wire.send(bytes(
        Ether(src=target.station_mac, dst=target.router_mac) /
        ARP(op=2, hwsrc=target.station_mac, psrc=absent, hwdst=target.router_mac, pdst=us)))
    assert target.wire.wait_for(lambda f: f == flow.expected(0))

    assert target.wire.send(bytes(
        Ether(src=target.station_mac, dst=BROADCAST) /
        ARP(op=1, hwsrc=target.station_mac, psrc=absent, pdst=us)))
    answer = target.wire.wait_for(lambda f: part(f, ARP, op=2))
    assert (answer.dst, answer[ARP].hwsrc) == (target.station_mac, target.router_mac)


@contextlib.contextmanager
def noise(router):
    """Frames from p0 to p2, and into p2 and out of it again, for as long as the block lasts, of
    which nobody asks what became. Nothing of it leaves p0 or p1, so that it fills no queue of
    theirs; what leaves p2 is taken away, or what follows would be lost there."""
    near, far = router.hops[0], router.hops[2]
    flows, cable = [Flow(near, far), Flow(far, far, source_host=3)], far.wire
    stop = threading.Event()

    def send():
        number = 0
        while not stop.is_set():
            for flow in flows:
                flow.source.wire.send(flow.sent(number))
            cable.receive()
            number += 1
            time.sleep(0.002)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_destroyed_and_created_under_traffic(router):
    """Twice, with packets on their way into and out of p2; p0 and p1 lose nothing."""
    with Background(router.flows(0, 1)) as traffic, noise(router):
        for _ in range(2):
            traffic.more()
            router.plx("ifconfig", "p2", "destroy")
            assert "p2" not in router.packets()
            traffic.more()
            router.create(2)
            router.wait_for_links(p2=True)
            traffic.more()
            assert min(router.packets()["p2"]) > 0
    # What the noise left in the cables and queues ends in `others` here.
    Exchange(router.flows(0, 2) + router.flows(1, 2), ALL_SIZES).run()


def test_mtu(router):
    """A smaller MTU is kept to on the way out, told to the sender, and can be taken back."""
    a, b = router.hops[:2]
    router.plx("ifconfig", "p1", "mtu", 1400)
    try:
        Exchange([Flow(a, b, sizes=[1414]), Flow(b, a, sizes=[1414])], 64).run()
        before = router.drops().get("Ip4TooBig", 0)
        assert a.wire.send(Flow(a, b, sizes=[1415]).sent(0))
        told = a.wire.wait_for(lambda f: part(f, ICMP, type=3))
        assert (told[ICMP].code, told[ICMP].nexthopmtu) == (4, 1400)
        assert router.drops()["Ip4TooBig"] == before + 1
    finally:
        router.plx("ifconfig", "p1", "mtu", 1500)
    router.assert_carries(0, 1, sizes=[MAX_FRAME])


def test_link_goes_and_comes(router):
    """The cable is pulled at the device's side; polluxd says so, and goes on when it is back."""
    with Background(router.flows(0, 2)) as traffic:
        router.guest.qmp("set_link", name="net1", up=False)
        router.wait_for_links(p1=False)
        traffic.more()
        router.guest.qmp("set_link", name="net1", up=True)
        router.wait_for_links(p1=True)
        traffic.more()
    router.assert_carries(0, 1, count=ALL_SIZES)


def test_promiscuous_mode(router):
    """Frames to another station: the device leaves them out unless told otherwise, and then the
    stack does, and counts them."""
    a = router.hops[0]
    foreign = bytes(Ether(src=a.station_mac, dst="02:00:00:00:00:99", type=0x88b5) / bytes(64))

    def ignored(count):
        """How many more are counted after `count` of them; traffic behind them shows they are in."""
        before = router.drops().get("EtherNotForUs", 0)
        for _ in range(count):
            assert a.wire.send(foreign)
        router.assert_carries(0, 1)
        return router.drops().get("EtherNotForUs", 0) - before

    filters = "promiscuous" in capabilities(router)
    assert ignored(8) == (0 if filters else 8)
    router.plx("ifconfig", "p0", "promisc")
    assert ignored(8) == 8
    router.plx("ifconfig", "p0", "-promisc")
    assert ignored(8) == (0 if filters else 8)


def capabilities(router):
    """Of p0, as nicinfo tells them."""
    return router.plx("nicinfo", "p0")[0]["capabilities"]


def test_vlan(router):
    """Tagged frames between a VLAN of p1 and p0, up to the full MTU; an unknown tag is counted."""
    port = router.hops[1]
    tagged = Hop(port.wire, port.station_mac, port.router_mac, "10.4.0", vlan=42)
    router.plx("ifconfig", "vlan0", "create", "vlan", 42, "vlandev", "p1")
    try:
        router.plx("ifconfig", "vlan0", "inet", "10.4.0.1/24")
        router.plx("arp", "add", "vlan0", "10.4.0.2", port.station_mac)
        plain = router.hops[0]
        Exchange([Flow(plain, tagged), Flow(tagged, plain)] + router.flows(0, 1), ALL_SIZES).run()
        before = router.drops()
        stray = Hop(port.wire, port.station_mac, port.router_mac, "10.4.0", vlan=43)
        assert port.wire.send(Flow(stray, plain).sent(0))
        router.assert_carries(0, 1)
        after = router.drops()
        assert {r: n for r, n in after.items() if n != before.get(r, 0)} == {
            "VlanUnknown": before.get("VlanUnknown", 0) + 1}
    finally:
        router.plx("ifconfig", "vlan0", "destroy")


@pytest.mark.binding("vfio-pci")
def test_pulled_and_plugged_in_again(router):
    """vfio asks for a device back before it goes. p2 lets it go, stays with all that is configured,
    and takes the device that is plugged in later; p0 and p1 lose nothing."""
    with Background(router.flows(0, 1)) as traffic, noise(router):
        router.guest.pull(2)
        assert router.is_absent(2)
        traffic.more()
        router.guest.plug(2)
        router.guest.bind(2, router.binding)
        router.wait_for_links(p2=True)
        assert not router.is_absent(2)
        traffic.more()
        assert min(router.packets()["p2"]) > 0
    Exchange(router.flows(0, 2) + router.flows(1, 2), ALL_SIZES).run()


def test_killed_and_started_again(router):
    """kill -9 leaves devices running and memory mapped; a new daemon takes over all the same."""
    router.stop("KILL")
    router.start()
    Exchange(router.flows(0, 1) + router.flows(1, 2), ALL_SIZES).run()
    assert router.stop() == 0
    router.start()
    router.assert_carries(1, 2)
