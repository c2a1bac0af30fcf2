# SPDX-License-Identifier: BSD-3-Clause
"""A QEMU guest under emulation (TCG): it boots, runs commands, has NICs whose cables end here.

    with Guest("e1000", [Nic("e1000")]) as guest:
        guest.run("echo hello")                 # as root; the guest's / is this machine's
        guest.wires[0].send(frame)              # one datagram is one frame
        guest.qmp("set_link", name="net0", up=False)

All that joins the two is socket pairs, inherited by QEMU: no path, no port, nothing left behind.
The guest goes with the block, and with this process however that ends.
"""
import base64
import ctypes
import dataclasses
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import time

from lab import GENEROUS_S, LabError, REPOSITORY, die_with_parent, wait_for

IMAGE = REPOSITORY / "build" / "vm"
LOGS = REPOSITORY / "build" / "log"
BOOT_S = 150     # generous: ten at a time on two CPUs take 40
BOOTS = 3        # on a very busy machine about one boot in a hundred of QEMU 7.2's stands still
STANDSTILL = ("soft lockup", "detected stalls")  # what a kernel says of it, if it can
COMMAND_S = 120
FIRST_SLOT = 8   # the NICs are at 0000:00:08.0, 0000:00:09.0 and on


@dataclasses.dataclass
class Nic:
    model: str             # a device of QEMU: "e1000"
    properties: str = ""   # further properties of it: "vectors=0"
    netdev: str = ""       # of QEMU's -netdev; empty: a cable that ends here
    removable: bool = False  # in a slot of its own, out of which it can be pulled


class Wire:
    """Our end of a NIC's cable. Frames are whole, without FCS."""

    def __init__(self, end):
        self._socket = end
        end.setblocking(False)

    def fileno(self):
        return self._socket.fileno()

    def send(self, frame):
        """@return False if the cable is full now."""
        try:
            return self._socket.send(frame) == len(frame)
        except BlockingIOError:
            return False

    def receive(self):
        """All frames that have arrived."""
        frames = []
        try:
            while True:
                frames.append(self._socket.recv(65536))
        except BlockingIOError:
            return frames

    def wait_for(self, wanted, limit_s=GENEROUS_S):
        """What `wanted(frame)` makes of the first frame for which that is true; LabError if none
        comes. Frames before it are lost, those after it are not."""
        end = time.monotonic() + limit_s
        while (left := end - time.monotonic()) > 0:
            if not select.select([self], [], [], left)[0]:
                break
            if found := wanted(self._socket.recv(65536)):
                return found
        raise LabError(f"waited {limit_s} s in vain for a frame")

    def close(self):
        self._socket.close()


def tsc_khz():
    """This CPU's time stamp counter, measured. The guest is told: on a busy host it would measure
    wrongly itself, and its clock would run several times too fast."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("0f31" "48c1e220" "4809d0" "c3"))  # rdtsc; rax |= rdx << 32; ret
    entry = ctypes.c_char.from_buffer(code)
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(entry))
    begun, first = time.monotonic_ns(), rdtsc()
    time.sleep(0.2)
    ended, last = time.monotonic_ns(), rdtsc()
    return (last - first) * 1_000_000 // (ended - begun)


class BootHung(LabError):
    """The kernel stands still before it has done anything for us."""


class Guest:
    def __init__(self, name, nics, iommu=False, memory_mib=768, cpus=1, hugepages=96, arguments=()):
        """`hugepages`: of 2 MiB. `arguments`: further ones of QEMU's."""
        self.name, self.nics = name, nics
        self.log_file = LOGS / f"vm-{name}.log"
        self._qemu_log = LOGS / f"vm-{name}.qemu.log"
        for needed in ("vmlinux", "initrd.cpio"):
            if not (IMAGE / needed).exists():
                raise LabError(f"{IMAGE / needed} is missing: run tests/vm/image.py {IMAGE}")
        LOGS.mkdir(parents=True, exist_ok=True)
        for left in reversed(range(BOOTS)):
            try:
                self._boot(iommu, memory_mib, cpus, hugepages, arguments)
                break
            except BootHung:
                self.close()
                if left == 0:
                    raise
                self.log_file.replace(LOGS / f"vm-{name}.hung.log")
            except BaseException:
                self.close()
                raise

    def _boot(self, iommu, memory_mib, cpus, hugepages, arguments):
        self.wires, self._inherited, self._process = [], [], None
        self.log_file.write_bytes(b"")
        self._agent, agent = self._pair()
        self._answers = self._agent.makefile("rb")
        self._monitor, monitor = self._pair()
        self._monitor.settimeout(COMMAND_S)
        self._replies = self._monitor.makefile("r")
        self._start([
            "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", cpus,
            "-m", memory_mib, "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", f"file:{self.log_file}",
            "-kernel", IMAGE / "vmlinux", "-initrd", IMAGE / "initrd.cpio",
            "-append", "console=ttyS0 quiet panic=-1 nokaslr mitigations=off audit=0 "
            "no_timer_check tsc=reliable "
            f"tsc_early_khz={tsc_khz()} hugepages={hugepages}"
            + (" intel_iommu=on" if iommu else ""),
            *(("-device", "intel-iommu,aw-bits=48") if iommu else ()),
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-chardev", f"socket,id=agent,fd={agent}", "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-chardev", f"socket,id=qmp,fd={monitor}", "-mon", "chardev=qmp,mode=control",
            *self._nic_arguments(), *arguments])
        self._wait_for_boot()

    def _pair(self, kind=socket.SOCK_STREAM):
        """(our end, file descriptor of QEMU's)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._inherited.append(theirs)
        return ours, theirs.fileno()

    def _nic_arguments(self):
        for i, nic in enumerate(self.nics):
            netdev = nic.netdev
            if not netdev:
                ours, theirs = self._pair(socket.SOCK_DGRAM)
                self.wires.append(Wire(ours))
                netdev = f"dgram,local.type=fd,local.str={theirs}"
            yield from ("-netdev", f"{netdev},id=net{i}")
            slot = f"{FIRST_SLOT + i:#x}.0"
            if nic.removable:
                yield from ("-device", f"pcie-root-port,id=slot{i},chassis={i + 1},addr={slot}")
            yield from ("-device", ",".join(f"{name}={value}" for name, value in
                                            self._properties(i, slot).items()))

    def _properties(self, i, slot):
        """What QEMU is to know of NIC `i`, as -device and device_add have it."""
        nic = self.nics[i]
        place = {"bus": f"slot{i}"} if nic.removable else {"addr": slot}
        return {"driver": nic.model, "id": f"nic{i}", "netdev": f"net{i}", "mac": mac(i), **place,
                **dict(p.split("=") for p in nic.properties.split(",") if p)}

    def pull(self, i):
        """NIC `i` out of its slot: the guest is asked to let go of it. Returns when it has."""
        self.qmp("device_del", id=f"nic{i}")
        wait_for(lambda: f"nic{i}" not in
                 [child["name"] for child in self.qmp("qom-list", path="/machine/peripheral")],
                 f"the guest to let go of NIC {i}")

    def plug(self, i):
        """NIC `i` into its slot again; it has no driver then."""
        self.qmp("device_add", **self._properties(i, ""))

    def _start(self, argv):
        with self._qemu_log.open("wb") as log:
            self._process = subprocess.Popen(
                ["qemu-system-x86_64", *map(str, argv)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=die_with_parent,
                pass_fds=[s.fileno() for s in self._inherited])
        for end in self._inherited:
            end.close()

    def _wait_for_boot(self):
        end = time.monotonic() + BOOT_S

        def booted():
            self._check_alive()
            said = self.log_text()
            if "GUEST READY" in said:
                return True
            if "GUEST FAILED" in said:
                raise LabError(f"guest {self.name} did not boot\n{self.log_tail()}")
            if any(sign in said for sign in STANDSTILL) or time.monotonic() > end:
                raise BootHung(f"guest {self.name} hangs\n{self.log_tail()}")
            return False

        wait_for(booted, f"guest {self.name} to boot", BOOT_S + GENEROUS_S)
        self._replies.readline()  # the greeting
        self.qmp("qmp_capabilities")

    def _check_alive(self):
        if self._process.poll() is not None:
            raise LabError(f"QEMU of {self.name} ended with status {self._process.returncode}: "
                           f"{self._qemu_log.read_text(errors='replace')}\n"
                           f"{self.log_tail()}")

    def log_text(self):
        return self.log_file.read_text(errors="replace")

    def log_tail(self, lines=40):
        return "\n".join(self.log_text().splitlines()[-lines:])

    def run(self, line, check=True, timeout=COMMAND_S):
        """One line for the guest's shell, as root. Returns (status, output); LabError if it fails
        and `check`, or takes longer than `timeout` seconds: then the guest is of no more use."""
        self._agent.settimeout(timeout)
        try:
            self._agent.sendall(line.encode() + b"\n")
            status, length = map(int, self._answers.readline().split())
            output = self._answers.read(length).decode(errors="replace")
        except (OSError, ValueError) as error:
            self._check_alive()
            raise LabError(f"guest {self.name} does not answer '{line}': {error}") from None
        if check and status != 0:
            raise LabError(f"guest {self.name}: '{line}': status {status}\n{output}")
        return status, output

    def start(self, line):
        """A command in the background, its output on the console, which is the log here."""
        self.run(f"({line}) >/dev/console 2>&1 &")

    def write(self, path, text):
        """A small file in the guest."""
        self.run(f"echo {base64.b64encode(text.encode()).decode()} | "
                 f"base64 -d >{path}")

    def qmp(self, command, **arguments):
        """One command for QEMU. Returns what it returns; LabError if refused."""
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self._replies.readline())
            if "error" in answer:
                raise LabError(f"QEMU: {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def bind(self, i, driver):
        """Gives NIC `i` to a driver of the guest's kernel. Returns its PCI address."""
        address = f"0000:00:{FIRST_SLOT + i:02x}.0"
        if self.nics[i].removable:  # on a bus behind the slot
            address = wait_for(lambda: self.run(
                f"cd /sys/bus/pci/devices/{address} && ls -d 0000:*:00.0", check=False)[1].strip(),
                f"NIC {i} to be seen")
        device = f"/sys/bus/pci/devices/{address}"
        # busybox does not know that vfio wants the second after it (a soft dependency).
        modules = f"{driver} vfio_iommu_type1" if driver == "vfio-pci" else driver
        self.run(f"modprobe -a {modules}; [ ! -e {device}/driver ] || "
                 f"echo {address} >{device}/driver/unbind; "
                 f"echo {driver} >{device}/driver_override && "
                 f"echo {address} >/sys/bus/pci/drivers/{driver}/bind")
        return address

    def close(self):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)  # it has nothing to save
            self._process.wait()
        for end in (*self._inherited, *self.wires, *(
                getattr(self, name) for name in ("_agent", "_monitor") if hasattr(self, name))):
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def mac(i):
    """Of the guest's NIC `i`."""
    return f"52:54:00:00:00:{i + 1:02x}"
