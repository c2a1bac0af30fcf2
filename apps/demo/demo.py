#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two Pollux gateways carry real traffic through an IPsec tunnel, on one machine without a NIC.

    host-left ---- gw-left ==== cable ==== gw-right ---- host-right

The hosts are network namespaces whose kernels and programs know nothing of the tunnel; in each
gateway's namespace runs a polluxd. Ends with "demo: ok" and status 0, or "demo: failed: WHAT" and
status 1, and leaves nothing behind.
"""
import argparse
import json
import pathlib
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "support"))
import report  # noqa: E402
import traffic  # noqa: E402
import wire  # noqa: E402
from lab import Lab, LabError  # noqa: E402

HOST_LEFT, HOST_RIGHT = "10.1.0.2", "10.2.0.2"
GW_LEFT, GW_RIGHT = "192.0.2.1", "192.0.2.2"
SPI_TO_RIGHT, SPI_TO_LEFT = 0x1001, 0x2001



def draw(driver):
    """The picture at the head of the report."""
    report.heading("Topology: four network namespaces, their kernels are the hosts")
    for text in (
            " host-left              gw-left                      gw-right             host-right",
            "+----------+        +-------------+                +-------------+       +----------+",
            "|  kernel  |--------|   polluxd   |================|   polluxd   |-------|  kernel  |",
            "+----------+  veth  +-------------+   ESP tunnel   +-------------+  veth +----------+",
            "10.1.0.2     10.1.0.1     192.0.2.1              192.0.2.2     10.2.0.1     10.2.0.2"):
        report.line(text)
    report.line()
    report.line(f"driver {driver} on every port, gateways on CPU 0 and 1, "
                f"ESP AES-256-GCM with fresh random keys")


def gateway_config(driver, side):
    """Configuration of one gateway: its two ports, the tunnel, and the route into it."""
    left = side == "left"
    near, far = ("10.1.0", "10.2.0") if left else ("10.2.0", "10.1.0")
    local, remote = (GW_LEFT, GW_RIGHT) if left else (GW_RIGHT, GW_LEFT)
    spi_out, spi_in = (SPI_TO_RIGHT, SPI_TO_LEFT) if left else (SPI_TO_LEFT, SPI_TO_RIGHT)
    sa = {"tunnel": "ipsec0", "algorithm": "aes-gcm-256", "replay_window": 1024}
    return {
        "workers": {"count": 1, "cpus": [0 if left else 1]},
        "sysctl": {"net.inet.ip.forwarding": 1},
        "interface": [
            {"driver": driver, "name": "lan0", "address": [f"{near}.1/24"],
             "options": {"iface": "lan"}},
            {"driver": driver, "name": "wan0", "address": [f"{local}/24"],
             "options": {"iface": "wan"}},
        ],
        "tunnel": [{"name": "ipsec0", "local": local, "remote": remote,
                    "selectors": [{"local": f"{near}.0/24", "remote": f"{far}.0/24"}]}],
        "sa": [{**sa, "direction": "out", "spi": spi_out, "key_file": "out.key"},
               {**sa, "direction": "in", "spi": spi_in, "key_file": "in.key"}],
        "route": [{"prefix": f"{far}.0/24", "interface": "ipsec0"}],
    }


class Network:
    """The four hosts and the cable, with a daemon in each gateway."""

    def __init__(self, lab, driver):
        self.left, self.right = lab.namespace("host-left"), lab.namespace("host-right")
        gw_left, gw_right = lab.namespace("gw-left"), lab.namespace("gw-right")
        for host, gateway, address in ((self.left, gw_left, HOST_LEFT),
                                       (self.right, gw_right, HOST_RIGHT)):
            lab.cable(host, "eth0", gateway, "lan")
            host.address("eth0", f"{address}/24")
            host.route("default", address.rpartition(".")[0] + ".1")
        cable = wire.lay(lab, gw_left, gw_right, "wan")
        self.capture = wire.Capture(cable, "left", lab.folder("capture") / "cable.pcap")

        keys = {name: secrets.token_bytes(36).hex().encode() for name in ("to_right", "to_left")}
        self.gateways = {
            "gw-left": lab.polluxd(gw_left, gateway_config(driver, "left"), name="gw-left",
                                   keys={"out.key": keys["to_right"], "in.key": keys["to_left"]}),
            "gw-right": lab.polluxd(gw_right, gateway_config(driver, "right"), name="gw-right",
                                    keys={"out.key": keys["to_left"], "in.key": keys["to_right"]}),
        }


def carry_traffic(lab, network):
    """Runs every program over the tunnel. Returns what failed."""
    report.heading("Traffic: programs of host-left's kernel, to host-right")
    failed = []
    for step in traffic.steps(lab, network.left, network.right, HOST_RIGHT):
        try:
            passed, detail = True, step.action()
        except (LabError, ValueError, KeyError) as error:
            passed, detail = False, str(error)
        report.verdict(passed, step.name, detail)
        if not passed:
            failed.append(step.name)
    return failed


def show_counters(gateways):
    """What the gateways counted, for both side by side."""
    report.heading("Counters")
    rows = [(name, i["name"], i["rx"]["packets"], i["rx"]["bytes"], i["tx"]["packets"],
             i["tx"]["bytes"], sum(i["device"].values()))
            for name, d in gateways.items() for i in d.plx("stats", "--interfaces")]
    report.table(rows, ("gateway", "interface", "rx packets", "rx bytes", "tx packets",
                        "tx bytes", "lost by device"), left=2)
    report.heading("Security associations")
    rows = [(name, sa["direction"], sa["spi"], sa["algorithm"], sa["packets"], sa["bytes"],
             *sa["rejected"].values())
            for name, d in gateways.items() for sa in d.plx("ipsec", "sa", "show")]
    report.table(rows, ("gateway", "dir", "SPI", "algorithm", "packets", "bytes", "replayed",
                        "bad ICV", "malformed", "selectors"), left=4)
    report.heading("Drops by reason")
    rows = [(name, reason, packets)
            for name, d in gateways.items() for reason, packets in sorted(d.drops().items())]
    if rows:
        report.table(rows, ("gateway", "reason", "packets"), left=2)
    else:
        report.line("none on either gateway")


def check_wire(network):
    """What tcpdump saw between the gateways. Returns what failed."""
    missed = network.capture.stop()
    report.heading("The cable between the gateways, watched by tcpdump the whole time")
    check = wire.WireCheck(outer=(GW_LEFT, GW_RIGHT), inner=(HOST_LEFT, HOST_RIGHT))
    passed = check.run(network.capture.path)
    seen = sum(check.counts.values())
    detail = ", ".join(f"{count:,} {what}" for what, count in check.counts.most_common())
    report.verdict(passed, "ESP and ARP only", "\n".join([
        f"{seen:,} frames examined: {detail}",
        f"first {wire.SNAP_LEN} bytes of each; {missed:,} more passed while tcpdump was behind",
        *(check.offences or ["no inner address anywhere"])]))
    return [] if passed else ["ESP and ARP only"]


def stop_gateways(gateways):
    """Returns what failed."""
    report.heading("End")
    failed = []
    for name, daemon in gateways.items():
        try:
            report.verdict(True, f"{name} ends", f"status 0, {daemon.stop():.1f} s after SIGTERM")
        except LabError as error:
            report.verdict(False, f"{name} ends", str(error))
            failed.append(f"{name} ends")
    return failed


def run(driver):
    """The whole demo. Returns what failed."""
    started = time.monotonic()
    with Lab() as lab:
        try:
            draw(driver)
            network = Network(lab, driver)
            report.line(f"both gateways READY after {time.monotonic() - started:.1f} s")
            failed = carry_traffic(lab, network)
            show_counters(network.gateways)
            failed += check_wire(network)
            failed += stop_gateways(network.gateways)
        except Exception:
            lab.show_logs()
            raise
        if failed:
            lab.show_logs()
    report.line(f"{time.monotonic() - started:.0f} s in all; "
                f"namespaces, processes and files removed")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--driver", default="af_packet", choices=("af_packet", "af_xdp"),
                        help="driver of every port (default: %(default)s)")
    options = parser.parse_args()
    try:
        failed = ", ".join(run(options.driver))
    except KeyboardInterrupt as interrupt:
        failed = f"interrupted ({interrupt})"
    except (LabError, OSError, json.JSONDecodeError, KeyError) as error:
        failed = str(error) or type(error).__name__
    report.closing(failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
