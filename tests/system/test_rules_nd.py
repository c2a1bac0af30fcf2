# SPDX-License-Identifier: BSD-3-Clause
"""The rules of RFC 4861 and 4862, in the order of their sections: packet in; packet, answer, address or
named drop out. `grep "RFC 4861 7.1"` finds the rows of a section; rules.py says what a row means. What
no single packet shows is elsewhere: states and times in tests/proto/neighbor_discovery_test.cc, with
kernels in test_nd.py; addresses' lives in tests/manager/autoconf_test.cc and address_life_test.cc.
"""
import contextlib
import socket

import pytest
from lab import wait_for
from networks import interface
from rules import GW6, HOST6, MAC_A, MAC_UP, Rule, check, error_of
from scapy.compat import raw
from scapy.layers.inet6 import (
    ICMPv6MLQuery2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6ND_Redirect,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrFragment,
    RouterAlert,
    in6_getnsma,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from test_rules_ip6 import ALL_NODES, LL, hop, ip, message, udp

ALL_ROUTERS = "ff02::2"


SLLA = ICMPv6NDOptSrcLLAddr(lladdr=MAC_A)
ZERO = Raw(b"\x0e\0" + bytes(6))  # an option of length 0
LONG = Raw(b"\x0e\2" + bytes(6))  # one that runs past the message


def solicited(target):
    return socket.inet_ntop(socket.AF_INET6, in6_getnsma(socket.inet_pton(socket.AF_INET6, target)))


def ns(s, target=GW6, rest=SLLA, dst=None, src=HOST6, hlim=255, **fields):
    return ip(s, dst or solicited(target), ICMPv6ND_NS(tgt=target, **fields) / rest, src=src, hlim=hlim)


def na(s, dst=GW6, hlim=255, rest=b"", **fields):
    body = ICMPv6ND_NA(**{"tgt": HOST6, "S": 1, "R": 0, "O": 0, **fields})
    return ip(s, dst, body / rest if rest else body, hlim=hlim)


def rs(s, hlim=255, src=LL, rest=SLLA, **fields):
    return ip(s, ALL_ROUTERS, ICMPv6ND_RS(**fields) / rest, src=src, hlim=hlim)


def ra(s, hlim=255, src=LL, rest=SLLA, **fields):
    return ip(s, ALL_NODES, ICMPv6ND_RA(**fields) / rest, src=src, hlim=hlim)


def redirect(s, hlim=255, src=LL, rest=b"", tgt="fe80::77", dst="2001:db8:ff::1", **fields):
    body = ICMPv6ND_Redirect(tgt=tgt, dst=dst, **fields)
    return ip(s, GW6, body / rest if rest else body, src=src, hlim=hlim)


def is_advertisement(target=GW6, **flags):
    def holds(p):
        a = p[ICMPv6ND_NA]
        return (p[IPv6].hlim == 255 and a.tgt == target and (a.R, a.S, a.O) == (1, 1, 1) and
                a.payload.lladdr == p.src)
    return holds


RFC_4861 = [
    Rule("RFC 4861 4.6", "an unknown option is passed over",
         lambda s: ns(s, rest=Raw(b"\xc8\1" + bytes(6)) / SLLA), answered=is_advertisement()),
    Rule("RFC 4861 4.3", "reserved bits are passed over", lambda s: ns(s, res=0x7fffffff),
         answered=is_advertisement()),
    Rule("RFC 4861 6.1.1", "hop limit", lambda s: rs(s, hlim=254), "NdBadHopLimit"),
    Rule("RFC 4861 6.1.1", "checksum", lambda s: rs(s, cksum=1), "Icmp6BadChecksum"),
    Rule("RFC 4861 6.1.1", "code", lambda s: rs(s, code=1), "NdBadCode"),
    Rule("RFC 4861 6.1.1", "length", lambda s: message(s, ALL_ROUTERS, b"\x85\0\0\0\0\0\0", LL),
         "Icmp6Truncated"),
    Rule("RFC 4861 6.1.1", "option of length 0", lambda s: rs(s, rest=ZERO), "NdBadOption"),
    Rule("RFC 4861 6.1.1", "option past the message", lambda s: rs(s, rest=LONG), "NdBadOption"),
    Rule("RFC 4861 6.1.1", "from nobody, with an address", lambda s: rs(s, src="::"), "NdBadSource"),
    Rule("RFC 4861 6.1.2", "source", lambda s: ra(s, src=HOST6), "NdBadSource"),
    Rule("RFC 4861 6.1.2", "hop limit", lambda s: ra(s, hlim=1), "NdBadHopLimit"),
    Rule("RFC 4861 6.1.2", "checksum", lambda s: ra(s, cksum=1), "Icmp6BadChecksum"),
    Rule("RFC 4861 6.1.2", "code", lambda s: ra(s, code=9), "NdBadCode"),
    Rule("RFC 4861 6.1.2", "length", lambda s: message(s, ALL_NODES, b"\x86" + bytes(14), LL),
         "NdTruncated"),
    Rule("RFC 4861 6.1.2", "option of length 0", lambda s: ra(s, rest=ZERO), "NdBadOption"),
    Rule("RFC 4861 6.1.2", "option past the message", lambda s: ra(s, rest=LONG), "NdBadOption"),
    Rule("RFC 4861 7.1.1", "hop limit", lambda s: ns(s, hlim=254), "NdBadHopLimit"),
    Rule("RFC 4861 7.1.1", "checksum", lambda s: ns(s, cksum=1), "Icmp6BadChecksum"),
    Rule("RFC 4861 7.1.1", "code", lambda s: ns(s, code=1), "NdBadCode"),
    Rule("RFC 4861 7.1.1", "length", lambda s: message(s, GW6, b"\x87" + bytes(22)), "NdTruncated"),
    Rule("RFC 4861 7.1.1", "target is a group", lambda s: ns(s, ALL_NODES, dst=GW6), "NdBadTarget"),
    Rule("RFC 4861 7.1.1", "option of length 0", lambda s: ns(s, rest=ZERO), "NdBadOption"),
    Rule("RFC 4861 7.1.1", "option past the message", lambda s: ns(s, rest=LONG), "NdBadOption"),
    Rule("RFC 4861 7.1.1", "from nobody to other than the solicited-node group",
         lambda s: ns(s, src="::", dst=ALL_NODES, rest=Raw(b"")), "NdBadDestination"),
    Rule("RFC 4861 7.1.1", "from nobody, with an address", lambda s: ns(s, src="::"), "NdBadSource"),
    Rule("RFC 4861 7.1.2", "hop limit", lambda s: na(s, hlim=64), "NdBadHopLimit"),
    Rule("RFC 4861 7.1.2", "checksum", lambda s: na(s, cksum=1), "Icmp6BadChecksum"),
    Rule("RFC 4861 7.1.2", "code", lambda s: na(s, code=1), "NdBadCode"),
    Rule("RFC 4861 7.1.2", "length", lambda s: message(s, GW6, b"\x88" + bytes(22)), "NdTruncated"),
    Rule("RFC 4861 7.1.2", "target is a group", lambda s: na(s, tgt=ALL_NODES), "NdBadTarget"),
    Rule("RFC 4861 7.1.2", "to a group, solicited", lambda s: na(s, ALL_NODES), "NdBadDestination"),
    Rule("RFC 4861 7.1.2", "option of length 0", lambda s: na(s, rest=ZERO), "NdBadOption"),
    Rule("RFC 4861 7.1.2", "option past the message", lambda s: na(s, rest=LONG), "NdBadOption"),
    Rule("RFC 4861 7.2.3", "a solicitation for another", lambda s: ns(s, "2001:db8:1::77", dst=GW6),
         "NdNotForUs"),
    Rule("RFC 4861 7.2.4", "a solicitation is answered: router, solicited, override, our address", ns,
         answered=is_advertisement()),
    Rule("RFC 4861 7.2.4", "to us alone, without an address", lambda s: ns(s, dst=GW6, rest=Raw(b"")),
         answered=is_advertisement()),
    Rule("RFC 4861 7.2.5", "an advertisement of who is not known",
         lambda s: na(s, tgt="2001:db8:1::78", rest=Raw(b"\2\1" + bytes([2, 0, 0, 0, 0, 7])))),
    Rule("RFC 4861 8.1", "source", lambda s: redirect(s, src=HOST6), "NdBadSource"),
    Rule("RFC 4861 8.1", "hop limit", lambda s: redirect(s, hlim=254), "NdBadHopLimit"),
    Rule("RFC 4861 8.1", "checksum", lambda s: redirect(s, cksum=1), "Icmp6BadChecksum"),
    Rule("RFC 4861 8.1", "code", lambda s: redirect(s, code=1), "NdBadCode"),
    Rule("RFC 4861 8.1", "length", lambda s: message(s, GW6, b"\x89" + bytes(38), LL), "NdTruncated"),
    Rule("RFC 4861 8.1", "destination is a group", lambda s: redirect(s, dst="ff05::1"),
         "NdBadDestination"),
    Rule("RFC 4861 8.1", "target neither link-local nor the destination",
         lambda s: redirect(s, tgt="2001:db8:1::77"), "NdBadTarget"),
    Rule("RFC 4861 8.1", "option of length 0", lambda s: redirect(s, rest=ZERO), "NdBadOption"),
    Rule("RFC 4861 8.1", "option past the message", lambda s: redirect(s, rest=LONG), "NdBadOption"),
    Rule("RFC 4861 8.3", "a router takes none", redirect, "NdNotRouter"),
    Rule("RFC 6980 5", "a solicitation in a fragment header", lambda s: ip(
        s, GW6, IPv6ExtHdrFragment(m=0, offset=0, id=1) / ICMPv6ND_NS(tgt=GW6) / SLLA, hlim=255),
         "NdFragmented"),
    Rule("RFC 3810 6.2", "a query without router alert",
         lambda s: ip(s, ALL_NODES, ICMPv6MLQuery2(), src=LL, hlim=1), "MldRefused"),
    Rule("RFC 3810 6.2", "a query from beyond the link",
         lambda s: ip(s, ALL_NODES, hop(RouterAlert()) / ICMPv6MLQuery2(), hlim=1), "MldRefused"),
    Rule("RFC 3810 6.2", "a query that was forwarded",
         lambda s: ip(s, ALL_NODES, hop(RouterAlert()) / ICMPv6MLQuery2(), src=LL, hlim=2),
         "MldRefused"),
]
RULES = RFC_4861


@pytest.mark.parametrize("rule", RULES, ids=[r.name for r in RULES])
def test_rule(bench, rule):
    check(bench, rule)


def test_redirects(bench):
    """RFC 4861 8.2: from our link-local address, of the router's, with its MAC and the packet; and the
    packet goes on."""
    to_better = udp(bench.a, "2001:db8:50::1")
    drops, back, _ = bench.try_out(to_better)
    assert drops == {} and not [p for p in back if error_of(p)], "off unless asked for"
    bench.daemon.plx("sysctl", "net.inet6.ip6.redirect=1")
    try:
        drops, back, _ = bench.try_out(to_better)
        assert drops == {}
        (told,) = [p for p in back if error_of(p)]
        said = told[ICMPv6ND_Redirect]
        assert (told[IPv6].src, told[IPv6].dst, told[IPv6].hlim) == (
            bench.link_local("lan0"), HOST6, 255)
        assert (said.tgt, said.dst, said.payload.lladdr) == (
            "fe80::9", "2001:db8:50::1", "02:00:00:00:01:09")
        assert raw(to_better[IPv6]).startswith(raw(told[ICMPv6NDOptRedirectedHdr].pkt)[:40])
        assert [p for p in back if p.dst == "02:00:00:00:01:09" and p[IPv6].hlim == 63]
    finally:
        bench.daemon.plx("sysctl", "net.inet6.ip6.redirect=0")


def states(bench, name):
    """{address: its state} of an interface."""
    return {a["address"].split("/")[0]: a["state"]
            for a in interface(bench.daemon, name)["address_states"]}


@contextlib.contextmanager
def under_test(bench, address):
    """An address of lan0 for whose uniqueness the link is being asked (RFC 4862 5.4)."""
    bench.daemon.plx("sysctl", "net.inet6.ip6.dad_count=10")
    bench.daemon.plx("ifconfig", "lan0", "inet6", f"{address}/64")
    try:
        assert states(bench, "lan0")[address] == "tentative"
        yield address
    finally:
        bench.daemon.plx("ifconfig", "lan0", "inet6", f"{address}/64", "delete")
        bench.daemon.plx("sysctl", "net.inet6.ip6.dad_count=0")


TENTATIVE = "2001:db8:1::aa"
OTHERS = b"\2\1" + bytes([2, 0, 0, 0, 0, 7])  # the MAC of who has it
TESTED = [
    # section, what, the packet, the drop, the address afterwards
    ("RFC 4862 5.4.3", "who wants to send to it is not answered",
     lambda s: ns(s, TENTATIVE), "NdNotForUs", "tentative"),
    ("RFC 4862 5.4.3", "who asks for it as nobody is about to take it",
     lambda s: ns(s, TENTATIVE, src="::", rest=Raw(b"")), "NdConflict", "duplicated"),
    ("RFC 4862 5.4.4", "who advertises it has it",
     lambda s: na(s, ALL_NODES, S=0, tgt=TENTATIVE, rest=Raw(OTHERS)), "NdConflict", "duplicated"),
    ("RFC 4862 5.4", "an advertisement that came across a router says nothing",
     lambda s: na(s, ALL_NODES, S=0, tgt=TENTATIVE, hlim=254, rest=Raw(OTHERS)), "NdBadHopLimit",
     "tentative"),
]


@pytest.mark.parametrize("section, what, send, drop, state", TESTED,
                         ids=[f"{t[0]}: {t[1]}" for t in TESTED])
def test_address_under_test(bench, section, what, send, drop, state):
    with under_test(bench, TENTATIVE):
        drops, back, _ = bench.try_out(send(bench.a))
        assert drops == {drop: 1}
        assert not [p for p in back if ICMPv6ND_NA in p and p[ICMPv6ND_NA].tgt == TENTATIVE]
        wait_for(lambda: states(bench, "lan0")[TENTATIVE] == state, state)


def test_address_that_is_ours_is_defended(bench):
    """RFC 4862 5.4.3: who tests an address of ours is answered, to all."""
    _, back, _ = bench.try_out(ns(bench.a, GW6, src="::", rest=Raw(b"")))
    (said,) = [p for p in back if ICMPv6ND_NA in p and p[ICMPv6ND_NA].tgt == GW6]
    assert (said[IPv6].dst, said[ICMPv6ND_NA].S, said[ICMPv6ND_NA].O) == (ALL_NODES, 0, 1)


def prefix(text, length=64, **fields):
    return ICMPv6NDOptPrefixInfo(**{"prefix": text, "prefixlen": length, "L": 1, "A": 1,
                                    "validlifetime": 1000, "preferredlifetime": 500, **fields})


PREFIXES = [
    # section, what, the option, whether an address is made of it
    ("RFC 4862 5.5.3 (a)", "not autonomous", prefix("2001:db8:a1::", A=0), False),
    ("RFC 4862 5.5.3 (b)", "link-local", prefix("fe80::", L=0), False),
    ("RFC 4862 5.5.3 (c)", "preferred longer than valid",
     prefix("2001:db8:a3::", validlifetime=10, preferredlifetime=11), False),
    ("RFC 4862 5.5.3 (d)", "prefix of 63 bits", prefix("2001:db8:a4::", 63), False),
    ("RFC 4862 5.5.3 (d)", "prefix of 65 bits", prefix("2001:db8:a5::", 65), False),
    ("RFC 4861 4.6.2", "prefix of 129 bits", prefix("2001:db8:a6::", 129), False),
    ("RFC 4862 5.5.3 (d)", "valid for no time", prefix("2001:db8:a7::", validlifetime=0,
                                                         preferredlifetime=0), False),
    ("RFC 4862 5.5.3 (d)", "as it should be", prefix("2001:db8:a8::"), True),
    ("RFC 4862 5.5.3 (d)", "not on the link", prefix("2001:db8:a9::", L=0), True),
    ("RFC 4862 5.5.4", "preferred for no time: deprecated",
     prefix("2001:db8:aa::", preferredlifetime=0), True),
]


def test_prefixes_that_routers_advertise(bench):
    """All of them, then one that makes an address: when that is there, the others are dealt with."""
    for _, _, option, _ in PREFIXES + [(0, 0, prefix("2001:db8:ff::"), True)]:
        bench.up.send(Ether(src=MAC_UP, dst="33:33:00:00:00:01") /
                      IPv6(src="fe80::b", dst=ALL_NODES, hlim=255) /
                      ICMPv6ND_RA(routerlifetime=0) / option)

    def made():
        return {a["address"].split("/")[0]: a["state"]
                for a in interface(bench.daemon, "up0")["address_states"]
                if a["origin"] == "autoconf"}

    def of(text):
        start = text.removesuffix("::")
        return [state for address, state in made().items() if address.startswith(start + ":")]

    wait_for(lambda: of("2001:db8:ff::"), "the last one's address")
    got = {f"{section}: {what}": bool(of(option.prefix)) for section, what, option, _ in PREFIXES
           if option.prefix != "fe80::"}
    assert got == {f"{section}: {what}": wanted for section, what, option, wanted in PREFIXES
                   if option.prefix != "fe80::"}
    assert not [a for a in made() if a.startswith("fe80")]
    wait_for(lambda: of("2001:db8:aa::") == ["deprecated"], "5.5.4")
    assert not bench.daemon.plx("ndp", "-r"), "RFC 4861 6.3.4: router lifetime 0"
