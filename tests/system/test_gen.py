# SPDX-License-Identifier: BSD-3-Clause
"""pollux-gen through a router, shared memory on both sides.

    pollux-gen left 10.1.0.2 ==== 10.1.0.1 polluxd 10.2.0.1 ==== 10.2.0.2 right pollux-gen
               2001:db8:1::2      2001:db8:1::1    2001:db8:2::1      2001:db8:2::2

No figure here is a speed: rates are so low that any machine reaches them in the end, and where it
does not, packets are sent later, not lost.
"""
import json
import subprocess

import pytest
from lab import REPOSITORY, die_with_parent, end_process, program, to_toml, wait_for

GENEROUS_S = 300
EXAMPLE = REPOSITORY / "docs" / "gen.example.toml"
SIDES = {"left": "1", "right": "2"}


class Bench:
    def __init__(self, lab):
        self.gw = lab.namespace("gen-gw")
        self.folder = lab.folder("gen")
        self.daemon = lab.polluxd(self.gw, {
            "sysctl": {"net.inet.ip.forwarding": 1, "net.inet6.ip6.forwarding": 1,
                       "net.inet6.ip6.dad_count": 0},
            "interface": [{"driver": "memif", "name": f"{side}0",
                           "address": [f"10.{n}.0.1/24", f"2001:db8:{n}::1/64"],
                           "options": {"socket": str(self.folder / f"{side}.sock"),
                                       "role": "server"}} for side, n in SIDES.items()],
        }, name="gen-polluxd")

    def devices(self):
        for side in SIDES:
            yield from ("-d", f"memif,socket={self.folder / side}.sock,role=client,name={side}")

    def gen(self, *argv, wait=60, check=True):
        """Runs pollux-gen to its end. Returns (JSON, process)."""
        out = self.folder / "out.json"
        out.unlink(missing_ok=True)
        done = self.gw.run(program("pollux-gen"), *self.devices(), "-q", "--wait", wait, "--json",
                           out, *argv, check=check, timeout=GENEROUS_S)
        return (json.loads(out.read_text()) if out.exists() else None), done

    def counters(self):
        """{side: {"rx": {"packets": ...}, "tx": ...}} of the router."""
        stats = {i["name"]: i for i in self.daemon.plx("stats", "--interfaces")}
        return {side: stats[f"{side}0"] for side in SIDES}

    def write(self, name, *streams):
        ports = [{"name": side, "address": [f"10.{n}.0.2/24", f"2001:db8:{n}::2/64"],
                  "gateway": [f"10.{n}.0.1", f"2001:db8:{n}::1"]} for side, n in SIDES.items()]
        path = self.folder / name
        path.write_text(to_toml({"port": ports, "stream": list(streams)}))
        return path


@pytest.fixture(scope="module")
def bench(lab):
    bench = Bench(lab)
    yield bench
    bench.daemon.stop()


def stream(six, **more):
    a, b = ("2001:db8:1::2", "2001:db8:2::2") if six else ("10.1.0.2", "10.2.0.2")
    return {"from": "left", "to": "right", "src": a, "dst": b, "size": 84, **more}


def test_example_of_the_documentation(bench):
    """Gateways are resolved by ARP and Neighbour Discovery, hosts by the router; nothing is lost."""
    bench.gen("-c", EXAMPLE, "--duration", "0.5")  # the router learns the hosts
    result, _ = bench.gen("-c", EXAMPLE, "--duration", "2")
    for s in result["streams"]:
        assert s["received"] > 0, s
        assert s["lost"] == 0, s
        assert s["corrupt"] == s["duplicates"] == s["misdelivered"] == s["reordered"] == 0, s
        assert 0 < s["latency_ns"]["min"] <= s["latency_ns"]["p50"] <= s["latency_ns"]["max"]


@pytest.mark.parametrize("six", [False, True], ids=["ip4", "ip6"])
def test_counters_agree(bench, six):
    """What gen has sent is what the router has forwarded, and what gen has received."""
    config = bench.write("agree.toml", stream(six, packets=3000, rate="5 kpps"))
    bench.gen("-c", config, "--duration", "1")
    before = bench.counters()
    result, _ = bench.gen("-c", config, "--duration", "200")
    after = bench.counters()
    s = result["streams"][0]
    assert (s["sent"], s["received"], s["lost"]) == (3000, 3000, 0)
    ports = {p["name"]: p for p in result["ports"]}
    moved = after["left"]["rx"]["packets"] - before["left"]["rx"]["packets"]
    # Beside the stream: questions for the gateways before the run, their repetitions, answers.
    assert 3000 <= ports["left"]["sent"] <= moved <= 3000 + 400
    assert after["right"]["tx"]["packets"] - before["right"]["tx"]["packets"] >= 3000
    assert ports["right"]["received"] >= 3000


def test_loss_of_the_router_is_found(bench):
    """Packets that the router drops (TTL of one) are all lost, and its errors are foreign."""
    config = bench.write("ttl.toml", stream(False, packets=50, rate="1 kpps", ttl=1),
                         stream(False, packets=50, rate="1 kpps"))
    result, _ = bench.gen("-c", config, "--duration", "100", "--settle", "0.5")
    dead, living = result["streams"]
    assert (dead["sent"], dead["received"], dead["lost"]) == (50, 0, 50)
    assert living["lost"] == 0


def test_rfc2544(bench):
    """Short trials: the report is whole and hangs together."""
    config = bench.write("bench.toml", stream(False), stream(True, **{"size": 84}))
    result, _ = bench.gen("-c", config, "--settle", "0.2", "--line-rate", "4 Mbit/s", "rfc2544",
                          "--sizes", "128,512", "--trial", "0.1", "--trials", "2",
                          "--resolution", "0.2", "--pdr", "50%")
    assert [s["size"] for s in result["sizes"]] == [128, 512]
    for size in result["sizes"]:
        assert size["line_pps"] == pytest.approx(4e6 / ((size["size"] + 20) * 8))
        for sought in (size["ndr"], size["pdr"]):
            pps = sought["pps"]
            assert pps["trials"] == 2
            assert 0 <= pps["min"] <= pps["median"] <= pps["max"]
        assert size["loss"][0]["rate"] == 1
        assert all(0 <= point["loss_ratio"] <= 1 for point in size["loss"])
        assert 0 <= size["back_to_back"]["frames"]["min"] <= size["back_to_back"]["frames"]["max"]
        assert size["back_to_back"]["corrected_buffer_s"] <= size["back_to_back"]["implied_buffer_s"]


def test_interrupt_ends_with_a_report(bench):
    config = bench.write("long.toml", stream(False, rate="1 kpps"))
    out = bench.folder / "interrupted.json"
    process = subprocess.Popen(
        ["ip", "netns", "exec", bench.gw.name, program("pollux-gen"), *bench.devices(), "-c",
         str(config), "--duration", "1000", "--json", str(out)],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=die_with_parent)
    try:
        assert any("stream0" in line for line in process.stderr)  # the live view: it runs
        process.terminate()
        wait_for(lambda: process.poll() is not None, "the end of pollux-gen")
        assert process.returncode == 0
        assert json.loads(out.read_text())["interrupted"]
    finally:
        end_process(process)
        process.stderr.close()


def test_a_silent_gateway_is_named(bench):
    path = bench.folder / "silent.toml"
    path.write_text(to_toml({"port": [{"name": "left", "address": "10.1.0.2/24",
                                       "gateway": "10.1.0.77"}],
                             "stream": [stream(False)]}))
    _, done = bench.gen("-c", path, wait=3, check=False)
    assert done.returncode == 1
    assert "no answer from the gateway 10.1.0.77 on left" in done.stderr


def test_errors_have_their_place(bench):
    path = bench.write("bad.toml", stream(True, size=64))
    _, done = bench.gen("-c", path, check=False)
    assert done.returncode == 1
    assert "no room for headers and signature, expected 84 or more" in done.stderr
    assert str(path) in done.stderr
