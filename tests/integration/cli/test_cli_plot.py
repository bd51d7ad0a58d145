"""test_cli_plot.py - plot: success over horizon, and trainings, in the terminal, as SVG and as PNG.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import struct
import xml.dom.minidom
import zlib

from cli_case import CliCase, main


def read_png(path):
    """(width, height, rows of RGB bytes) of a PNG as our writer makes it: 8 bits, RGB, not interlaced."""
    with open(path, "rb") as f:
        data = f.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, head = 8, b"", None
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body)
        head = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += 12 + size
    width, height = head[:2]
    assert head[2:] == (8, 2, 0, 0, 0)
    raw, rows, last = zlib.decompress(packed), [], bytearray(3 * width)
    for y in range(height):
        kind, line = raw[y * (3 * width + 1)], bytearray(raw[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
        for i in range(3 * width):
            a, b, c = line[i - 3] if i >= 3 else 0, last[i], last[i - 3] if i >= 3 else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        rows.append(line)
        last = line
    return width, height, rows


class Plot(CliCase):
    def evaluate(self, expert, horizon="3,10,30", *more):
        return self.ok("eval", "ledger", "--expert", expert, "--horizon", horizon, "--episodes", "40", *more,
                       "--json").json()["run"]

    def svg(self, name):
        return xml.dom.minidom.parse(os.path.join(self.dir, name)).documentElement

    def words(self, svg):
        return ["".join(n.data for n in t.childNodes) for t in svg.getElementsByTagName("text")]

    def test_success_against_horizon(self):
        runs = [self.evaluate("plain"), self.evaluate("check")]
        text = self.ok("plot", *runs).out
        for word in ("Success against horizon: ledger, p = 0.01", "script plain", "script check",
                     "ceiling of never looking back, 0.99^H", "horizon H (steps) 30"):
            self.assertIn(word, text)
        self.ok("plot", *runs, "--out", "h.svg")
        svg = self.svg("h.svg")
        for word in ("script plain", "script check", "100 %", "3", "10", "30", "horizon H (steps)",
                     "share of 40 episodes that ended right; bars: 95 % Wilson intervals"):
            self.assertIn(word, self.words(svg))
        # 3 points and a mark in the legend, twice
        self.assertEqual(len(svg.getElementsByTagName("circle")), 8)

    def test_runs_that_differ_only_in_horizon_are_one_curve(self):
        one, two = self.evaluate("plain", "3,10"), self.evaluate("plain", "10,30")
        other = self.evaluate("plain", "10,30", "--seed", "3000000")
        self.ok("plot", two, one, "--out", "a.svg")
        words = self.words(self.svg("a.svg"))
        self.assertEqual(words.count("script plain"), 1)
        self.assertNotIn("script plain (2)", words)
        self.assertEqual(len(self.svg("a.svg").getElementsByTagName("circle")), 4)
        self.ok("plot", one, two, other, "--out", "b.svg")
        self.assertIn("script plain (2)", self.words(self.svg("b.svg")))

    def test_environments_and_rates_stand_apart(self):
        runs = [self.evaluate("plain"), self.evaluate("plain", "3,10", "--noise", "0.1")]
        text = self.ok("plot", *runs).out
        self.assertIn("ledger, p = 0.01", text)
        self.assertIn("ledger, p = 0.1\n", text)

    def test_the_png_is_the_svg_twice_as_large(self):
        run = self.evaluate("plain")
        r = self.run_cli("plot", run, "--out", "h.png")
        if r.code != 0:
            self.assertIn("built without libpng", r.err)
            self.assertIn("FILE.svg", r.err)
            return
        self.ok("plot", run, "--out", "h.svg")
        svg = self.svg("h.svg")
        width, height, rows = read_png(os.path.join(self.dir, "h.png"))
        self.assertEqual((width, height), tuple(2 * int(svg.getAttribute(k)) for k in ("width", "height")))
        self.assertEqual(bytes(rows[1][:3]), b"\xff\xff\xff")
        circles = svg.getElementsByTagName("circle")
        self.assertEqual(len(circles), 4)
        for c in circles:
            x, y = (int(2 * float(c.getAttribute(k))) for k in ("cx", "cy"))
            self.assertEqual(bytes(rows[y][3 * x:3 * x + 3]), b"\xd5\x5e\x00")

    def test_a_training_is_drawn_from_its_metrics(self):
        os.mkdir(os.path.join(self.dir, "t"))
        lines = [{"update": u, "groups": 3, "reward": u / 10, "calls_per_step": 3 + u / 10} for u in range(1, 6)]
        lines += [{"update": u, "success": .5, "success_low": .4, "success_high": .6, "ceiling": .366} for u in (0, 5)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        lines_text = text
        self.write("t/metrics.jsonl", text + '{"update": 6, "rew')  # the last line is incomplete
        self.assertIn("update 5", self.ok("plot", "t").out)
        self.ok("plot", "t", "--out", "t.svg")
        svg = self.svg("t.svg")
        self.assertEqual(len(svg.getElementsByTagName("polygon")), 1)
        for word in ("t", "calls a step", "update", "success on validation seeds", "ceiling of never looking back"):
            self.assertIn(word, self.words(svg))
        # Each of several environments has its curve and its ceiling.
        row = {"success": .5, "success_low": .4, "success_high": .6, "ceiling": .3}
        self.write("t/metrics.jsonl", json.dumps({"update": 3, "success": .5, "tasks": {"ledger": row, "courier": row}}) + "\n")
        text = self.ok("plot", "t").out
        for word in ("a ledger", "c courier", ". courier: ceiling of never looking back"):
            self.assertIn(word, text)
        self.write("t/metrics.jsonl", "no JSON\n" + text)
        self.fails(1, "metrics.jsonl:1", "plot", "t")
        # A truncated line does not affect the others.
        self.write("t/metrics.jsonl", lines_text[:-20] + lines_text)
        r = self.ok("plot", "t")
        self.assertIn("metrics.jsonl:7", r.err)
        self.assertIn("1 of 13 lines", r.err)
        self.assertIn("update 5", r.out)

    def test_mistakes(self):
        run = self.evaluate("plain", "3")
        self.ok("plot", run, "--out", "one.svg")  # a single point
        self.fails(2, ["FILE.svg", "FILE.png"], "plot", run, "--out", "h.pdf")
        self.fails(1, "run ffffff not found", "plot", "ffffff")
        self.fails(1, "metrics.jsonl", "plot", self.dir)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "h.pdf")))


if __name__ == "__main__":
    main()
