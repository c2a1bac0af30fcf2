# SPDX-License-Identifier: BSD-3-Clause
"""The API over one connection: for what plx would start a process for each time."""
import json
import socket
import statistics
import threading
import time

from lab import GENEROUS_S


class Refusal(Exception):
    """The daemon's answer was an error; its words."""


class Api:
    def __init__(self, daemon):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30 * GENEROUS_S)
        self._socket.connect(str(daemon.socket))
        self._stream = self._socket.makefile("rw")
        self._id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self._socket.close()

    def call(self, method, **params):
        """The result; Refusal where there is none."""
        self._id += 1
        self._stream.write(json.dumps({"jsonrpc": "2.0", "id": self._id, "method": method,
                                       "params": params}) + "\n")
        self._stream.flush()
        answer = json.loads(self._stream.readline())
        if "error" in answer:
            raise Refusal(answer["error"]["message"])
        return answer["result"]


class Asker:
    """Asks a daemon something small again and again, and notes how long each answer took."""

    def __init__(self, daemon, method="stats.usage"):
        self.seconds = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(daemon, method))
        self._thread.start()

    def _ask(self, daemon, method):
        with Api(daemon) as api:
            while not self._stopped.is_set():
                begun = time.monotonic()
                api.call(method)
                self.seconds.append(time.monotonic() - begun)
                self._stopped.wait(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()

    def __str__(self):
        return of_many(self.seconds, 1e3, "ms", "answers")


def of_many(seconds, factor, unit, what):
    """Median, 99th percentile and most of some times, as text."""
    ordered = sorted(seconds)
    return (f"{len(ordered)} {what}: median {statistics.median(ordered) * factor:.2f} {unit}, "
            f"p99 {ordered[len(ordered) * 99 // 100] * factor:.2f} {unit}, "
            f"most {ordered[-1] * factor:.2f} {unit}")
