# SPDX-License-Identifier: BSD-3-Clause
"""What a daemon tells those who have subscribed to its events."""
import contextlib
import json
import socket

from lab import GENEROUS_S


@contextlib.contextmanager
def events(daemon, *kinds):
    """A subscription over the API, to these kinds or to all. Yields a function that waits for the
    next events and gives them: told(2) is [(kind, subject), (kind, subject)]."""
    with socket.socket(socket.AF_UNIX) as client, client.makefile("rw") as stream:
        client.settimeout(GENEROUS_S)
        client.connect(str(daemon.socket))
        stream.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "events.subscribe",
                                 "params": {"kinds": list(kinds)} if kinds else {}}) + "\n")
        stream.flush()
        assert "result" in json.loads(stream.readline())

        def told(count):
            lines = [json.loads(stream.readline()) for _ in range(count)]
            assert all(line["method"] == "event" for line in lines)
            return [(line["params"]["kind"], line["params"]["subject"]) for line in lines]

        yield told
