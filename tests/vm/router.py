# SPDX-License-Identifier: BSD-3-Clause
"""polluxd in a guest, a router over three NICs whose cables end in the test.

    test == wire 0 == p0 10.1.0.1 \\
    test == wire 1 == p1 10.2.0.1  > polluxd      the hosts are .2, whose MACs the configuration has;
    test == wire 2 == p2 10.3.0.1 /               any other answers ARP, if the test lets it
"""
import dataclasses
import json
import re
import shlex

from guest import Guest, Nic, mac
from lab import LabError, program, to_toml, wait_for
from traffic import Exchange, Flow, Hop

CONFIG, PID = "/run/pollux.toml", "/run/polluxd.pid"  # in the guest
START_S = 120  # generous: DPDK's libraries come through 9p, and devices reset in emulated time
PORTS = 3
# DPDK loads every object in its folder, two hundred, which would be most of a start here.
PMDS = ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_virtio", "net_vmxnet3")


@dataclasses.dataclass(frozen=True)
class Model:
    """A NIC of QEMU and the driver of ours that takes it."""
    nic: str
    driver: str
    option: str            # of the driver, that names the device
    iommu_properties: str = ""  # of the NIC, to be behind an IOMMU


MODELS = [
    Model("virtio-net-pci", "virtio", "pci", "disable-legacy=on,iommu_platform=on"),
    Model("e1000", "intel", "pci"),
    Model("e1000e", "intel", "pci"),
    Model("vmxnet3", "dpdk", "devargs"),
]


class Router:
    def __init__(self, model, binding, name=None, **guest_options):
        self.model, self.binding = model, binding
        iommu = binding == "vfio-pci"
        # The last one can be pulled where the kernel asks for it back first.
        nics = [Nic(model.nic, properties=model.iommu_properties if iommu else "",
                    removable=iommu and i == PORTS - 1) for i in range(PORTS)]
        self.guest = Guest(name or f"{model.nic}-{binding}", nics, iommu=iommu, **guest_options)
        try:
            self._addresses = [self.guest.bind(i, binding) for i in range(PORTS)]
            self.hops = [Hop(wire, f"02:00:00:00:{i + 1:02x}:02", mac(i), f"10.{i + 1}.0")
                         for i, wire in enumerate(self.guest.wires)]
            self._configure()
            self._hide_other_pmds()
            self.start()
        except BaseException:
            self.guest.close()
            raise

    def interface(self, i):
        """What the configuration says of port `i`."""
        return {"driver": self.model.driver, "name": f"p{i}", "mtu": 1500,
                "options": {self.model.option: self._addresses[i]}}

    def address(self, i):
        return f"{self.hops[i].network}.1/24"

    def neighbor(self, i):
        return {"interface": f"p{i}", "address": f"{self.hops[i].network}.2",
                "mac": self.hops[i].station_mac}

    def _configure(self):
        config = {
            **({"eal": {"args": ["--iova-mode=pa"]}} if self._needs_physical_addresses() else {}),
            "workers": {"count": 1},
            "sysctl": {"net.inet.ip.forwarding": 1},
            "interface": [{**self.interface(i), "address": [self.address(i)]}
                          for i in range(PORTS)],
            "neighbor": [self.neighbor(i) for i in range(PORTS)],
        }
        self.guest.write(CONFIG, to_toml(config))

    def _hide_other_pmds(self):
        files = " ".join(f"librte_{name}.so*" for name in PMDS)
        self.guest.run(f"cd /usr/lib/*/dpdk/pmds-* && mkdir /run/pmds && cp -a {files} /run/pmds && "
                       "mount --bind /run/pmds .")

    def _needs_physical_addresses(self):
        """QEMU's transmit code of these devices drops a frame that it cannot map in one piece: one
        that crosses a hugepage, where virtual addresses are used and the next page lies elsewhere.
        With physical addresses DPDK places no buffer across pages. Devices of metal do not care."""
        return self.binding == "vfio-pci" and self.model.nic in ("e1000e", "vmxnet3")

    def start(self):
        """polluxd, READY, with the links up."""
        before = len(self.guest.log_text())
        self.guest.start(f"{program('polluxd')} -c {CONFIG} & echo $! >{PID}; "
                         "wait $!; echo polluxd ended with status $?")

        def ready():
            said = self.guest.log_text()[before:]
            if ended := re.search(r"^polluxd ended with status \d+", said, re.MULTILINE):
                raise LabError(f"{ended[0]}\n{self.guest.log_tail()}")
            return re.search(r"^READY\b", said, re.MULTILINE)

        wait_for(ready, "READY of polluxd", START_S)
        self.wait_for_links(**{f"p{i}": True for i in range(PORTS)})

    def stop(self, signal="TERM"):
        """Ends polluxd. Returns its status."""
        before = len(self.guest.log_text())
        self.guest.run(f"kill -{signal} $(cat {PID})")
        ended = wait_for(lambda: re.search(r"^polluxd ended with status (\d+)",
                                           self.guest.log_text()[before:], re.MULTILINE),
                         f"polluxd to end by SIG{signal}")
        return int(ended[1])

    def plx(self, *words):
        """plx -j in the guest. Returns what it prints, parsed."""
        text = self.guest.run(shlex.join([program("plx"), "-j", *map(str, words)]))[1]
        return json.loads(text) if text.strip() else None

    def create(self, i):
        """Port `i` anew, as the configuration has it."""
        self.plx("mount", "-T", "io-pkt", "-o",
                 f"name=p{i},{self.model.option}={self._addresses[i]}", self.model.driver)
        self.plx("ifconfig", f"p{i}", "inet", self.address(i))
        neighbor = self.neighbor(i)
        self.plx("arp", "add", f"p{i}", neighbor["address"], neighbor["mac"])

    def packets(self):
        """{interface: (received, sent)}."""
        return {x["name"]: (x["rx"]["packets"], x["tx"]["packets"])
                for x in self.plx("stats", "--interfaces")}

    def wait_for_links(self, **up):
        """`p1=False`: until p1's link is down."""
        def links():
            return {x["name"]: x["link"] for x in self.plx("ifconfig")}

        wait_for(lambda: up.items() <= links().items(), f"links to be {up}")

    def is_absent(self, i):
        """Whether port `i` waits for its device."""
        return self.plx("ifconfig", f"p{i}")[0]["absent"]

    def drops(self):
        """{reason: packets} of every reason that has counted."""
        return {d["reason"]: d["packets"] for d in self.plx("stats", "--drops") if d["packets"]}

    def told_drops(self):
        """For a report: the drops, or why there are none to be had."""
        try:
            return str(self.drops())
        except (LabError, ValueError) as error:
            return str(error)

    def flows(self, a, b, **keywords):
        """Both ways between ports `a` and `b`."""
        return [Flow(self.hops[a], self.hops[b], **keywords),
                Flow(self.hops[b], self.hops[a], **keywords)]

    def assert_carries(self, a, b, count=64, **keywords):
        exchange = Exchange(self.flows(a, b, **keywords), count)
        exchange.run()
        return exchange

    def close(self):
        self.guest.close()
