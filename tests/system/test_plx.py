# SPDX-License-Identifier: BSD-3-Clause
"""plx against a running daemon: every command, its text and its JSON, its exit status; changes
under traffic; and that keys show nowhere."""
import contextlib
import json
import os
import pathlib
import re
import signal

import pytest
from lab import LabError, program, run, wait_for
from networks import interface
from scapy.layers.inet import IP, UDP

COMMANDS = [
    (["ifconfig"], "lan0"),
    (["ifconfig", "lan0"], "10.1.0.1/24"),
    (["route", "show"], "10.3.0.0/16"),
    (["route", "-a"], "local"),
    (["route", "get", "10.2.0.2"], "wan0"),
    (["arp", "show"], "10.1.0.2"),
    (["ipsec", "tunnel", "show"], None),
    (["ipsec", "sa", "show"], None),
    (["stats"], "lan0"),
    (["stats", "--drops"], None),
    (["stats", "--stages"], "ip4"),
    (["stats", "--workers"], None),
    (["stats", "--interfaces"], "wan0"),
    (["stats", "--usage"], "routes"),
    (["sysctl"], "net.inet.ip.forwarding"),
    (["sysctl", "net.inet.ip.ttl"], "64"),
    (["sysctl", "-d"], "seconds"),
    (["ping", "-c", "2", "-i", "0.05", "10.1.0.2"], "10.1.0.2"),
    (["version"], "DPDK"),
]


@pytest.mark.parametrize("words, said", COMMANDS, ids=[" ".join(c[0]) for c in COMMANDS])
def test_every_command_in_text_and_json(lab, router, words, said):
    text = router.daemon.run_plx(*words)
    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.strip()
    if said:
        assert said in text.stdout
    raw = router.daemon.run_plx("-j", *words)
    assert (raw.returncode, raw.stderr) == (0, "")
    json.loads(raw.stdout)


REFUSED = [
    (["ifconfig", "nosuch0"], "nosuch0"),
    (["ifconfig", "lan0", "inet", "10.1.0.1/24"], "10.1.0.1"),
    (["ifconfig", "lan0", "inet", "10.1.0.300/24"], "10.1.0.300"),
    (["ifconfig", "lan0", "inet", "10.77.0.1/24", "delete"], "10.77.0.1"),
    (["ifconfig", "lan0", "mtu", "9"], "mtu"),
    (["route", "add", "10.0.0.0/99", "via", "10.1.0.2"], "10.0.0.0/99"),
    (["route", "add", "10.8.0.0/16", "via", "172.30.0.1"], "172.30.0.1"),
    (["route", "add", "10.8.0.0/16", "via", "10.1.0.2", "dev", "nosuch0"], "nosuch0"),
    (["route", "del", "10.8.0.0/16"], "10.8.0.0/16"),
    (["arp", "add", "lan0", "10.1.0.9", "02:00:00:00:00"], "02:00:00:00:00"),
    (["arp", "add", "nosuch0", "10.1.0.9", "02:00:00:00:00:09"], "nosuch0"),
    (["arp", "del", "lan0", "10.1.0.250"], "10.1.0.250"),
    (["sysctl", "net.inet.ip.ttl=999"], "255"),
    (["sysctl", "net.inet.nosuch=1"], "net.inet.nosuch"),
    (["ipsec", "tunnel", "del", "ipsec9"], "ipsec9"),
    (["ipsec", "sa", "del", "ipsec9", "in", "0x1000"], "ipsec9"),
    (["ping", "-c", "1", "-W", "200", "10.66.0.1"], ""),
]


@pytest.mark.parametrize("words, said", REFUSED, ids=[" ".join(c[0]) for c in REFUSED])
def test_refused_with_status_1_and_nothing_changed(lab, router, words, said):
    def world():
        shown = [router.daemon.plx(*what) for what in
                 (["ifconfig"], ["sysctl"], ["ipsec", "tunnel", "show"], ["ipsec", "sa", "show"])]
        return shown, [r["prefix"] for r in router.daemon.plx("route", "show")]

    before = world()
    done = router.daemon.run_plx(*words)
    assert done.returncode == 1
    assert said in done.stderr + done.stdout
    assert world() == before


@pytest.mark.parametrize("words", [
    [], ["nosuch"], ["ifconfig", "lan0", "colour", "red"], ["route", "add"], ["route", "nosuch"],
    ["arp", "add", "lan0"], ["stats", "--colours"], ["stats", "--drops", "--stages"], ["ping"],
    ["ipsec"], ["ipsec", "sa", "add", "ipsec0"], ["-i", "300", "ifconfig"],
    ["sysctl", "net.inet.ip.ttl=many"],
], ids=" ".join)
def test_usage_is_status_2(lab, router, words):
    done = router.daemon.run_plx(*words)
    assert done.returncode == 2
    assert done.stderr


def test_no_daemon(lab):
    done = run(program("plx"), "-s", "/nonexistent/0.sock", "ifconfig", check=False)
    assert done.returncode == 1
    assert "/nonexistent/0.sock" in done.stderr


def test_help(lab):
    told = run(program("plx"), "--help").stdout
    for command in ("ifconfig", "route", "arp", "ipsec", "stats", "sysctl", "ping"):
        assert command in told


def echo_replies(host):
    """How many the host's kernel has received."""
    names, values = (line.split() for line in host.run("cat", "/proc/net/snmp").stdout.splitlines()
                     if line.startswith("Icmp:"))
    return int(dict(zip(names, values))["InEchoReps"])


@contextlib.contextmanager
def pinging(host, target, *options):
    """ping runs while the block does, and must lose nothing."""
    before = echo_replies(host)
    process = host.start("ping", "-n", "-q", "-i", "0.005", *options, target, stdout=-1, text=True)
    try:
        wait_for(lambda: echo_replies(host) > before, "the first echo reply")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                        told).groups())
    # How many were sent is the machine's affair. The last may be on its way when ping is ended.
    assert sent > 0 and received >= sent - 1, told


def test_routes_come_and_go_under_traffic(lab, router):
    with pinging(router.host_a, "10.2.0.2"):
        for n in range(40):
            router.daemon.plx("route", "add", f"10.{100 + n}.0.0/16", "via", "10.2.0.2")
        shown = [r["prefix"] for r in router.daemon.plx("route", "show")]
        assert all(f"10.{100 + n}.0.0/16" in shown for n in range(40))
        assert router.daemon.plx("route", "get", "10.101.2.3")["via"] == "10.2.0.2"
        for n in range(40):
            router.daemon.plx("route", "del", f"10.{100 + n}.0.0/16")
    shown = [r["prefix"] for r in router.daemon.plx("route", "show")]
    assert not any(f"10.{100 + n}.0.0/16" in shown for n in range(40))


def test_a_better_route_takes_over_under_traffic(lab, router):
    """The route in use is replaced by a longer one to the same place and back; nothing is lost."""
    router.host_b.address("lo", "10.3.0.1/32")
    with pinging(router.host_a, "10.3.0.1"):
        for _ in range(20):
            router.daemon.plx("route", "add", "10.3.0.1/32", "via", "10.2.0.2")
            router.daemon.plx("route", "del", "10.3.0.1/32")


def test_addresses_come_and_go_under_traffic(lab, router):
    with pinging(router.host_a, "10.2.0.2"):
        for _ in range(10):
            router.daemon.plx("ifconfig", "lan0", "inet", "10.50.0.1/24")
            assert "10.50.0.1/24" in interface(router.daemon, "lan0")["addresses"]
            router.host_a.ping("10.50.0.1")
            router.daemon.plx("ifconfig", "lan0", "inet", "10.50.0.1/24", "delete")
    assert interface(router.daemon, "lan0")["addresses"] == ["10.1.0.1/24"]


def test_neighbours_come_and_go_under_traffic(lab, router):
    with pinging(router.host_a, "10.2.0.2"):
        for n in range(40):
            router.daemon.plx("arp", "add", "wan0", f"10.2.0.{100 + n}", f"02:00:00:00:01:{n:02x}")
        for n in range(40):
            router.daemon.plx("arp", "del", "wan0", f"10.2.0.{100 + n}")


def test_mtu_changes_under_traffic(lab, router):
    with pinging(router.host_a, "10.2.0.2", "-s", "100"):
        for mtu in (1300, 1280, router.MTU_B):
            router.daemon.plx("ifconfig", "wan0", "mtu", str(mtu))
            assert interface(router.daemon, "wan0")["mtu"] == mtu
            told = router.host_a.ping("10.2.0.2", "-s", 1472 - 28, "-M", "do", check=False).stdout
            assert f"mtu = {mtu}" in told or f"mtu={mtu}" in told, told
            router.host_a.ip("route", "flush", "cache")


def test_sysctl_takes_effect(lab, router):
    router.daemon.plx("sysctl", "net.inet.ip.ttl=33")
    try:
        assert "ttl=33" in router.host_a.ping("10.1.0.1").stdout
    finally:
        router.daemon.plx("sysctl", "net.inet.ip.ttl=64")
    assert "ttl=64" in router.host_a.ping("10.1.0.1").stdout


def test_ping_from_the_stack(lab, router):
    done = router.daemon.run_plx("ping", "-c", "3", "-i", "0.05", "-s", "1000", "10.2.0.2")
    assert done.returncode == 0
    assert done.stdout.count("1000 bytes from 10.2.0.2") == 3 or "3 received" in done.stdout


def test_sas_come_and_go_under_traffic(lab, gateway):
    """SAs of another SPI are added and removed while the tunnel carries packets."""
    peer = gateway.peers[256]
    before = gateway.daemon.plx("ipsec", "sa", "show")
    gateway.wan.exchange(peer.seal(IP(src=peer.inside, dst="10.1.0.2") / UDP(dport=9)))
    received = 0
    for n in range(20):
        gateway.daemon.plx("ipsec", "sa", "add", peer.name, "in", hex(0x5000 + n), "aes-gcm-256",
                           "-", input=os.urandom(36).hex())
        drops, _ = gateway.drops_of(gateway.wan, peer.seal(
            IP(src=peer.inside, dst="10.1.0.2") / UDP(dport=9)))
        received += not drops
        gateway.daemon.plx("ipsec", "sa", "del", peer.name, "in", hex(0x5000 + n))
    assert received == 20
    assert len(gateway.daemon.plx("ipsec", "sa", "show")) == len(before)


BAD_KEYS = [
    ("too short", "00" * 35), ("too long", "00" * 37), ("not hexadecimal", "zz" * 36),
    ("odd", "0" * 71), ("empty", ""), ("of AES-128", "00" * 20),
]


@pytest.mark.parametrize("what, key", BAD_KEYS, ids=[c[0] for c in BAD_KEYS])
def test_bad_keys(lab, gateway, what, key):
    """Refused, and not repeated in what is said."""
    done = gateway.daemon.run_plx("ipsec", "sa", "add", "ipsec0", "in", "0x6000", "aes-gcm-256",
                                  "-", input=key)
    assert done.returncode == 1
    assert not key or key[:16] not in done.stdout + done.stderr
    assert not any(sa["spi"] == "0x00006000" for sa in gateway.daemon.plx("ipsec", "sa", "show"))


def test_key_file_that_others_can_read_is_refused(lab, gateway):
    path = gateway.daemon.write_key("open.key", b"00" * 36)
    path.chmod(0o644)
    done = gateway.daemon.run_plx("ipsec", "sa", "add", "ipsec0", "in", "0x6001", "aes-gcm-256",
                                  "--key-file", path)
    assert done.returncode == 1
    assert "open.key" in done.stderr
    path.unlink()


def test_keys_show_nowhere(lab, gateway):
    """Not in the arguments or environment of a process, in output, in the log, in memory that plx
    is asked for; in no case, hexadecimal, upper or lower, or base64."""
    daemon = gateway.daemon
    key = os.urandom(36)
    daemon.plx("ipsec", "sa", "add", "ipsec0", "in", "0x7000", "aes-gcm-256", "-", input=key.hex())
    try:
        told = "".join(daemon.run_plx(*form, *what).stdout for form in ([], ["-j"]) for what in
                       (["ipsec", "sa", "show"], ["ipsec", "tunnel", "show"], ["stats", "--all"],
                        ["ifconfig"], ["sysctl", "-d"]))
        pid = daemon.process.pid
        told += "".join(pathlib.Path(f"/proc/{pid}/{name}").read_text(errors="replace")
                        for name in ("cmdline", "environ"))
        told = (told + daemon.log_text()).lower()
        keys = [key, *(k for ways in gateway.keys.values() for k in ways.values())]
        for secret in keys:
            assert secret.hex() not in told
            assert secret[:8].hex() not in told
            assert secret[-8:].hex() not in told
    finally:
        daemon.plx("ipsec", "sa", "del", "ipsec0", "in", "0x7000")


def memory_of(pid):
    """What a debugger could read of a process, area by area."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end, flags = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            size = int(end, 16) - int(begin, 16)
            if flags.startswith("rw") and size < 1 << 28:
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(int(begin, 16))
                    yield memory.read(size)


def test_key_is_wiped_with_its_sa(lab, gateway):
    """After `sa del` the key is nowhere in the daemon's memory, neither as bytes nor as text."""
    daemon = gateway.daemon
    key = os.urandom(36)
    daemon.plx("ipsec", "sa", "add", "ipsec0", "in", "0x7001", "aes-gcm-256", "-", input=key.hex())
    daemon.plx("ipsec", "sa", "del", "ipsec0", "in", "0x7001")

    def found():
        return [form for form in (key[:16], key[16:32], key.hex().encode()[:32],
                                  key.hex().encode()[32:64])
                if any(form in area for area in memory_of(daemon.process.pid))]

    assert found() == []


def test_instance_names_the_socket(lab, router):
    done = run(program("plx"), "-i", router.daemon.instance, "--socket-dir", router.daemon.folder,
               "ifconfig")
    assert "lan0" in done.stdout
    with pytest.raises(LabError):
        run(program("plx"), "-i", 255, "--socket-dir", router.daemon.folder, "ifconfig")


def test_counters_only_grow(lab, router):
    """Read while they count."""
    with pinging(router.host_a, "10.2.0.2"):
        seen = [router.daemon.plx("stats", "--interfaces")[0]["rx"]["packets"] for _ in range(20)]
        wait_for(lambda: router.daemon.plx("stats", "--interfaces")[0]["rx"]["packets"] > seen[-1],
                 "more packets")
    assert seen == sorted(seen)
