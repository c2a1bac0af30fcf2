# SPDX-License-Identifier: BSD-3-Clause
"""check, plan, apply, confirm, save against a running daemon, while packets flow."""
import base64
import copy
import json
import os
import re
import signal

import pytest
from lab import program, run, to_toml, wait_for
from networks import Network, af_packet, interface


class Configured(Network):
    """host a --- lan0 [gateway] wan0 --- host b, and a spare cable to host c."""

    def __init__(self, lab):
        super().__init__(lab, "config")
        self.a = self.host("a", "lan", "10.1.0.2")
        self.b = self.host("b", "wan", "10.2.0.2")
        self.c = self.host("c", "spare", "10.3.0.2")
        self.base = {
            "sysctl": {"net.inet.ip.forwarding": True},
            "interface": [af_packet("lan0", "lan", "10.1.0.1/24"),
                          af_packet("wan0", "wan", "10.2.0.1/24")],
            "tunnel": [{"name": "ipsec0", "local": "10.2.0.1", "remote": "10.2.0.2"}],
            "sa": [{"tunnel": "ipsec0", "direction": way, "spi": spi,
                    "algorithm": "aes-gcm-256", "key_file": f"{way}.key"}
                   for way, spi in (("out", 0x1001), ("in", 0x2001))],
            "route": [{"prefix": "10.9.0.0/16", "via": "10.2.0.2"},
                      {"prefix": "10.8.0.0/16", "interface": "ipsec0"}],
        }
        self.key = os.urandom(36)
        self.start(copy.deepcopy(self.base), keys={"out.key": self.key.hex().encode(),
                                                   "in.key": os.urandom(36).hex().encode()})
        self.a.ping("10.2.0.2", "-W", 5, count=3)

    def file(self, name="next.toml", **changes):
        """A file in the daemon's folder: the base with some tables in place of its own."""
        path = self.daemon.folder / name
        config = {**self.base, "control": {"socket_directory": str(self.daemon.folder)}, **changes}
        path.write_text(to_toml(config))
        return path

    def plan(self, path):
        return [f"{c['sign']} {c['group']} {c['name']}"
                for c in self.daemon.plx("plan", path)["changes"]]


@pytest.fixture(scope="module")
def net(lab):
    return Configured(lab)


@pytest.fixture(autouse=True)
def _as_it_was(net):
    yield
    net.daemon.run_plx("confirm")
    net.daemon.plx("apply", net.file("base.toml"))


def test_check_says_all_with_line_and_column(lab, net):
    good = net.file()
    done = run(program("plx"), "check", good)
    assert (done.stdout, done.stderr) == ("", "")
    bad = net.file(route=[{"prefix": "10.9.0.0/16", "via": "10.77.0.1"},
                          {"prefix": "default", "interface": "nosuch0"}])
    done = run(program("plx"), "check", bad, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(re.match(rf"{re.escape(str(bad))}:\d+:\d+: route ", line) for line in lines)
    told = run(program("plx"), "-j", "check", bad, check=False)
    assert (told.returncode, json.loads(told.stdout)["errors"]) == (1, lines)


def test_nothing_to_do(net):
    done = net.daemon.run_plx("plan", net.file())
    assert (done.returncode, done.stdout) == (0, "nothing to do\n")
    assert net.daemon.plx("plan", net.file()) == {"changes": [], "restart": []}


def test_plan_changes_nothing_and_apply_does(net):
    spare = af_packet("spare0", "spare", "10.3.0.1/24")
    path = net.file(interface=[*net.base["interface"], spare],
                    route=[{"prefix": "10.9.0.0/16", "via": "10.2.0.7"}])
    wanted = ["+ interface spare0", "- route 10.8.0.0/16", "~ route 10.9.0.0/16"]
    assert sorted(net.plan(path)) == wanted
    assert sorted(net.plan(path)) == wanted
    net.daemon.plx("apply", path)
    assert net.plan(path) == []
    net.c.ping("10.3.0.1", "-W", 5, count=3)


def test_what_stays_loses_no_packet(net):
    """lan0 and wan0 forward while everything else is made and destroyed again."""
    process = net.a.start("ping", "-n", "-q", "-i", "0.005", "10.2.0.2", stdout=-1, text=True)
    spare = af_packet("spare0", "spare", "10.3.0.1/24")
    vlan = {"driver": "vlan", "name": "v7", "options": {"parent": "lan0", "id": 7}}
    more = net.file(interface=[*net.base["interface"], spare, vlan], tunnel=[], sa=[], route=[])
    for _ in range(5):
        net.daemon.plx("apply", more)
        net.daemon.plx("apply", net.file("base.toml"))
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                        told).groups())
    assert sent > 0 and received >= sent - 1, told


def test_an_sa_that_stays_keeps_its_sequence_number(net):
    net.a.ping("10.8.0.1", "-W", 1, count=3, check=False)

    def sequence():
        shown = {s["spi"]: s["sequence"] for s in net.daemon.plx("ipsec", "sa", "show")}
        return shown["0x00001001"]

    before = sequence()
    assert before > 0
    net.daemon.plx("apply", net.file(route=[net.base["route"][1]]))
    assert sequence() == before


def test_a_failure_changes_nothing(net):
    path = net.file(interface=[*net.base["interface"],
                               af_packet("x0", "nosuchlink", "10.4.0.1/24")],
                    route=[], sa=[], tunnel=[])
    before = net.daemon.plx("save", "-")["text"]
    done = net.daemon.run_plx("apply", path)
    assert done.returncode == 1
    assert "nothing has changed" in done.stderr
    assert re.search(r"next\.toml:\d+:\d+: interface x0: ", done.stderr)
    assert net.daemon.plx("save", "-")["text"] == before


def test_rolls_back_unless_confirmed(net):
    path = net.file(route=[])
    told = net.daemon.run_plx("apply", path, "--confirm", "1")
    assert "plx confirm" in told.stdout
    wait_for(lambda: net.plan(net.file("base.toml")) == [], "the apply to be undone")
    refused = net.daemon.run_plx("confirm")
    assert refused.returncode == 1

    net.daemon.plx("apply", path, "--confirm", "600")
    again = net.daemon.run_plx("apply", net.file("base.toml"))
    assert again.returncode == 1
    assert "waits to be confirmed" in again.stderr
    net.daemon.plx("confirm")
    assert net.plan(path) == []


def test_saved_and_applied_again_is_nothing(net):
    saved = net.daemon.folder / "saved.toml"
    net.daemon.plx("ifconfig", "lan0", "inet", "10.11.0.1/24", "mtu", "1400")
    done = net.daemon.run_plx("save", saved)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert net.daemon.plx("plan", saved) == {"changes": [], "restart": []}
    assert net.key.hex() not in saved.read_text()
    net.daemon.plx("apply", net.file("base.toml"))
    assert net.plan(saved) == ["~ interface lan0"]
    net.daemon.plx("apply", saved)
    assert interface(net.daemon, "lan0")["mtu"] == 1400


def test_save_names_the_associations_it_leaves_out(net):
    net.daemon.plx("ipsec", "sa", "add", "ipsec0", "in", "0x7000", "aes-gcm-256", "-",
                   input=os.urandom(36).hex())
    done = net.daemon.run_plx("save", net.daemon.folder / "saved.toml")
    assert "left out: sa ipsec0 in 0x00007000" in done.stderr
    assert "0x00007000" not in (net.daemon.folder / "saved.toml").read_text()


def test_keys_show_nowhere(net):
    """Planned, applied, refused, undone, saved, logged: never a key, whole or a part of it."""
    keys = {name: os.urandom(36) for name in ("new.key", "late.key")}
    for name, key in keys.items():
        net.daemon.write_key(name, key.hex().encode())
    keys["out.key"] = net.key
    broken = keys["broken.key"] = os.urandom(36)
    net.daemon.write_key("broken.key", broken.hex()[:-1].encode() + b"z")
    told = []

    def say(*words):
        for form in ([], ["-j"]):
            done = net.daemon.run_plx(*form, *words)
            told.append(done.stdout + done.stderr)
        return done.returncode

    def with_key(name, **changes):
        out, back = net.base["sa"]
        return net.file(sa=[{**out, "key_file": str(net.daemon.folder / name)}, back], **changes)

    assert say("plan", with_key("new.key")) == 0
    assert "another key" in told[0]
    assert say("plan", with_key("broken.key")) == 1
    assert say("apply", with_key("broken.key")) == 1
    assert say("apply", with_key("new.key")) == 0
    failing = [*net.base["interface"], af_packet("x0", "nosuchlink", "10.4.0.1/24")]
    assert say("apply", with_key("late.key", interface=failing)) == 1
    net.daemon.plx("apply", with_key("late.key"), "--confirm", "1")
    wait_for(lambda: net.plan(with_key("new.key")) == [], "the apply to be undone")
    saved = net.daemon.folder / "saved.toml"
    assert say("save", saved) == 0
    assert say("save", "-") == 0
    assert say("ipsec", "sa", "show") == 0
    assert 'new.key"' in saved.read_text()
    told += [saved.read_text(), net.daemon.log_text()]
    text = "".join(told).lower()
    for key in keys.values():
        encoded = base64.b64encode(key).decode().lower()
        for part in (key.hex()[:16], key.hex()[-18:-2], encoded[:16]):
            assert part not in text


def test_what_takes_a_restart(net):
    done = net.daemon.run_plx("plan", net.file(limits={"routes": 5000}))
    assert done.stdout == "takes a restart\n  ~ limits.routes: 4096 -> 5000\n"


def test_key_files_are_read_by_plx(net):
    missing = net.file(sa=[{**net.base["sa"][0], "key_file": "nosuch.key"}])
    done = net.daemon.run_plx("plan", missing)
    assert done.returncode == 1
    assert "nosuch.key" in done.stderr
    broken = net.file(mtu={"a": 1})
    done = net.daemon.run_plx("plan", broken)
    assert done.returncode == 1
    assert re.search(r"next\.toml:\d+:\d+: unknown key \"mtu\"", done.stderr)
