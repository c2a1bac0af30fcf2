# SPDX-License-Identifier: BSD-3-Clause
"""A daemon's life: start, READY, what it uses, how it ends, what it leaves behind."""
import itertools
import os
import pathlib
import re
import stat
import time

import pytest
from lab import GENEROUS_S, Polluxd, daemon_name, program, run, wait_for
from networks import af_packet, interface

_numbers = itertools.count(1)


class Host:
    """A kernel on a cable to a namespace in which daemons come and go."""

    def __init__(self, lab):
        number = next(_numbers)
        self.host, self.gw = lab.namespace(f"life{number}-host"), lab.namespace(f"life{number}-gw")
        lab.cable(self.host, "eth0", self.gw, "lan")
        self.host.address("eth0", "10.1.0.2/24")

    CONFIG = {"interface": [af_packet("lan0", "lan", "10.1.0.1/24")]}


@pytest.fixture(scope="module")
def host(lab):
    return Host(lab)


def leftovers(daemon):
    """What a process of ours may have left: sockets, DPDK's run-time folders, hugepage files."""
    places = ["/run/dpdk", "/var/run/dpdk", "/dev/hugepages", str(daemon.folder)]
    found = [str(p) for place in places for p in pathlib.Path(place).glob("*")]
    return [p for p in found if p.endswith(".sock") or f"-{daemon.process.pid}" in p
            or "rtemap" in p]


def test_version(lab):
    done = run(program(daemon_name()), "--version")
    for part in ("pollux", "DPDK", "IPsec-MB"):
        assert part in done.stdout


def test_help_and_usage(lab):
    assert "--config" in run(program(daemon_name()), "--help").stdout
    for wrong in (["--colour"], ["-t", "0"], ["-t", "many"], ["-i", "-1"], ["-p", "appletalk"],
                  ["-U", "no-such-user-here"], ["stray"]):
        done = run(program(daemon_name()), *wrong, check=False)
        assert done.returncode == 2, wrong
        assert done.stderr + done.stdout, wrong


def test_ready_means_ready(lab, host):
    """Right after READY the first packet is answered and the socket listens with mode 0660."""
    daemon = lab.polluxd(host.gw, Host.CONFIG)
    host.host.ping("10.1.0.1", "-W", 1)
    mode = os.stat(daemon.socket).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    assert re.search(r"pages", daemon.log_text()), "says which memory it has"
    daemon.stop()
    assert leftovers(daemon) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_traffic(lab, host, workers):
    """Ends with status 0 while packets arrive as fast as a kernel can send them."""
    daemon = lab.polluxd(host.gw, {**Host.CONFIG, "workers": {"count": workers}})
    flood = host.host.start("ping", "-n", "-q", "-f", "-s", "1000", "10.1.0.1", stdout=-3,
                            stderr=-3)
    wait_for(lambda: daemon.plx("stats", "--interfaces")[0]["rx"]["packets"] > 1000, "a flood")
    took = daemon.stop()
    flood.terminate()
    flood.wait()
    print(f"SIGTERM to exit under flood: {took:.2f} s")
    assert leftovers(daemon) == []


def test_sigint_ends_it_too(lab, host):
    daemon = lab.polluxd(host.gw, Host.CONFIG)
    daemon.process.send_signal(2)
    assert daemon.process.wait(GENEROUS_S) == 0
    assert leftovers(daemon) == []


def test_two_at_once(lab, host):
    """Two instances in two namespaces do not meet."""
    other = Host(lab)
    first, second = lab.polluxd(host.gw, Host.CONFIG), lab.polluxd(other.gw, Host.CONFIG)
    host.host.ping("10.1.0.1")
    other.host.ping("10.1.0.1")
    first.stop()
    other.host.ping("10.1.0.1")
    second.stop()
    assert leftovers(first) == leftovers(second) == []


def test_same_instance_twice_is_refused(lab, host):
    """The second is refused; the first goes on and keeps its socket."""
    daemon = lab.polluxd(host.gw, Host.CONFIG)
    second = Polluxd(lab, host.gw, {"control": {"socket_directory": str(daemon.folder)}},
                     instance=daemon.instance, name="second")
    assert second.process.wait(GENEROUS_S) == 1
    assert str(daemon.socket) in second.log_text()
    host.host.ping("10.1.0.1")
    assert daemon.plx("ifconfig")
    daemon.stop()


def test_socket_of_a_dead_one_is_taken_over(lab, host):
    daemon = lab.polluxd(host.gw, Host.CONFIG)
    daemon.process.kill()
    daemon.process.wait()
    assert daemon.socket.exists()
    config = {**Host.CONFIG, "control": {"socket_directory": str(daemon.folder)}}
    next_one = lab.polluxd(host.gw, config, instance=daemon.instance, name="next")
    next_one.socket = daemon.socket
    assert next_one.plx("ifconfig")
    next_one.stop()
    assert not daemon.socket.exists()


def test_from_the_command_line(lab, host):
    """-d, -p and -t do what the file does."""
    daemon = lab.polluxd(host.gw, {}, arguments=["-d", "af_packet,iface=lan,name=wan7", "-p",
                                                 "tcpip,forward", "-t", "2", "-v"])
    assert interface(daemon, "wan7")["driver"] == "af_packet"
    assert len(daemon.plx("stats", "--workers")) == 2
    (node,) = daemon.plx("sysctl", "net.inet.ip.forwarding")
    assert node["value"] == 1
    daemon.plx("ifconfig", "wan7", "inet", "10.1.0.1/24")
    host.host.ping("10.1.0.1", "-W", 1)
    daemon.stop()


def test_unnamed_interfaces_are_numbered(lab, host):
    daemon = lab.polluxd(host.gw, {}, arguments=["-d", "af_packet,iface=lan"])
    assert [i["name"] for i in daemon.plx("ifconfig")] == ["af_packet0"]
    daemon.stop()


def test_one_core(lab, host):
    """Manager and worker share one core."""
    daemon = lab.polluxd(host.gw, Host.CONFIG, before=["taskset", "-c", "0"])
    host.host.ping("10.1.0.1", "-i", 0.01, count=100)
    daemon.stop()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    """Resident memory, huge pages included."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(re.search(rf"{name}:\s+(\d+) kB", text)[1])
               for name in ("VmRSS", "HugetlbPages")) / 1024


def test_small_and_quiet(lab, host):
    """One port, default sizes: under 150 MB, and an idle daemon leaves the core alone."""
    daemon = lab.polluxd(host.gw, Host.CONFIG)
    host.host.ping("10.1.0.1")
    time.sleep(1)  # until the worker has backed off
    begin, began = cpu_seconds(daemon.process.pid), time.monotonic()
    time.sleep(3)
    share = (cpu_seconds(daemon.process.pid) - begin) / (time.monotonic() - began)
    size = memory_mib(daemon.process.pid)
    print(f"idle: {share:.1%} of a core, {size:.0f} MiB")
    assert size < 150
    assert share < 0.5
    (worker,) = daemon.plx("stats", "--workers")
    assert worker["sleep"] > worker["busy"]
    daemon.stop()


def test_user_is_changed(lab, host):
    """-U: after start nothing of root is left, and everything still works and is cleaned up."""
    daemon = Polluxd(lab, host.gw, Host.CONFIG, arguments=["-U", "nobody:nogroup"])
    os.chown(daemon.folder, 65534, 65534)
    daemon.wait_ready()
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", text, re.M)
    assert re.search(r"^Gid:\t65534\t65534\t65534\t65534$", text, re.M)
    host.host.ping("10.1.0.1", "-W", 1)
    assert daemon.plx("ifconfig")
    daemon.stop()


BAD_FILES = [
    ("unknown table", '[worker]\ncount = 1\n', 1, 2, "worker"),
    ("unknown key", '[workers]\ncount = 1\ncolour = 3\n', 3, 1, "colour"),
    ("wrong type", '[workers]\ncount = "one"\n', 2, 9, "integer"),
    ("out of range", '[workers]\ncount = 0\n', 2, 9, "1"),
    ("bad address", '[[interface]]\ndriver = "af_packet"\naddress = ["10.1.0.300/24"]\n', 3, 12,
     "10.1.0.300/24"),
    ("bad prefix length", '[[route]]\nprefix = "10.0.0.0/33"\nvia = "10.1.0.1"\n', 2, 10, "/33"),
    ("missing key", '[[interface]]\nname = "lan0"\n', 1, None, "driver"),
    ("syntax", '[workers]\ncount = \n', 2, None, ""),
    ("two keys alike", '[workers]\ncount = 1\ncount = 2\n', 3, None, "count"),
    ("missing key file", '[[tunnel]]\nname = "ipsec0"\nlocal = "192.0.2.1"\nremote = "192.0.2.2"\n'
     '[[sa]]\ntunnel = "ipsec0"\ndirection = "in"\nspi = 4096\nalgorithm = "aes-gcm-256"\n'
     'key_file = "nosuch.key"\n', 10, 12, "nosuch.key"),
]


@pytest.mark.parametrize("what, text, line, column, said", BAD_FILES, ids=[c[0] for c in BAD_FILES])
def test_bad_configuration(lab, what, text, line, column, said):
    """Status 1 or 2, and one line that says where: file:line:column."""
    path = lab.folder(f"bad-{next(_numbers)}") / "bad.toml"
    path.write_text(text)
    done = run(program(daemon_name()), "-i", lab.next_instance(), "-c", path, check=False)
    assert done.returncode in (1, 2)
    output = done.stdout + done.stderr
    where = f"{path}:{line}:{column}:" if column else f"{path}:{line}:"
    assert where in output, output
    assert said in output
    assert "READY" not in output


def test_missing_configuration(lab):
    done = run(program(daemon_name()), "-c", "/nonexistent.toml", check=False)
    assert done.returncode in (1, 2)
    assert "/nonexistent.toml" in done.stdout + done.stderr


def test_configuration_that_cannot_be_done(lab, host):
    """Well-formed, but it asks for what does not exist: nothing is left of the attempt."""
    daemon = Polluxd(lab, host.gw, {
        **Host.CONFIG, "route": [{"prefix": "10.9.0.0/16", "interface": "ipsec9"}]})
    assert daemon.process.wait(GENEROUS_S) == 1
    assert "ipsec9" in daemon.log_text()
    assert leftovers(daemon) == []
    again = lab.polluxd(host.gw, Host.CONFIG)
    again.stop()
