# SPDX-License-Identifier: BSD-3-Clause
"""Several daemons on one machine, daemons that are killed and start again, numbers of workers.

    host 10.1.0.2 ---- 10.1.0.1 polluxd 10.2.0.1 ---- 10.2.0.2 host        one per instance
"""
import itertools
import os
import pathlib
import re
import signal
import socket

import pytest
from lab import GENEROUS_S, Polluxd, wait_for
from networks import af_packet, interface

RUNTIME = pathlib.Path("/run/dpdk")
_numbers = itertools.count(1)


class Site:
    """Two hosts on a gateway, on which daemons come and go. The addresses are those of every
    other site: they do not meet."""

    def __init__(self, lab):
        self.lab, role = lab, f"site{next(_numbers)}"
        self.gw = lab.namespace(f"{role}-gw")
        self.hosts = []
        for n, port in ((1, "lan"), (2, "wan")):
            host = lab.namespace(f"{role}-h{n}")
            lab.cable(host, "eth0", self.gw, port)
            host.address("eth0", f"10.{n}.0.2/24")
            host.route("default", f"10.{n}.0.1")
            self.hosts.append(host)
        self.folder = lab.folder(role)

    def start(self, instance=None, workers=1, driver="af_packet", arguments=(), ready=True):
        """A daemon with its socket in the site's folder."""
        daemon = Polluxd(self.lab, self.gw, {
            "control": {"socket_directory": str(self.folder)},
            "sysctl": {"net.inet.ip.forwarding": 1},
            "workers": {"count": workers},
            "interface": [{**af_packet(f"{port}0", port, f"10.{n}.0.1/24"), "driver": driver}
                          for n, port in ((1, "lan"), (2, "wan"))],
        }, instance=instance, name=f"{self.folder.name}-{next(_numbers)}", arguments=arguments)
        daemon.socket = self.folder / f"{daemon.instance}.sock"
        return daemon.wait_ready() if ready else daemon

    def forwards(self):
        """Traffic flows, and none is lost once it does."""
        wait_for(lambda: self.hosts[0].ping("10.2.0.2", "-W", 1, check=False).returncode == 0,
                 "a reply from the other side")
        told = self.hosts[0].ping("10.2.0.2", "-i", 0.01, count=50).stdout
        assert " 0% packet loss" in told, told

    def flood(self):
        """Packets as fast as a kernel can send them, until it is ended."""
        return self.hosts[0].start("ping", "-n", "-q", "-f", "-s", "1000", "10.2.0.2", stdout=-3,
                                   stderr=-3)


def received(daemon):
    return daemon.plx("stats", "--interfaces")[0]["rx"]["packets"]


def stale(daemon):
    """What a dead daemon has left of itself beside its socket."""
    places = [RUNTIME, pathlib.Path("/dev/hugepages"), pathlib.Path("/dev/shm")]
    return [str(p) for place in places for p in place.glob("*")
            if re.search(rf"pollux-{daemon.instance}-{daemon.process.pid}\b", p.name)
            or "rtemap" in p.name]


def test_three_side_by_side(lab):
    """Each has its own socket and its own prefix of DPDK's, and carries its own traffic; when one
    ends or is killed, the others do not notice."""
    sites = [Site(lab) for _ in range(3)]
    daemons = [site.start(arguments=["--eal", "--telemetry"]) for site in sites]
    assert len({d.instance for d in daemons}) == len({d.socket for d in daemons}) == 3
    prefixes = [f"pollux-{d.instance}-{d.process.pid}" for d in daemons]
    assert all((RUNTIME / prefix).is_dir() for prefix in prefixes)
    for site, daemon in zip(sites, daemons):
        assert {i["name"] for i in daemon.plx("ifconfig")} == {"lan0", "wan0"}
        before = [received(d) for d in daemons]
        site.forwards()
        moved = [received(d) - b >= 50 for d, b in zip(daemons, before)]
        assert moved == [d is daemon for d in daemons]

    flows = [site.hosts[0].start("ping", "-n", "-q", "-i", "0.01", "10.2.0.2", stdout=-1,
                                 text=True) for site in sites[1:]]
    daemons[0].stop()
    daemons[0] = sites[0].start(instance=daemons[0].instance)
    sites[0].forwards()
    daemons[0].process.kill()
    daemons[0].process.wait()
    for flow in flows:
        flow.send_signal(signal.SIGINT)
        sent, came = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                        flow.communicate(timeout=GENEROUS_S)[0]).groups())
        assert sent > 0 and came >= sent - 1
    assert not (RUNTIME / prefixes[0]).exists()
    assert all((RUNTIME / prefix).is_dir() for prefix in prefixes[1:])
    for site, daemon in zip(sites[1:], daemons[1:]):
        site.forwards()
        daemon.stop()
        assert stale(daemon) == []


def test_second_start_of_an_instance(lab):
    """Refused before it touches anything that the first has: the same file, the same devices."""
    def announced(frame):
        return (frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1"
                and frame[28:32] == frame[38:42])

    site = Site(lab)
    tap = site.hosts[0].tap("eth0")
    first = site.start()
    site.forwards()
    for _ in range(2):  # as often as the first one says so
        assert tap.receive(announced, limit_s=GENEROUS_S) is not None
    before = first.plx("ifconfig")
    flow = site.hosts[0].start("ping", "-n", "-q", "-i", "0.005", "10.2.0.2", stdout=-1, text=True)
    for _ in range(3):
        second = site.start(instance=first.instance, ready=False)
        assert second.process.wait(GENEROUS_S) == 1
        told = second.log_text()
        assert f"instance {first.instance} is running already" in told
        assert str(first.socket) in told
        assert "READY" not in told
    flow.send_signal(signal.SIGINT)
    said = flow.communicate(timeout=GENEROUS_S)[0]
    sent, came = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
    assert sent > 0 and came >= sent - 1
    assert "duplicates" not in said
    # Nobody else has announced the first one's addresses.
    assert tap.receive(announced, limit_s=0.1) is None
    assert first.plx("ifconfig") == before
    site.forwards()
    first.stop()
    assert not first.socket.exists()


def kernel_has_af_xdp():
    try:
        socket.socket(getattr(socket, "AF_XDP", 44), socket.SOCK_RAW).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("driver", ["af_packet", pytest.param("af_xdp", marks=pytest.mark.skipif(
    not kernel_has_af_xdp(), reason="this kernel has no AF_XDP"))])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "under-traffic"])
def test_killed_and_started_again(lab, busy, driver):
    """Nothing of the killed one is in the way, nor stays: socket, run-time files, programs."""
    site = Site(lab)
    daemon = site.start(driver=driver, arguments=["--eal", "--telemetry"])
    site.forwards()
    flood = site.flood() if busy else None
    for _ in range(3):
        if busy:
            seen = received(daemon)
            wait_for(lambda: received(daemon) > seen + 1000, "a flood")
        daemon.process.kill()
        daemon.process.wait()
        assert daemon.socket.exists()
        assert stale(daemon) != []
        killed = daemon
        daemon = site.start(instance=killed.instance, driver=driver,
                            arguments=["--eal", "--telemetry"])
        assert stale(killed) == []
        if busy:
            wait_for(lambda: received(daemon) > 1000, "the flood to go on")
    if busy:
        flood.terminate()
        flood.wait()
    site.forwards()
    daemon.stop()
    assert stale(daemon) == []
    assert list(site.folder.iterdir()) == []
    # The kernel has its devices back.
    assert not any("xdp" in link for link in site.gw.ip_json("-d", "link", "show"))


def test_killed_with_every_kind_of_device(lab):
    """Sockets and devices that drivers make: none is in the way of the next start."""
    folder, gw = lab.folder("devices"), lab.namespace("devices")
    config = {"control": {"socket_directory": str(folder)}, "interface": [
        {"driver": driver, "options": options} for driver, options in (
            ("tap", {"iface": "plxstale"}),
            ("memif", {"socket": f"{folder}/memif.sock", "role": "server"}),
            ("vhost", {"iface": f"{folder}/vhost.sock", "role": "server"}),
            ("pcap", {"write": f"{folder}/out.pcap"}), ("loop", {}), ("null", {}))]}
    daemon = lab.polluxd(gw, config, name="devices-0")
    for n in range(1, 4):
        daemon.process.kill()
        daemon.process.wait()
        wait_for(lambda: not any(link["ifname"] == "plxstale" for link in gw.ip_json("link")),
                 "the kernel to take the tap down")
        daemon = lab.polluxd(gw, config, instance=daemon.instance, name=f"devices-{n}")
    daemon.stop()
    assert [p.name for p in folder.iterdir()] == ["out.pcap"]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers(lab, workers):
    """Also more than there are cores: it works, slowly. Each takes part, unless there is one core
    for all of them, on which any may be starved for a while."""
    site = Site(lab)
    daemon = site.start(workers=workers)
    listed = daemon.plx("stats", "--workers")
    assert [w["worker"] for w in listed] == list(range(workers))
    assert {w["cpu"] for w in listed} <= os.sched_getaffinity(0)
    site.forwards()
    queues = daemon.plx("worker", "show")
    assert {q["worker"] for q in queues} == set(range(workers))
    # Flows of many addresses, so that every worker gets some.
    for n in range(10, 30):
        site.hosts[0].address("eth0", f"10.1.0.{n}/24")

    def all_had_some():
        for n in range(10, 30):
            site.hosts[0].ping("10.2.0.2", "-I", f"10.1.0.{n}", "-i", 0.01, count=5, check=False)
        return all(w["packets"] > 0 for w in daemon.plx("stats", "--workers"))

    wait_for(all_had_some, "packets at every worker")
    assert interface(daemon, "lan0")["link"] is True
    daemon.stop()
