# SPDX-License-Identifier: BSD-3-Clause
"""Drivers and interfaces come and go while polluxd runs: the words of io-pkt and BSD.

    host 10.1.0.2 ---- lan polluxd spare ---- host 10.2.0.2
"""
import contextlib
import itertools
import json
import os
import pathlib
import re
import socket

import pytest
from events import events
from lab import REPOSITORY, run, wait_for
from networks import af_packet, interface
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Dot1Q, Ether
from tagged import TaggedTap

_numbers = itertools.count(1)


class Bench:
    """A daemon with one interface, and a second cable to mount things on."""

    def __init__(self, lab, fakes):
        role = f"mount{next(_numbers)}"
        self.gw = lab.namespace(f"{role}-gw")
        self.hosts = []
        for number, port in ((1, "lan"), (2, "spare")):
            host = lab.namespace(f"{role}-h{number}")
            lab.cable(host, "eth0", self.gw, port)
            host.address("eth0", f"10.{number}.0.2/24")
            host.route("default", f"10.{number}.0.1")
            self.hosts.append(host)
        self.daemon = lab.polluxd(self.gw, {
            "sysctl": {"net.inet.ip.forwarding": 1},
            "workers": {"count": 2},
            "drivers": {"path": [str(fakes)]},
            "interface": [af_packet("lan0", "lan", "10.1.0.1/24")],
        }, name=role)
        # The kernel takes a moment to see that a new cable has two ends.
        wait_for(lambda: interface(self.daemon, "lan0")["link"], "the link")

    def names(self):
        return [i["name"] for i in self.daemon.plx("ifconfig")]

    def loaded(self):
        return {d["name"]: d["references"] for d in self.daemon.plx("driver") if d["loaded"]}

    def call(self, method, **params):
        """A call of the API that plx has no word for. Returns the whole answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.daemon.socket))
            client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                       "params": params}).encode() + b"\n")
            return json.loads(client.makefile().readline())

    def refused(self, *words):
        """plx refuses with status 1 and changes nothing. Returns what it says."""
        def world():
            shown = self.daemon.plx("ifconfig")
            for i in shown:  # the device says both when it likes, above all when it is new
                i.pop("link")
                i.pop("speed_mbps", None)
            return shown, self.loaded(), open_files(self.daemon)

        before = world()
        done = self.daemon.run_plx(*words)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stdout == ""
        assert world() == before
        return done.stderr


def open_files(daemon):
    """What the daemon has open, but for the connections to its socket."""
    folder = pathlib.Path(f"/proc/{daemon.process.pid}/fd")
    targets = []
    for entry in folder.iterdir():
        try:
            targets.append(os.readlink(entry))
        except FileNotFoundError:
            continue
    return sorted(re.sub(r"\d+", "N", t) for t in targets if not t.startswith("socket:"))


def replies(host, address):
    wait_for(lambda: host.ping(address, "-W", 1, check=False).returncode == 0,
             f"a reply from {address}")


def mapped(daemon):
    """The objects in the daemon's memory."""
    return pathlib.Path(f"/proc/{daemon.process.pid}/maps").read_text()


def keeps(daemon):
    """A sanitizer's build keeps objects in memory, so that its reports can name functions."""
    return re.search(r"lib[at]san", mapped(daemon)) is not None


@pytest.fixture(scope="module")
def fakes(lab):
    """Driver objects that polluxd must refuse, or whose device does not start."""
    folder = lab.folder("fake-drivers")
    for name, *defines in (["fake_one"], ["fake_two"], ["no_entry", "-DFAKE_NO_ENTRY"],
                           ["other_abi", "-DFAKE_ABI=77u"], ["late", "-DFAKE_STARTS"],
                           ["stays", "-DFAKE_STARTS", "-DFAKE_FLAGS=POLLUX_DRIVER_RESIDENT"]):
        run("cc", "-shared", "-fPIC", "-I", REPOSITORY, f'-DFAKE_NAME="{name}"', *defines,
            REPOSITORY / "tests" / "drivers" / "fake_driver.c", "-o",
            folder / f"pollux-{name}.so")
    (folder / "pollux-text.so").write_text("This is not a shared object.\n" * 100)
    return folder


@pytest.fixture(scope="module")
def bench(lab, fakes):
    bench = Bench(lab, fakes)
    yield bench
    bench.daemon.stop()


@pytest.fixture(autouse=True)
def _as_it_was(bench):
    """One test that fails does not make the next ones fail."""
    yield
    for name in bench.names():
        if name != "lan0":
            bench.daemon.run_plx("ifconfig", name, "destroy")


def test_mount_and_destroy(bench):
    """A packet passes through what was mounted; when it goes, so does the driver's object."""
    told = bench.daemon.run_plx("mount", "-T", "io-pkt", "-o", "iface=spare", "-o", "name=wan0",
                                "af_p")
    assert (told.returncode, told.stdout, told.stderr) == (0, "wan0\n", "")
    bench.daemon.plx("ifconfig", "wan0", "inet", "10.2.0.1/24", "alias")
    replies(bench.hosts[0], "10.2.0.2")
    assert bench.loaded()["af_packet"] == 2
    bench.daemon.plx("ifconfig", "wan0", "destroy")
    assert bench.names() == ["lan0"]
    assert bench.loaded()["af_packet"] == 1
    bench.hosts[0].ping("10.1.0.1")


def test_interfaces_are_numbered_by_driver_type(bench):
    """The lowest number that is free, behind the driver's word; `name=` gives another."""
    assert bench.daemon.plx("mount", "-o", "iface=spare", "af_packet") == {"name": "af_packet0"}
    assert [bench.daemon.plx("mount", "loop")["name"] for _ in range(3)] == ["lo0", "lo1", "lo2"]
    bench.daemon.plx("ifconfig", "lo1", "destroy")
    assert bench.daemon.plx("mount", "loop") == {"name": "lo1"}
    bench.daemon.plx("ifconfig", "lo0", "name", "lo7")
    assert bench.daemon.plx("mount", "loop") == {"name": "lo0"}
    assert bench.daemon.plx("mount", "-o", "name=inner", "loop") == {"name": "inner"}
    for name in ("af_packet0", "lo0", "lo1", "lo2", "lo7", "inner"):
        bench.daemon.plx("ifconfig", name, "destroy")
    assert bench.names() == ["lan0"]


def test_mount_by_path(bench):
    """A full path to an object; the same object by its name is the same driver."""
    file = next(d["file"] for d in bench.daemon.plx("driver", "show", "af_packet"))
    assert bench.daemon.plx("mount", "-o", "iface=spare,name=byname", file) == {"name": "byname"}
    assert bench.loaded()["af_packet"] == 2
    bench.daemon.plx("ifconfig", "byname", "destroy")


def test_name_is_taken_and_device_is_missing(bench):
    assert "interface lan0 exists" in bench.refused("mount", "-o", "iface=spare,name=lan0",
                                                    "af_packet")
    assert "nosuch0" in bench.refused("mount", "-o", "iface=nosuch0", "af_packet")
    assert "letter" in bench.refused("mount", "-o", "iface=spare,name=9x", "af_packet")


@pytest.mark.parametrize("words, said", [
    (["mount", "nosuch"], ['no driver "nosuch"', "af_packet", "fake_one", "vlan"]),
    (["mount", "fake"], ['several drivers match "fake"', "fake_one, fake_two"]),
    (["mount", "other_abi"], ["other_abi.so", "version 77 of the driver interface",
                              "this is version"]),
    (["mount", "no_entry"], ["is not a driver", "pollux_driver_entry"]),
    (["mount", "text"], ["pollux-text.so", "invalid ELF header"]),
    (["mount", "/nonexistent/pollux-x.so"], ["/nonexistent/pollux-x.so"]),
    (["mount", "/etc/passwd"], ["/etc/passwd", "invalid ELF header"]),
    (["mount", "/etc"], ["/etc"]),
    (["mount", "-o", "colour=red", "af_packet"], ['no option "colour"', "iface", "name"]),
    (["mount", "-o", "device=x,size=many", "fake_one"], ["size", "many", "number"]),
    (["mount", "-o", "device", "fake_one"], ["device has no value"]),
    (["mount", "-o", "device=x,device=y", "fake_one"], ["given twice"]),
    (["mount", "fake_one"], ["needs device="]),
    (["ifconfig", "vlan0", "create", "vlan", "5", "vlandev", "nosuch0"], ["nosuch0"]),
    (["ifconfig", "vlan0", "create", "vlan", "5000", "vlandev", "lan0"], ["4094"]),
    (["ifconfig", "vlan0", "create", "vlan", "5", "vlandev", "lan0", "vlanproto", "x"],
     ["802.1ad"]),
    (["ifconfig", "nosuch0", "destroy"], ["nosuch0"]),
    (["ifconfig", "nosuch0", "create"], ["nosuch"]),
    (["ifconfig", "lan0", "mtu", "1400", "promisc", "name", "9"], ["9"]),
    (["nicinfo", "nosuch0"], ["nosuch0"]),
    (["driver", "show", "nosuch"], ["nosuch", "af_packet"]),
    (["worker", "assign", "nosuch0", "0", "0"], ["nosuch0"]),
    (["worker", "assign", "lan0", "7", "0"], ["queue 7"]),
    (["worker", "assign", "lan0", "0", "7"], ["worker 7"]),
], ids=lambda c: " ".join(c))
def test_refused_and_nothing_changed(bench, words, said):
    told = bench.refused(*words)
    for part in said:
        assert part in told


@pytest.mark.parametrize("words", [
    ["mount"], ["mount", "-T", "nfs", "af_packet"], ["ifconfig", "x0", "create", "colour"],
    ["ifconfig", "x0", "create", "vlan"], ["ifconfig", "lan0", "name"], ["driver", "hide"],
    ["worker", "assign", "lan0"], ["worker", "assign", "lan0", "x", "0"], ["nicinfo", "a", "b"],
], ids=" ".join)
def test_usage(bench, words):
    done = bench.daemon.run_plx(*words)
    assert done.returncode == 2
    assert done.stderr


def test_driver_that_fails_half_way(bench):
    """It had taken what a device takes: all is given back, the object is unloaded, and the next
    mount finds everything free."""
    for _ in range(3):
        told = bench.refused("mount", "-o", "device=broken,name=late7", "late")
        assert "driver late: broken does not start" in told
        assert bench.daemon.plx("driver", "show", "late")[0]["references"] == 0
        assert ("pollux-late.so" in mapped(bench.daemon)) == keeps(bench.daemon)
    before = open_files(bench.daemon)
    assert bench.daemon.plx("mount", "-o", "device=good,name=late7", "late") == {"name": "late7"}
    assert open_files(bench.daemon) == sorted([*before, "/dev/null"])
    bench.daemon.plx("ifconfig", "late7", "destroy")
    assert open_files(bench.daemon) == before


def test_object_goes_with_its_last_interface_unless_it_is_resident(bench):
    def shown(name):
        driver, = bench.daemon.plx("driver", "show", name)
        return driver["loaded"], driver["references"], driver["interfaces"], driver["resident"]

    for name, resident in (("late", False), ("stays", True)):
        assert shown(name) == (False, 0, [], resident)
        for n in (0, 1):
            bench.daemon.plx("mount", "-o", "device=good", name)
        assert shown(name) == (True, 2, [f"{name}0", f"{name}1"], resident)
        bench.daemon.plx("ifconfig", f"{name}0", "destroy")
        assert shown(name) == (True, 1, [f"{name}1"], resident)
        bench.daemon.plx("ifconfig", f"{name}1", "destroy")
        assert shown(name) == (resident, 0, [], resident)
        assert (f"pollux-{name}.so" in mapped(bench.daemon)) == (resident or keeps(bench.daemon))
    assert "resident" in bench.daemon.run_plx("driver", "show", "stays").stdout


def test_device_is_busy(bench, lab):
    """What another port has already is refused by name, and the first goes on."""
    folder = lab.folder("busy")
    for driver, options, what in (
            ("af_xdp", "iface=spare", "spare"),
            ("tap", "iface=plxbusy", "plxbusy"),
            ("memif", "socket=@plx-busy,role=server", "plx-busy"),
            ("vhost", f"iface={folder}/vhost.sock,role=server", "vhost.sock")):
        first = bench.daemon.run_plx("mount", "-o", f"{options},name=first0", driver)
        if driver == "af_xdp" and "no AF_XDP socket" in first.stderr:
            continue
        assert first.returncode == 0, first.stderr
        if driver == "af_xdp":
            bench.daemon.plx("ifconfig", "first0", "inet", "10.2.0.1/24", "alias")
            replies(bench.hosts[1], "10.2.0.1")
        assert what in bench.refused("mount", "-o", f"{options},name=second0", driver)
        assert bench.loaded()[driver] == 1
        if driver == "af_xdp":
            replies(bench.hosts[1], "10.2.0.1")
        bench.daemon.plx("ifconfig", "first0", "destroy")
        bench.daemon.plx("mount", "-o", f"{options},name=second0", driver)
        bench.daemon.plx("ifconfig", "second0", "destroy")
    assert list(folder.iterdir()) == []


def test_what_leans_on_an_interface_goes_with_it(bench):
    """VLANs, then routes, neighbours and addresses, then the interface; a tunnel whose endpoint
    goes stays, with its routes, and works again with the address."""
    plx = bench.daemon.plx

    def world():
        return (bench.names(), sorted(r["prefix"] for r in plx("route", "-a")),
                sorted((n["interface"], n["address"]) for n in plx("arp", "show")
                       if n["interface"] != "lan0"))

    plx("ipsec", "tunnel", "add", "ipsec0", "local", "10.2.0.1", "remote", "10.2.0.2")
    plx("route", "add", "10.50.0.0/16", "dev", "ipsec0")
    before = world()
    for _ in range(2):  # the second time nothing of the first is in the way
        plx("mount", "-o", "iface=spare,name=trunk0", "af_packet")
        plx("ifconfig", "trunk0", "inet", "10.2.0.1/24")
        plx("ifconfig", "vlan5", "create", "vlan", "5", "vlandev", "trunk0", "inet", "10.5.0.1/24")
        plx("route", "add", "10.60.0.0/16", "via", "10.2.0.2")
        plx("route", "add", "10.61.0.0/16", "via", "10.5.0.2")
        plx("route", "add", "10.62.0.0/16", "dev", "trunk0")
        plx("arp", "add", "trunk0", "10.2.0.9", "02:00:00:00:00:09")
        plx("arp", "add", "vlan5", "10.5.0.9", "02:00:00:00:00:09")
        assert {"10.60.0.0/16", "10.61.0.0/16", "10.62.0.0/16"} < set(world()[1])
        with events(bench.daemon, "interface") as told:
            plx("ifconfig", "trunk0", "destroy")
            assert told(2) == [("interface.destroyed", "vlan5"), ("interface.destroyed", "trunk0")]
        assert world() == before
        bench.hosts[0].ping("10.1.0.1")
    plx("ipsec", "tunnel", "del", "ipsec0")
    assert "10.50.0.0/16" not in world()[1]


def test_half_way_is_undone(bench):
    """The device has started, then something else is refused: the device is free again."""
    told = bench.refused("ifconfig", "af_packet5", "create", "iface=spare", "inet", "10.1.0.1/24")
    assert "10.1.0.1" in told
    told = bench.refused("ifconfig", "af_packet5", "create", "iface=spare", "mtu", "60000")
    assert "60000" in told or "MTU" in told
    bench.daemon.plx("ifconfig", "af_packet5", "create", "iface=spare")
    bench.daemon.plx("ifconfig", "af_packet5", "destroy")


def test_change_is_all_or_nothing(bench):
    """What is set in one call is taken back where one of it is refused."""
    bench.daemon.plx("ifconfig", "vlan0", "create", "vlan", "5", "vlandev", "lan0")
    before = bench.daemon.plx("ifconfig")
    answer = bench.call("interface.set", name="vlan0", mtu=1400, new_name="other0",
                        software_rss=True)
    assert answer["error"]["data"] == {"code": "Unsupported"}
    assert bench.daemon.plx("ifconfig") == before
    answer = bench.call("interface.set", name="lan0", mtu=1400, promiscuous=True, new_name="vlan0")
    assert answer["error"]["data"] == {"code": "Exists"}
    assert bench.daemon.plx("ifconfig") == before
    bench.daemon.plx("ifconfig", "vlan0", "destroy")


def test_set_and_show(bench):
    bench.daemon.plx("ifconfig", "lan0", "promisc", "mtu", "1400", "name", "wan7")
    shown = bench.daemon.run_plx("ifconfig", "wan7").stdout
    assert re.match(r"wan7: flags=<UP,RUNNING,PROMISC> mtu 1400\n", shown)
    assert re.search(r"^\tether [0-9a-f:]{17}$", shown, re.M)
    assert "\tinet 10.1.0.1/24\n" in shown
    bench.hosts[0].ping("10.1.0.1")
    bench.daemon.plx("ifconfig", "wan7", "-promisc", "mtu", "1500", "name", "lan0")
    assert "PROMISC" not in bench.daemon.run_plx("ifconfig", "lan0").stdout
    bench.daemon.plx("ifconfig", "lan0", "inet", "10.9.0.1/24")
    bench.daemon.plx("ifconfig", "lan0", "inet", "10.9.0.1/24", "-alias")
    assert interface(bench.daemon, "lan0")["addresses"] == ["10.1.0.1/24"]


def test_rss_is_switched(bench):
    """Two workers, one queue: the flows are spread by software, unless that is switched off."""
    assert interface(bench.daemon, "lan0")["rss"] == "software"
    bench.daemon.plx("ifconfig", "lan0", "-rss")
    assert interface(bench.daemon, "lan0")["rss"] != "software"
    bench.daemon.plx("ifconfig", "lan0", "rss")
    assert interface(bench.daemon, "lan0")["rss"] == "software"


@pytest.mark.parametrize("driver, protocol, tpid", [
    ("af_packet", "802.1Q", 0x8100), ("tap", "802.1Q", 0x8100), ("tap", "802.1ad", 0x88a8)])
def test_vlan(bench, driver, protocol, tpid):
    """What comes with the tag is answered with it, what comes with another is not; the VLAN goes
    with its parent."""
    namespace, name = (bench.hosts[1], "eth0") if driver == "af_packet" else (bench.gw, "plxtrunk")
    bench.daemon.plx("mount", "-o", f"iface={'spare' if driver == 'af_packet' else name}", "-o",
                     "name=trunk0", driver)
    namespace.ip("link", "set", name, "up")
    words = [] if tpid == 0x8100 else ["vlanproto", protocol]
    bench.daemon.plx("ifconfig", "vlan7", "create", "vlan", "7", "vlandev", "trunk0", *words,
                     "inet", "10.7.0.1/24")
    shown = bench.daemon.run_plx("ifconfig", "vlan7").stdout
    assert f"vlan: 7 vlanproto: {protocol} parent: trunk0" in shown
    mac = "02:00:00:00:07:02"
    bench.daemon.plx("arp", "add", "vlan7", "10.7.0.2", mac)
    tap = TaggedTap(namespace, name)
    answered = []

    def answer():
        for vlan in (8, 7):
            tap.send(bytes(
                Ether(src=mac, dst=interface(bench.daemon, "vlan7")["mac"], type=tpid)
                / Dot1Q(vlan=vlan, type=0x0800) / IP(src="10.7.0.2", dst="10.7.0.1")
                / ICMP(id=vlan)))
        answered.extend((kind, tag, f[ICMP].id) for kind, tag, f in tap.receive()
                        if ICMP in f and f[ICMP].type == 0)
        return len(answered) >= 3

    wait_for(answer, "replies")
    assert set(answered) == {(tpid, 7, 7)}
    bench.daemon.plx("ifconfig", "trunk0", "destroy")
    assert bench.names() == ["lan0"]


def test_unnamed_vlan_prints_its_name(bench):
    done = bench.daemon.run_plx("ifconfig", "vlan", "create", "vlan", "9", "vlandev", "lan0")
    assert done.stdout == "vlan0\n"
    bench.daemon.plx("ifconfig", "vlan0", "destroy")


def test_driver_show(bench):
    shown = bench.daemon.run_plx("driver", "show").stdout
    row = next(line for line in shown.splitlines() if line.startswith("af_packet "))
    assert "loaded" in row and "lan0" in row
    shown = bench.daemon.run_plx("driver", "show", "fake_one").stdout
    assert re.search(r"^device +text +\(required\) +what to open$", shown, re.M)
    assert re.search(r"^size +number +7 +how large$", shown, re.M)
    driver = bench.daemon.plx("driver", "show", "fake_one")[0]
    assert not driver["loaded"] and driver["references"] == 0
    assert driver["options"][1] == {"name": "size", "type": "number", "required": False,
                                    "default": "7", "help": "how large"}
    assert not any(d["name"] in ("no_entry", "other_abi") for d in bench.daemon.plx("driver"))


def test_nicinfo(bench):
    nic, = bench.daemon.plx("nicinfo", "lan0")
    assert nic["driver"] == "af_packet" and nic["device"] == "lan"
    assert nic["object"].endswith("/pollux-af_packet.so")
    assert nic["mtu"] == 1500 and nic["link"] is True and nic["rss"] == "software"
    assert [q["queue"] for q in nic["queues"]] == list(range(nic["rx_queues"]))
    assert all(q["worker"] in (0, 1) for q in nic["queues"])
    assert all(value > 0 for value in nic["xstats"].values())
    shown = bench.daemon.run_plx("nicinfo").stdout
    for part in ("lan0:", "driver", "pollux-af_packet.so", "rx 0 by worker", "capabilities"):
        assert part in shown


def test_queues_are_assigned_and_spread(bench):
    """A queue goes to the worker it is given to, and stays there when the others are spread."""
    def queue(*words):
        return next(q for q in bench.daemon.plx("worker", *words)
                    if (q["interface"], q["queue"]) == ("lan0", 0))

    for worker in (1, 0, 1):
        bench.daemon.plx("worker", "assign", "lan0", "0", worker)
        assert (queue()["worker"], queue()["pinned"]) == (worker, True)
        bench.hosts[0].ping("10.1.0.1")
    bench.daemon.plx("worker", "spread")
    assert queue("show")["worker"] == 1
    assert "by hand" in bench.daemon.run_plx("worker").stdout


def test_nothing_is_lost_beside_it(bench):
    """One interface comes and goes while another carries a stream: none of its packets is lost."""
    flood = bench.hosts[0].start("ping", "-n", "-q", "-i", "0.002", "-c", "1500", "10.1.0.1",
                                 stdout=-1, text=True)
    cycles = 0
    while flood.poll() is None:
        bench.daemon.plx("mount", "-o", "iface=spare,name=wan0", "af_packet")
        bench.daemon.plx("ifconfig", "wan0", "destroy")
        cycles += 1
    told = flood.stdout.read()
    assert cycles > 0
    assert " 0% packet loss" in told, told
    assert bench.names() == ["lan0"]
