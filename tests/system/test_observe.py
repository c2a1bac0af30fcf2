# SPDX-License-Identifier: BSD-3-Clause
"""plx trace and plx capture beside tcpdump and tshark: the same packets, bytes and order."""
import contextlib
import json
import re
import signal
import socket
import subprocess

import pytest
from lab import GENEROUS_S, program, run, wait_for
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap


@contextlib.contextmanager
def plx(daemon, *words):
    """plx in the background, interrupted at the end as by ^C unless it has ended by then."""
    process = subprocess.Popen([program("plx"), "-s", str(daemon.socket), *map(str, words)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.out, process.err = process.communicate(timeout=GENEROUS_S)
        assert process.returncode == 0, process.err
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def capture(daemon, path, *words):
    """plx capture into a file; the block begins when packets are captured."""
    path.unlink(missing_ok=True)  # one of an earlier capture would say that this one has begun
    with plx(daemon, "capture", "-w", path, *words) as process:
        wait_for(lambda: path.exists() and path.stat().st_size > 0 or process.poll() is not None,
                 "the capture file to begin")
        yield process


@contextlib.contextmanager
def tcpdump(namespace, path, *words):
    """tcpdump beside a host, from when it listens until it has written all."""
    process = namespace.start("tcpdump", "-n", "-U", "-i", "eth0", "-w", path, *words,
                              stderr=subprocess.PIPE, text=True)
    assert "listening" in process.stderr.readline()
    yield
    process.send_signal(signal.SIGINT)
    process.wait(GENEROUS_S)


def tshark(path, *fields):
    """One list of texts for each packet of a file."""
    columns = [word for field in fields for word in ("-e", field)]
    told = run("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", *columns)
    return [line.split("\t") for line in told.stdout.splitlines()]


def frames(path):
    return [bytes(packet) for packet in rdpcap(str(path))]


def test_both_sides_as_tcpdump_sees_them(lab, router):
    folder = lab.folder("capture-sides")
    ours, left, right = (folder / name for name in ("ours.pcapng", "a.pcap", "b.pcap"))
    with tcpdump(router.host_a, left, "icmp"), tcpdump(router.host_b, right, "icmp"):
        with capture(router.daemon, ours, "-i", "lan0", "-i", "wan0", "icmp") as process:
            router.host_a.ping("10.2.0.2", "-i", 0.02, "-s", 100, count=20)
            wait_for(lambda: len(frames(left)) == 40 and len(frames(right)) == 40, "tcpdump")
    assert "80 packets captured, 0 lost" in process.err
    told = tshark(ours, "frame.interface_name", "frame.packet_flags_direction")
    packets = frames(ours)
    assert len(packets) == len(told) == 80
    for name, path in (("lan0", left), ("wan0", right)):
        assert [p for p, t in zip(packets, told) if t[0] == name] == frames(path)
    # Each request comes in here and leaves there, each reply the other way.
    directions = [(name, int(flags, 0) & 3) for name, flags in told]
    assert directions == [("lan0", 1), ("wan0", 2), ("wan0", 1), ("lan0", 2)] * 20


def test_times_are_those_of_the_kernel(lab, router):
    folder = lab.folder("capture-times")
    ours, theirs = folder / "ours.pcapng", folder / "a.pcap"
    with tcpdump(router.host_a, theirs, "icmp"):
        with capture(router.daemon, ours, "-i", "lan0", "-c", 20, "icmp") as process:
            router.host_a.ping("10.1.0.1", "-i", 0.02, count=10)
            process.wait(GENEROUS_S)
            wait_for(lambda: len(frames(theirs)) == 20, "tcpdump")
    own = [float(t) for [t] in tshark(ours, "frame.time_epoch")]
    kernel = [float(t) for [t] in tshark(theirs, "frame.time_epoch")]
    assert own == sorted(own)
    # A day or a clock that runs wrong shows; a busy machine does not.
    assert all(abs(a - b) < GENEROUS_S for a, b in zip(own, kernel))


def test_drops_say_why(lab, router):
    path = lab.folder("capture-drops") / "drops.pcapng"
    expired = router.a.ip("10.2.0.2", ttl=1) / UDP(dport=7) / b"expired"
    hole = router.a.ip("10.66.0.1") / UDP(dport=7) / b"hole"
    with capture(router.daemon, path, "--drops", "udp"):
        for frame in (expired, hole):  # one by one: in a burst each ends at its own stage
            router.drops_of(router.a, frame)
    assert tshark(path, "frame.interface_name", "frame.comment") == [
        ["lan0", "Ip4TtlExpired: TTL reached zero (ip4)"],
        ["lan0", "Ip4Blackhole: blackhole route (ip4)"]]
    seen = [Ether(f) for f in frames(path)]
    assert [p[Raw].load for p in seen] == [b"expired", b"hole"]
    assert seen[1] == Ether(bytes(hole))
    with plx(router.daemon, "capture", "--drops", "-c", 1) as process:
        wait_for(lambda: router.drops_of(router.a, hole) and process.poll() is not None, "a drop")
    assert "Ip4Blackhole: blackhole route" in process.out


def test_before_and_after_encryption(lab, gateway):
    path = lab.folder("capture-ipsec") / "ipsec.pcapng"
    with capture(gateway.daemon, path, "--ipsec"):
        gateway.inside.ping("10.2.0.9", "-W", 1, check=False)
        wait_for(lambda: len(frames(path)) >= 2, "both packets")
    told = tshark(path, "frame.interface_name", "frame.protocols", "esp.spi")[:2]
    assert told[0] == ["ipsec0", "raw:ip:icmp:data", ""]
    assert told[1] == ["wan0", "eth:ethertype:ip:esp", "0x00001000"]
    with capture(gateway.daemon, path, "-i", "ipsec0", "-c", 1, "icmp") as process:
        gateway.inside.ping("10.2.0.9", "-W", 1, check=False)
        process.wait(GENEROUS_S)
    assert [p[1] for p in tshark(path, "frame.interface_name", "frame.protocols")] == [
        "raw:ip:icmp:data"]


def test_trace_shows_the_way(lab, router):
    with plx(router.daemon, "-j", "trace", "-c", 2, "icmp and host 10.2.0.2") as process:
        wait_for(lambda: router.host_a.ping("10.2.0.2") and process.poll() is not None, "the trace")
    request, reply = (json.loads(line) for line in process.out.splitlines())
    assert [s.get("stage", s["kind"]) for s in request["steps"]] == [
        "received", "ether_input", "ip4_input", "ip4_lookup", "ip4_forward", "ether_output", "sent"]
    assert (request["number"], reply["number"]) == (1, 2)
    assert request["verdict"] == "sent on wan0, queue 0"
    assert reply["verdict"] == "sent on lan0, queue 0"
    times = [s["ns"] for s in request["steps"]]
    assert times == sorted(times)
    hole = router.a.ip("10.66.0.1") / UDP(dport=7) / b"hole"
    with plx(router.daemon, "trace", "--count", 1, "udp", "and", "dst", "10.66.0.1") as process:
        wait_for(lambda: router.drops_of(router.a, hole) and process.poll() is not None,
                 "the trace")
    assert "received on lan0" in process.out
    assert "dropped: Ip4Blackhole: blackhole route (ip4)" in process.out


@pytest.mark.parametrize("words, said", [
    (["capture"], "-i IF, --drops or --ipsec"),
    (["capture", "-i", "nosuch0"], "nosuch0"),
    (["capture", "-i", "lan0", "udp", "and"], "udp and"),
    (["capture", "-i", "lan0", "host", "example.com"], "example.com"),
    (["capture", "-i", "lan0", "-s", "0"], "snaplen"),
    (["capture", "-i", "lan0", "-s", "1000000"], "snaplen"),
    (["capture", "-i", "lan0", "-c", "0"], "count"),
    (["capture", "-i", "lan0", "-w", "/nosuch/file"], "/nosuch/file"),
    (["trace", "-c", "0"], "count"),
    (["trace", "tcp["], "tcp["),
], ids=str)
def test_bad_words_are_refused(router, words, said):
    told = router.daemon.run_plx(*words)
    assert told.returncode in (1, 2)
    assert said in told.stderr


def test_who_goes_away_makes_room(lab, router):
    folder = lab.folder("capture-killed")

    def begin(path):
        """A capture that runs, or None where it was refused."""
        process = subprocess.Popen(
            [program("plx"), "-s", str(router.daemon.socket), "capture", "-i", "lan0", "-w",
             str(path), "icmp"], stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait_for(lambda: path.exists() and path.stat().st_size > 0 or process.poll() is not None,
                 "the capture file to begin")
        return process if process.poll() is None else None

    with contextlib.ExitStack() as stack:
        killed = [begin(folder / f"{n}.pcapng") for n in range(4)]
        assert all(killed)
        refused = router.daemon.run_plx("capture", "-i", "lan0", "-c", "1")
        assert refused.returncode == 1
        assert "4 captures are running already" in refused.stderr
        for process in killed:
            process.kill()
            process.wait()
        # All four places become free, once the daemon has noticed.
        paths = [folder / f"again-{n}.pcapng" for n in range(4)]
        for path in paths:
            wait_for(lambda: begin(path), "a capture after those that were killed")
        router.host_a.ping("10.1.0.1")
        wait_for(lambda: all(len(frames(path)) == 2 for path in paths), "two packets in each")


def test_who_does_not_read_loses_packets_and_delays_nobody(lab, router):
    path, count = lab.folder("capture-slow") / "slow.pcapng", 2000
    with capture(router.daemon, path, "-i", "lan0", "icmp") as process:
        process.send_signal(signal.SIGSTOP)
        # A ping at a time, more bytes in all than the daemon keeps for a client.
        told = router.host_a.ping("10.2.0.2", "-q", "-A", "-s", 1000, count=count)
        assert f"{count} received" in told.stdout
        process.send_signal(signal.SIGCONT)
    captured, lost = map(int, re.fullmatch(r"(\d+) packets captured, (\d+) lost\n",
                                           process.err).groups())
    assert lost > 0
    assert captured + lost == 2 * count
    assert len(frames(path)) == captured


def test_standard_output_is_read_as_it_comes(lab, router):
    """plx capture -w - | tshark: packets are shown while it runs, and it ends with its reader."""
    command = [program("plx"), "-s", str(router.daemon.socket), "capture", "-i", "lan0", "-w", "-",
               "icmp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        try:
            reader = subprocess.Popen(["tshark", "-l", "-n", "-r", "-", "-c", "2", "-T", "fields",
                                       "-e", "icmp.type"], stdin=writer.stdout, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            writer.stdout.close()
            wait_for(lambda: router.host_a.ping("10.1.0.1") and reader.poll() is not None, "tshark")
            assert reader.stdout.read() == "8\n0\n"
            wait_for(lambda: router.host_a.ping("10.1.0.1") and writer.poll() is not None,
                     "plx to end")
        finally:
            writer.kill()


def test_one_trace_at_a_time(router):
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rw") as stream:
        client.settimeout(GENEROUS_S)
        client.connect(str(router.daemon.socket))
        stream.write('{"jsonrpc": "2.0", "id": 1, "method": "trace.start"}\n')
        stream.flush()
        assert "result" in json.loads(stream.readline())
        refused = router.daemon.run_plx("trace", "-c", 1)
        assert refused.returncode == 1
        assert "a trace is running already: one at a time" in refused.stderr


def test_what_a_file_gives_is_what_is_captured(lab):
    """pcap file -> driver -> stack -> capture: equal to the file."""
    folder = lab.folder("capture-round-trip")
    given, taken = folder / "given.pcap", folder / "taken.pcapng"
    packets = [Ether(dst="02:00:00:00:00:99", src=f"02:00:00:00:01:{n % 256:02x}") /
               IP(src="10.9.0.2", dst="10.9.0.1", id=n) / UDP(sport=n + 1, dport=7) /
               Raw((bytes(range(256)) * 5)[:n % 1200]) for n in range(500)]
    wrpcap(str(given), packets)
    daemon = lab.polluxd(lab.namespace("round-trip"), {"interface": []})
    with capture(daemon, taken, "--drops", "-c", len(packets)) as process:
        daemon.plx("mount", "-T", "io-pkt", "-o", f"read={given},name=file0", "pcap")
        process.wait(GENEROUS_S)
    fields = ("frame.len", "eth.src", "eth.dst", "ip.id", "udp.srcport", "udp.checksum")
    assert tshark(taken, *fields) == tshark(given, *fields)
    assert frames(taken) == frames(given)
    assert {i for [i] in tshark(taken, "frame.interface_name")} == {"file0"}
