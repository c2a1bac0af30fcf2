# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces, veth cables and polluxd processes, made for one run and gone after it.

    with Lab() as lab:
        host, gw = lab.namespace("host"), lab.namespace("gw")
        lab.cable(host, "eth0", gw, "lan")
        host.address("eth0", "10.1.0.2/24")
        daemon = lab.polluxd(gw, config)
        daemon.plx("route", "show")

Whatever a Lab makes is undone in reverse order when the block ends: normally, by an exception, by
SIGINT or by SIGTERM. What a run that was killed leaves behind, sweep() finds by the process id in
its name.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PREFIX = "plx"
FIRST_INSTANCE = 100  # the low ones are for people
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
GENEROUS_S = 60  # how long anything that should be quick may take on a loaded machine

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """Something the lab needs did not come about; the text says what and shows the output."""


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP, raised where the program is, so that cleaning up is one path."""


def program(name):
    """Path of one of our programs; POLLUX_BUILD names another build's folder."""
    build = pathlib.Path(os.environ.get("POLLUX_BUILD", REPOSITORY / "build" / "release"))
    path = build / "bin" / name
    if not path.exists():
        raise LabError(f"{path} is missing: run ./dev build")
    return str(path)


def daemon_name():
    """Name of the daemon under test: polluxd, or the variant that POLLUX_DAEMON names."""
    return os.environ.get("POLLUX_DAEMON", "polluxd")


def has_inet6():
    """Whether the daemon under test speaks IPv6."""
    return daemon_name() != "polluxd-v4"


def is_ip6(value):
    """Whether a text, or one of a list, is or has an address or a name of IPv6."""
    if isinstance(value, (list, tuple)):
        return any(map(is_ip6, value))
    return isinstance(value, str) and ("::" in value or "net.inet6" in value)


def spoken(*values):
    """Those of some addresses or names that the daemon under test knows: all, or those of IPv4."""
    return [value for value in values if has_inet6() or not is_ip6(value)]


def only_ip4(config):
    """A configuration without what it has of IPv6."""
    def part(value):
        if isinstance(value, dict):
            return {k: part(v) for k, v in value.items() if not is_ip6(k)}
        if isinstance(value, list):
            return [part(v) for v in value if not is_ip6(v)
                    and not (isinstance(v, dict) and any(map(is_ip6, (v.get("prefix"), v.get("via")))))]
        return value

    return part(config)


def run(*argv, check=True, timeout=GENEROUS_S, **keywords):
    """Runs a command to its end, output captured as text. LabError if it fails and `check`."""
    done = subprocess.run([str(a) for a in argv], text=True, capture_output=True, timeout=timeout,
                          **keywords)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: status {done.returncode}\n"
                       f"{done.stdout}{done.stderr}".rstrip())
    return done


def wait_for(condition, what, limit_s=GENEROUS_S, every_s=0.05):
    """Polls until `condition()` is true, returns its value. LabError, naming `what`, if never."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"waited {limit_s} s in vain for {what}")
        time.sleep(every_s)


def die_with_parent():
    """preexec_fn of a process that must not outlive the thread that starts it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def end_process(process, limit_s=10):
    """SIGTERM, then SIGKILL if that is not enough. Returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def _pids_in(namespace):
    listed = run("ip", "netns", "pids", namespace, check=False)
    return [int(pid) for pid in listed.stdout.split()]


def _remove_namespace(name):
    """Ends what still runs in the namespace and deletes it, with the cables that end in it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _pids_in(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        with contextlib.suppress(LabError):
            wait_for(lambda: not _pids_in(name), "processes to end", limit_s=3)
            break
    run("ip", "netns", "del", name, check=False)


def sweep():
    """Removes what dead runs left behind; what living ones use stays. Returns the names."""
    def dead(name):
        match = re.match(rf"{PREFIX}-(\d+)-", name)
        return match and not os.path.exists(f"/proc/{match[1]}")

    gone = []
    for line in run("ip", "netns", "list", check=False).stdout.splitlines():
        name = line.split()[0]
        if dead(name):
            _remove_namespace(name)
            gone.append(name)
    for path in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}-*"):
        if dead(path.name):
            shutil.rmtree(path, ignore_errors=True)
            gone.append(str(path))
    return gone


class Namespace:
    """A network namespace. Its kernel is a host of the picture, or lends a gateway its devices."""

    def __init__(self, lab, role):
        self.role = role
        self.name = f"{PREFIX}-{os.getpid()}-{role}"
        self._lab = lab
        # Before it is there: an interrupt may come between the two.
        lab.on_close(_remove_namespace, self.name)
        run("ip", "netns", "add", self.name)
        # No IPv6: the kernel's own router solicitations would be on every cable.
        for scope in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{scope}.disable_ipv6", 1)
        self.ip("link", "set", "lo", "up")

    def ip(self, *argv, check=True):
        return run("ip", "-n", self.name, *argv, check=check)

    def ip_json(self, *argv):
        return json.loads(run("ip", "-n", self.name, "-j", *argv).stdout or "[]")

    def run(self, *argv, check=True, timeout=GENEROUS_S, **keywords):
        """A command inside, to its end."""
        return run("ip", "netns", "exec", self.name, *argv, check=check, timeout=timeout,
                   preexec_fn=die_with_parent, start_new_session=True, **keywords)

    def start(self, *argv, **keywords):
        """A process inside, ended with the lab. Its own session: Ctrl-C is for us to pass on."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, argv)],
                                   preexec_fn=die_with_parent, start_new_session=True, **keywords)
        self._lab.on_close(end_process, process)
        return process

    def sysctl(self, name, value):
        with self.entered():
            pathlib.Path("/proc/sys", *name.split(".")).write_text(f"{value}")

    def address(self, interface, address):
        self.ip("addr", "add", address, "dev", interface)

    def route(self, prefix, via):
        self.ip("route", "add", prefix, "via", via)

    def mac(self, interface):
        return self.ip_json("link", "show", "dev", interface)[0]["address"]

    def ping(self, target, *options, count=1, **keywords):
        """ping(8) inside. Returns the finished process."""
        return self.run("ping", "-n", "-c", count, *options, target, **keywords)

    @contextlib.contextmanager
    def entered(self):
        """This thread's sockets made in the block belong to the namespace, also afterwards."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)

    def tap(self, interface):
        """A raw socket on an interface of this namespace."""
        tap = Tap(self, interface)
        self._lab.on_close(tap.close)
        return tap


def _setns(namespace_file):
    if _libc.setns(namespace_file.fileno(), _CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")


class Tap:
    """Sends and receives whole frames on one interface; sees what arrives, not what leaves."""

    _ETH_P_ALL = 3
    _OUTGOING = 4

    def __init__(self, namespace, interface):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                         socket.htons(self._ETH_P_ALL))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self._socket.bind((interface, self._ETH_P_ALL))

    def send(self, frame):
        self._socket.send(bytes(frame))

    def receive(self, wanted, limit_s=GENEROUS_S):
        """The first frame that arrives and for which `wanted(bytes)` is true; None if none does."""
        end = time.monotonic() + limit_s
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame, source = self._socket.recvfrom(65536)
            except TimeoutError:
                return None
            if source[2] != self._OUTGOING and wanted(frame):
                return frame
        return None

    def pending(self):
        """The frames that have arrived so far, taken."""
        frames = []
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, source = self._socket.recvfrom(65536)
                if source[2] != self._OUTGOING:
                    frames.append(frame)
        return frames

    def drain(self):
        """Forgets what has arrived so far."""
        self.pending()

    def close(self):
        self._socket.close()


def _toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value)  # a TOML basic string has the same escapes
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    raise TypeError(value)


def to_toml(config):
    """A configuration file from {table: {key: value}} and {array: [{key: value}, ...]}."""
    lines = []
    for name, tables in config.items():
        for table in tables if isinstance(tables, list) else [tables]:
            lines.append(f"[[{name}]]" if isinstance(tables, list) else f"[{name}]")
            lines += [f"{json.dumps(k) if '.' in k else k} = {_toml_value(v)}"
                      for k, v in table.items()]
            lines.append("")
    return "\n".join(lines)


class Polluxd:
    """A running daemon in a namespace, with its configuration, keys, socket and log in a folder."""

    def __init__(self, lab, namespace, config, keys=None, arguments=(), before=(), name=None,
                 instance=None, variant=None):
        """`keys`: {file name: bytes}, written 0600; a configuration's key_file names one.
        `before`: a command that starts the daemon, as ["taskset", "1"]. `variant`: which daemon, if
        not the one under test."""
        self.instance = lab.next_instance() if instance is None else instance
        self.namespace = namespace
        self.started = time.time()
        self.folder = lab.folder(name or f"polluxd-{len(lab.daemons)}")
        self.socket = self.folder / f"{self.instance}.sock"
        self.log_file = self.folder / "log"
        self.config_file = self.folder / "pollux.toml"
        for key_name, key in (keys or {}).items():
            self.write_key(key_name, key)
        argv = [*before, program(variant or daemon_name()), "-i", str(self.instance)]
        if config is not None:
            config = dict(config)
            config.setdefault("control", {"socket_directory": str(self.folder)})
            for sa in config.get("sa", []):
                sa["key_file"] = str(self.folder / sa["key_file"])
            self.config_file.write_text(to_toml(config))
            argv += ["-c", str(self.config_file)]
        self.log = self.log_file.open("wb")
        self.process = namespace.start(*argv, *arguments, stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=subprocess.STDOUT)
        lab.daemons.append(self)

    def write_key(self, name, key):
        path = self.folder / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(key)
        return path

    def log_text(self):
        return self.log_file.read_text(errors="replace")

    def wait_ready(self, limit_s=GENEROUS_S):
        def ready():
            if self.process.poll() is not None:
                raise LabError(f"polluxd ended with status {self.process.returncode}:\n"
                               f"{self.log_text()}")
            return re.search(r"\bREADY\b", self.log_text())

        try:
            wait_for(ready, "READY of polluxd", limit_s)
        except LabError as error:
            raise LabError(f"{error}\n{self.log_text()}") from None
        return self

    def run_plx(self, *argv, check=False, **keywords):
        """plx with these arguments. Returns the finished process."""
        return run(program("plx"), "-s", self.socket, *argv, check=check, **keywords)

    def plx(self, *argv, **keywords):
        """plx -j with these arguments. Returns what it prints, parsed; LabError if refused."""
        text = self.run_plx("-j", *argv, check=True, **keywords).stdout
        return json.loads(text) if text.strip() else None

    def drops(self):
        """{reason: packets} of every reason that has counted."""
        return {d["reason"]: d["packets"] for d in self.plx("stats", "--drops") if d["packets"]}

    def stop(self):
        """SIGTERM. LabError unless it ends with status 0. Returns the seconds it took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(GENEROUS_S)
        except subprocess.TimeoutExpired:
            raise LabError(f"polluxd ignores SIGTERM:\n{self.log_text()}") from None
        if status != 0:
            raise LabError(f"polluxd ended with status {status}:\n{self.log_text()}")
        return time.monotonic() - started


class Lab:
    """Everything of one run. Undone in reverse order at the end, however it ends."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self.daemons = []
        self._stack = contextlib.ExitStack()
        self._instance = FIRST_INSTANCE - 1
        self._claims = set()
        self._old_handlers = {}
        self._folder = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run with sudo")
        sweep()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, self._SIGNALS)
        if threading.current_thread() is threading.main_thread():
            for number in self._SIGNALS:
                self._old_handlers[number] = signal.signal(number, self._interrupt)
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-"))
        self._folder.chmod(0o711)  # a daemon that gives up root still gets to its own
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        except Interrupted:  # it came meanwhile
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # A second Ctrl-C must not stop the cleaning up.
        for number in self._old_handlers:
            signal.signal(number, signal.SIG_IGN)
        try:
            self._stack.close()
        finally:
            for number, handler in self._old_handlers.items():
                signal.signal(number, handler)

    @staticmethod
    def _interrupt(number, _frame):
        raise Interrupted(signal.Signals(number).name)

    def on_close(self, undo, *arguments):
        self._stack.callback(undo, *arguments)

    def next_instance(self):
        """A number for polluxd's -i that no other run on this machine uses at the same time: the
        next one, after the last the first again whose daemon has ended."""
        count = 256 - FIRST_INSTANCE
        for step in range(1, count + 1):
            number = FIRST_INSTANCE + (self._instance - FIRST_INSTANCE + step) % count
            if self._claim(number):
                self._instance = number
                return number
        raise LabError("all instance numbers are taken")

    def _claim(self, number):
        if number in self._claims:
            return all(d.instance != number or d.process.poll() is not None for d in self.daemons)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0{PREFIX}-instance-{number}")  # abstract: gone with this process
        except OSError:
            claim.close()
            return False
        self.on_close(claim.close)
        self._claims.add(number)
        return True

    def folder(self, name):
        path = self._folder / name
        path.mkdir(mode=0o700)
        return path

    def namespace(self, role):
        return Namespace(self, role)

    def cable(self, left, left_name, right, right_name, mtu=1500):
        """A veth pair between two namespaces, both ends up. Offloads off: with them on, the kernel
        hands over frames without checksums and larger than the MTU, which no wire carries."""
        run("ip", "link", "add", "name", left_name, "netns", left.name, "type", "veth",
            "peer", "name", right_name, "netns", right.name)
        for namespace, name in ((left, left_name), (right, right_name)):
            namespace.run("ethtool", "-K", name, "tx", "off", "rx", "off", "tso", "off",
                          "gso", "off", "gro", "off")
            namespace.ip("link", "set", name, "mtu", mtu, "up")

    def show_logs(self):
        """Prints what every daemon said."""
        for daemon in self.daemons:
            print(f"--- log of {daemon.folder.name}\n{daemon.log_text()}", flush=True)

    def polluxd(self, namespace, config, **keywords):
        """A daemon that is READY."""
        return Polluxd(self, namespace, config, **keywords).wait_ready()
