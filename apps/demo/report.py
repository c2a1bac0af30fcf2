# SPDX-License-Identifier: BSD-3-Clause
"""The demo's text: aligned, readable on a terminal and in a file; colour only on a terminal."""
import os
import sys

_COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
_GREEN, _RED, _BOLD = "32", "31", "1"


def _paint(text, code):
    return f"\x1b[{code}m{text}\x1b[0m" if _COLOUR else text


def heading(text):
    print(f"\n{_paint(text, _BOLD)}", flush=True)


def line(text=""):
    print(f"  {text}".rstrip(), flush=True)


def verdict(passed, what, detail):
    mark = _paint("ok  ", _GREEN) if passed else _paint("FAIL", _RED)
    first, *rest = detail.splitlines() or [""]
    line(f"{mark}  {what:<24}  {first}")
    for more in rest:
        line(f"{'':4}  {'':<24}  {more}")


def closing(failed):
    """The last line of all. `failed`: what failed, "" if nothing did."""
    text = f"demo: failed: {failed}" if failed else "demo: ok"
    print(f"\n{_paint(text, _RED if failed else _GREEN)}", flush=True)


def table(rows, headings, left=1):
    """Columns as wide as their widest cell; the first `left` to the left, the others, numbers, to
    the right."""
    cells = [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells)]

    def text(row):
        return "  ".join(c.ljust(w) if n < left else c.rjust(w)
                         for n, (c, w) in enumerate(zip(row, widths)))

    for row in [list(headings), *cells]:
        line(text(row))


def rate(bits_per_s):
    """"1.23 Gbit/s"."""
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if bits_per_s < 1000:
            return f"{bits_per_s:.3g} {unit}"
        bits_per_s /= 1000
    return f"{bits_per_s:.2f} Gbit/s"
