# SPDX-License-Identifier: BSD-3-Clause
"""Routing tables as a router of the default-free zone has them: their prefixes' lengths in the
shares of the public tables, several hundred next hops. The same each time."""
import random

SHARES4 = {24: 60, 23: 10, 22: 11, 21: 5, 20: 4.5, 19: 2.7, 18: 1.5, 17: 0.9, 16: 1.4, 15: 0.3,
           14: 0.2, 13: 0.1, 12: 0.05, 25: 0.5, 26: 0.5, 27: 0.4, 28: 0.4, 29: 0.3, 30: 0.2, 32: 0.6}
SHARES6 = {48: 47, 32: 13, 44: 10, 40: 9, 36: 5, 46: 3, 42: 3, 45: 2, 33: 2, 34: 1, 29: 3, 47: 1,
           28: 0.3, 35: 0.5, 38: 0.5, 39: 0.3, 43: 0.5, 56: 0.5, 64: 0.6, 128: 0.2}
TESTED4 = "198.51.100.0/24"  # always among them, by the first next hop
TESTED6 = "2001:db8:ffff::/48"


def _lengths(shares, count, rng):
    """A length for each prefix; longer than /24 or /48, they crowd in a few networks."""
    return rng.choices(list(shares), weights=shares.values(), k=count)


def table4(count, next_hops):
    """Lines for `plx route load`: `count` prefixes outside of 0/8, 10/8, 127/8 and above 223/8."""
    rng, seen = random.Random(4), set()
    yield f"{TESTED4} via {next_hops[0]}\n"
    for length in _lengths(SHARES4, count - 1, rng):
        while True:
            # Those longer than /24 lie in 8192 networks, as an operator's own do.
            high = 100 << 24 | rng.getrandbits(13) << 8 if length > 24 else rng.getrandbits(32)
            network = (high | rng.getrandbits(8)) >> (32 - length) << (32 - length)
            first = network >> 24
            if 0 < first < 224 and first not in (10, 127) and (network, length) not in seen:
                break
        seen.add((network, length))
        text = ".".join(str(network >> shift & 255) for shift in (24, 16, 8, 0))
        if text + f"/{length}" != TESTED4:
            yield f"{text}/{length} via {rng.choice(next_hops)}\n"
        else:
            yield f"198.18.0.0/15 via {rng.choice(next_hops)}\n"


def table6(count, next_hops):
    """The same of IPv6: half of the prefixes lie in the /32s of the others."""
    rng, seen, wide = random.Random(6), set(), []
    yield f"{TESTED6} via {next_hops[0]}\n"
    for length in _lengths(SHARES6, count - 1, rng):
        while True:
            top = 0x20 | rng.randrange(16)
            if length > 32 and wide and rng.random() < 0.7:
                bits = rng.choice(wide)
            else:
                bits = top << 120 | rng.getrandbits(24) << 96
                wide.append(bits)
            bits |= rng.getrandbits(16) << 80 | (rng.getrandbits(80) if length > 48 else 0)
            network = bits >> (128 - length) << (128 - length)
            if (network, length) not in seen and network >> 96 != 0x20010db8:
                break
        seen.add((network, length))
        text = ":".join(f"{network >> shift & 0xffff:x}" for shift in range(112, -1, -16))
        yield f"{text}/{length} via {rng.choice(next_hops)}\n"


def prefixes(lines):
    return [line.split()[0] for line in lines]
