# SPDX-License-Identifier: BSD-3-Clause
"""What happens to interfaces and drivers is told as it happens, to plx events and over the API.

    host 10.1.0.2 ---- lan polluxd spare ---- far
"""
import contextlib
import json
import re
import signal
import socket
import subprocess

import pytest
from events import events
from lab import GENEROUS_S, program, wait_for
from networks import Network, af_packet, interface


class Watched(Network):
    def __init__(self, lab):
        super().__init__(lab, "events")
        self.inside = self.host("host", "lan", "10.1.0.2")
        self.far = lab.namespace("events-far")
        lab.cable(self.far, "eth0", self.gw, "spare")
        self.wait_carrier("lan")
        self.start({"interface": [af_packet("lan0", "lan", "10.1.0.1/24")]})

    def wait_carrier(self, port):
        """The kernel takes a moment to see that a cable has two ends. Until then it would be told
        as a link that comes up."""
        wait_for(lambda: self.gw.ip_json("link", "show", "dev", port)[0]["operstate"] == "UP",
                 f"the carrier of {port}")

    def mount(self, name):
        """An interface on the spare cable, of whose link nothing is told but what comes later."""
        self.wait_carrier("spare")
        self.daemon.plx("mount", "-o", f"iface=spare,name={name}", "af_packet")


@pytest.fixture(scope="module")
def net(lab):
    net = Watched(lab)
    yield net
    net.daemon.stop()


@pytest.fixture(autouse=True)
def _as_it_was(net):
    yield
    net.far.ip("link", "set", "eth0", "up")
    for i in net.daemon.plx("ifconfig"):
        if i["name"] != "lan0":
            net.daemon.run_plx("ifconfig", i["name"], "destroy")


@contextlib.contextmanager
def plx_events(daemon, folder, *words):
    """plx events with these words while the block runs. Yields a function that gives the lines it
    has printed; on leaving, it is interrupted and must end well."""
    out = folder / "events"
    with out.open("wb") as file:
        process = subprocess.Popen([program("plx"), "-s", str(daemon.socket), *words], stdout=file,
                                   stderr=subprocess.STDOUT)
    try:
        # It is there when it tells something: a loop is renamed until then.
        daemon.plx("mount", "-o", "name=probe0", "loop")

        def told():
            daemon.plx("ifconfig", "probe0", "name", "probe1")
            daemon.plx("ifconfig", "probe1", "name", "probe0")
            return out.stat().st_size

        wait_for(told, "plx events to say something")
        daemon.plx("ifconfig", "probe0", "destroy")
        yield lambda: [line for line in out.read_text().splitlines() if "probe" not in line
                       and "loop" not in line]
        process.send_signal(signal.SIGINT)
        assert process.wait(GENEROUS_S) == 0
    finally:
        process.kill()
        process.wait()


BATCH = 64  # calls in one line to the daemon

LIFE = [
    ("driver.loaded", "loop"),
    ("interface.created", "lo5"),
    ("interface.down", "lo5"),
    ("interface.up", "lo5"),
    ("address.added", "lo5"),
    ("interface.renamed", "lo6"),
    ("address.deleted", "lo6"),
    ("interface.destroyed", "lo6"),
    ("driver.unloaded", "loop"),
]


def live(daemon):
    """What LIFE tells of."""
    daemon.plx("mount", "-o", "name=lo5", "loop")
    daemon.plx("ifconfig", "lo5", "down")
    daemon.plx("ifconfig", "lo5", "up")
    daemon.plx("ifconfig", "lo5", "inet", "10.9.0.1/24", "alias")
    daemon.plx("ifconfig", "lo5", "name", "lo6")
    daemon.plx("ifconfig", "lo6", "inet", "10.9.0.1/24", "-alias")
    daemon.plx("ifconfig", "lo6", "destroy")


def test_a_life_is_told_in_its_order(net):
    with events(net.daemon) as told:
        live(net.daemon)
        assert told(len(LIFE)) == LIFE


@pytest.mark.parametrize("kind", sorted({kind.split(".")[0] for kind, _ in LIFE}
                                        | {kind for kind, _ in LIFE}))
def test_only_the_kinds_that_were_asked_for(net, kind):
    """A family, or one kind. The link that goes down at the end shows that nothing else came."""
    net.mount("spare0")
    wanted = [e for e in LIFE if kind in (e[0], e[0].split(".")[0])]
    with events(net.daemon, kind, "link.down") as told:
        live(net.daemon)
        net.far.ip("link", "set", "eth0", "down")
        assert told(len(wanted) + 1) == [*wanted, ("link.down", "spare0")]


def test_link_goes_and_comes(net):
    """The other end of a cable goes down and up: it is told, shown, and the interface stays."""
    net.mount("spare0")
    with events(net.daemon, "link") as told:
        for _ in range(2):
            net.far.ip("link", "set", "eth0", "down")
            assert told(1) == [("link.down", "spare0")]
            assert interface(net.daemon, "spare0")["link"] is False
            assert "NO-CARRIER" in net.daemon.run_plx("ifconfig", "spare0").stdout
            net.far.ip("link", "set", "eth0", "up")
            assert told(1) == [("link.up", "spare0")]
            assert interface(net.daemon, "spare0")["link"] is True
    net.inside.ping("10.1.0.1")


def test_failed_mount_tells_of_no_interface(net):
    """All that was undone leaves at most the driver's coming and going."""
    with events(net.daemon, "interface", "address") as told:
        refused = net.daemon.run_plx("ifconfig", "lo3", "create", "inet", "10.1.0.1/24")
        assert refused.returncode == 1
        live(net.daemon)
        assert told(1) == [("interface.created", "lo5")]


def test_plx_prints_them(lab, net):
    net.mount("spare0")
    with plx_events(net.daemon, lab.folder("events-text"), "events") as lines:
        net.far.ip("link", "set", "eth0", "down")
        wait_for(lines, "the first event")
        net.daemon.plx("ifconfig", "spare0", "name", "wan9")
        net.daemon.plx("ifconfig", "wan9", "destroy")
        wait_for(lambda: len(lines()) >= 3, "three events")
        shown = lines()
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z  (\S+) +(\S+)(?:  (.*))?")
    assert [form.fullmatch(line).groups() for line in shown] == [
        ("link.down", "spare0", None), ("interface.renamed", "wan9", "spare0"),
        ("interface.destroyed", "wan9", None)]


def test_plx_prints_json(lab, net):
    folder = lab.folder("events-json")
    with plx_events(net.daemon, folder, "-j", "events", "interface", "driver") as lines:
        net.daemon.plx("mount", "-o", "name=n7", "null")
        net.daemon.plx("ifconfig", "n7", "destroy")
        wait_for(lambda: len(lines()) >= 4, "four events")
        told = [json.loads(line) for line in lines()]
    assert [(e["kind"], e["subject"]) for e in told] == [
        ("driver.loaded", "null"), ("interface.created", "n7"), ("interface.destroyed", "n7"),
        ("driver.unloaded", "null")]
    assert told[0]["detail"].endswith("/pollux-null.so")
    assert [e["time"] for e in told] == sorted(e["time"] for e in told)


def test_unknown_kind_is_refused(net):
    done = net.daemon.run_plx("events", "colour")
    assert done.returncode == 1
    assert 'no kind of event "colour"' in done.stderr
    assert "link.down" in done.stderr


def test_reader_that_does_not_read_delays_nobody(net):
    """It is told as much as the daemon keeps for a client, then is disconnected; the others have
    every event, and packets flow."""
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(socket.socket(socket.AF_UNIX))
        slow.settimeout(GENEROUS_S)
        slow.connect(str(net.daemon.socket))
        slow.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "events.subscribe"}\n')
        assert b"result" in slow.recv(65536)
        caller = stack.enter_context(socket.socket(socket.AF_UNIX))
        caller.settimeout(GENEROUS_S)
        caller.connect(str(net.daemon.socket))
        answers = stack.enter_context(caller.makefile())
        told = stack.enter_context(events(net.daemon, "interface.down", "interface.up"))

        def switch(up, count):
            """Calls of one batch: an event for each, down and up in turn."""
            calls = [{"jsonrpc": "2.0", "id": n, "method": "interface.set",
                      "params": {"name": "lo5", "up": up ^ bool(n % 2)}} for n in range(count)]
            caller.sendall(json.dumps(calls).encode() + b"\n")
            assert all("result" in answer for answer in json.loads(answers.readline()))

        net.daemon.plx("mount", "-o", "name=lo5", "loop")
        flood = net.inside.start("ping", "-n", "-q", "-i", "0.01", "10.1.0.1", stdout=-1,
                                 text=True)
        # 130 bytes each, well beyond the 4 MiB that are kept for a client and the kernel's buffers.
        total = 0
        while total < 60_000:
            switch(up=False, count=BATCH)
            total += BATCH
            both = [("interface.down", "lo5"), ("interface.up", "lo5")]
            assert told(BATCH) == both * (BATCH // 2)
        flood.send_signal(signal.SIGINT)
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                            flood.communicate(timeout=GENEROUS_S)[0]).groups())
        assert sent > 0 and received >= sent - 1
        # What was kept for it comes whole, from the first on; then the connection is closed.
        seen = b""
        with contextlib.suppress(ConnectionResetError):
            while data := slow.recv(1 << 20):
                seen += data
        kinds = [json.loads(line)["params"]["kind"] for line in seen.split(b"\n")[:-1]]
        assert kinds[:2] == ["driver.loaded", "interface.created"]
        assert 0 < len(kinds) < total
        net.inside.ping("10.1.0.1")
