# SPDX-License-Identifier: BSD-3-Clause
"""The programs that the demo runs across the tunnel: ping, iperf3, curl against nginx."""
import dataclasses
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable

import report
from lab import LabError, wait_for

LIMIT_S = 30           # for one program; a path that is broken must not hold the demo for minutes
PING_SIZES = (16, 56, 512, 1000, 1400)
FILE_BYTES = 100_000_000
UDP_PAYLOAD, UDP_RATE = 1350, "100M"

NGINX_CONF = """\
daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen {address}:80; root {folder}/www; }}
}}
"""


@dataclasses.dataclass
class Step:
    """One program. `action` returns what to show, and raises LabError where it failed."""
    name: str
    action: Callable[[], str]


def _listening(host, port):
    return host.run("ss", "-Hltn", f"sport = :{port}").stdout.strip()


def _ping(left, target, size):
    done = left.ping(target, "-s", size, "-i", 0.02, "-W", 2, "-q", count=20, check=False,
                     timeout=LIMIT_S)
    received = re.search(r"(\d+) received", done.stdout)
    times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", done.stdout)
    if not received or int(received[1]) != 20 or not times:
        raise LabError(f"{received[1] if received else 0} of 20 answered")
    return (f"20 of 20 answered, {float(times[1]):.2f} / {float(times[2]):.2f} / "
            f"{float(times[3]):.2f} ms (min/avg/max)")


def _path_mtu(left, target):
    """A packet that fills the hosts' MTU but not the tunnel's must bring back the tunnel's MTU."""
    told = left.ping(target, "-s", 1472, "-M", "do", "-W", 1, count=1, check=False).stdout
    route = left.ip_json("route", "get", target)[0]
    mtu = next((m["mtu"] for m in route.get("metrics", []) if "mtu" in m), None)
    if not mtu:
        raise LabError(f"the kernel has not learnt the tunnel's MTU: {told.strip()}")
    return f"ICMP fragmentation needed taught host-left's kernel {mtu} bytes"


def _iperf(left, target, *options):
    done = left.run("iperf3", "-c", target, "-J", "-t", 4, *options, check=False, timeout=LIMIT_S)
    result = json.loads(done.stdout)
    if "error" in result:
        raise LabError(f"iperf3: {result['error']}")
    return result["end"]


def _tcp(left, target, *options):
    end = _iperf(left, target, *options)
    received = end["sum_received"]
    if not received["bytes"]:
        raise LabError("nothing arrived")
    return (f"{report.rate(received['bits_per_second'])}, {received['bytes'] / 1e6:.0f} MB, "
            f"{end['sum_sent'].get('retransmits', 0)} retransmissions")


def _udp(left, target):
    sum_ = _iperf(left, target, "-u", "-b", UDP_RATE, "-l", UDP_PAYLOAD)["sum"]
    arrived = sum_["packets"] - sum_["lost_packets"]
    if arrived <= 0:
        raise LabError("nothing arrived")
    return (f"{report.rate(sum_['bits_per_second'])} offered, {arrived:,} of {sum_['packets']:,} "
            f"datagrams arrived ({sum_['lost_percent']:.2f} % lost)")


def _start_web_server(lab, host, address):
    """nginx with one file of random bytes. Returns the file's SHA-256."""
    folder = lab.folder("web")
    (folder / "www").mkdir()
    digest = hashlib.sha256()
    with open(folder / "www" / "random", "wb") as out:
        for _ in range(FILE_BYTES // 1_000_000):
            block = os.urandom(1_000_000)
            digest.update(block)
            out.write(block)
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder, address=address))
    host.start("nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log",
               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: _listening(host, 80), "nginx to listen", limit_s=LIMIT_S)
    return digest.hexdigest()


def _fetch(lab, left, target, expected):
    path = lab.folder("download") / "random"
    done = left.run("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time",
                    LIMIT_S, "--output", path, "--write-out", "%{size_download} %{time_total}",
                    f"http://{target}/random", timeout=LIMIT_S + 10)
    size, seconds = done.stdout.split()
    with open(path, "rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != expected:
        raise LabError(f"SHA-256 differs: sent {expected}, got {got}")
    return (f"{int(size):,} bytes in {float(seconds):.2f} s, "
            f"{report.rate(int(size) * 8 / float(seconds))}\nSHA-256 equal: {got[:32]}...")


def steps(lab, left, right, target):
    """Starts the servers on `right` and yields the steps, in their order."""
    for size in PING_SIZES:
        yield Step(f"ping, {size} bytes", lambda size=size: _ping(left, target, size))
    yield Step("path MTU", lambda: _path_mtu(left, target))

    right.start("iperf3", "-s", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
    wait_for(lambda: _listening(right, 5201), "iperf3 to listen", limit_s=LIMIT_S)
    yield Step("iperf3 TCP, to the right", lambda: _tcp(left, target))
    yield Step("iperf3 TCP, to the left", lambda: _tcp(left, target, "-R"))
    yield Step("iperf3 UDP, to the right", lambda: _udp(left, target))

    expected = _start_web_server(lab, right, target)
    yield Step("curl 100 MB from nginx", lambda: _fetch(lab, left, target, expected))
