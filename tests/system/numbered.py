# SPDX-License-Identifier: BSD-3-Clause
"""UDP datagrams that each carry a number, so that each one that is lost has a name.

    numbered.py send ADDRESS PORT RATE       RATE a second, until SIGINT; prints how many
    numbered.py receive ADDRESS PORT         until SIGINT and a quiet second; prints the numbers

Numbered(sender, receiver, address) runs both in two namespaces and compares.
"""
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time


class Numbered:
    """A flow from a host to an address of another one. stop() tells what was lost of it."""

    RATE = 1000  # a second: what a receiver keeps up with on a machine that is busy loading routes

    def __init__(self, sender, receiver, address, port=7000):
        self._receiver = self._start(receiver, "receive", address, port)
        assert self._receiver.stdout.readline() == "ready\n"
        self._sender = self._start(sender, "send", address, port, self.RATE)
        self._begun = time.monotonic()

    def running_s(self):
        return time.monotonic() - self._begun

    @staticmethod
    def _start(host, *words):
        return host.start("/usr/bin/python3", pathlib.Path(__file__).resolve(), *words,
                          stdout=subprocess.PIPE, text=True)

    def stop(self):
        """{"sent", "received", "lost": [numbers], "twice", "late"}."""
        self._sender.send_signal(signal.SIGINT)
        sent = json.loads(self._sender.communicate(timeout=60)[0])["sent"]
        self._receiver.send_signal(signal.SIGINT)
        seen = json.loads(self._receiver.communicate(timeout=60)[0])
        lost = [n for first, end in seen.pop("missing") for n in range(first, end)]
        lost += range(seen.pop("next"), sent)
        return {"sent": sent, "lost": lost, **seen}


def _until_interrupted():
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    return stopped


def _socket(address):
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def send(address, port, rate):
    stopped, sent, begun = _until_interrupted(), 0, time.monotonic()
    with _socket(address) as out:
        out.connect((address, port))
        while not stopped:
            # What is due, and never a burst that makes up for time the sender did not run.
            begun = max(begun, time.monotonic() - (sent + 32) / rate)
            while sent < (time.monotonic() - begun) * rate:
                out.send(sent.to_bytes(8, "big"))
                sent += 1
            time.sleep(1 / rate)
    print(json.dumps({"sent": sent}))


def receive(address, port):
    stopped = _until_interrupted()
    missing, following, received, twice, late = {}, 0, 0, 0, 0  # missing: {number: True}
    with _socket(address) as into:
        # 32 MiB, whatever rmem_max says: we are root.
        into.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 32 << 20)
        into.settimeout(1)
        into.bind((address, port))
        print("ready", flush=True)
        while True:
            try:
                number = int.from_bytes(into.recv(64), "big")
            except TimeoutError:
                if stopped:
                    break
                continue
            received += 1
            if number >= following:
                missing.update(dict.fromkeys(range(following, number), True))
                following = number + 1
            elif missing.pop(number, False):
                late += 1
            else:
                twice += 1
    print(json.dumps({"received": received, "twice": twice, "late": late, "next": following,
                      "missing": [[n, n + 1] for n in missing]}))


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        receive(sys.argv[2], int(sys.argv[3]))
