"""Draw cost against subscribers, all servers, from a run's JSON: `python -m benchmarks.plot`."""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.__main__ import LATEST

OUT = Path(__file__).resolve().parents[1] / "docs" / "benchmark.svg"

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 50, 60
# Of Okabe and Ito's palette, which colour-blind readers tell apart; dashes tell the host.
COLOURS = {
    "wardcast": "#0072b2",
    "wardcast-frames": "#56b4e9",
    "library": "#d55e00",
    "floor": "#555555",
    "floor-loop": "#009e73",
}
DASHES = {"uvicorn": "", "daphne": "6 4"}
LINES = {"memory": 2.5, "redis": 1.2}

Points = list[tuple[float, float]]


def series(results: list[dict[str, Any]]) -> dict[tuple[str, str, str], Points]:
    """Return the lines: (application, host, layer) → (subscribers, µs), one group only."""
    lines: dict[tuple[str, str, str], Points] = {}
    for r in results:
        if r["groups"] == 1 and r["cpu_us"] > 0:
            key = (r["application"], r["host"], r["layer"])
            lines.setdefault(key, []).append((r["subscribers"], r["cpu_us"]))
    return {key: sorted(points) for key, points in lines.items()}


class Axis:
    """A logarithmic axis from value to pixel."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        self.low, self.high = math.log10(min(values)), math.log10(max(values))
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.end - self.start)


def draw(results: list[dict[str, Any]]) -> str:
    """Return the picture as SVG."""
    lines = series(results)
    xs = sorted({x for points in lines.values() for x, _ in points})
    ticks = _ticks([y for points in lines.values() for _, y in points])
    x_axis = Axis(xs, LEFT + 15, WIDTH - RIGHT)
    y_axis = Axis(ticks, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        "<title>Server CPU for each delivery, against the number of subscribers</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 26, "Server CPU for each delivery (µs; both axes logarithmic)", size=16),
        *_grid(xs, ticks, x_axis, y_axis),
        *(part for key, points in lines.items() for part in _line(key, points, x_axis, y_axis)),
        *_legend(lines, y_axis),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ticks(values: list[float]) -> list[float]:
    """Return 1, 2, 5, 10 … from below the least value to above the greatest."""
    steps = [m * 10.0**e for e in range(-1, 6) for m in (1, 2, 5)]
    below = max(step for step in steps if step <= min(values))
    above = min(step for step in steps if step >= max(values))
    return [step for step in steps if below <= step <= above]


def _grid(xs: list[float], ticks: list[float], x_axis: Axis, y_axis: Axis) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT + 10, HEIGHT - BOTTOM
    for tick in ticks:
        y = y_axis.at(tick)
        yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>'
        yield _text(LEFT - 8, y + 4, f"{tick:,g}", anchor="end")
    for x in xs:
        yield _text(x_axis.at(x), bottom + 22, f"{x:,}", anchor="middle")
    yield _text((LEFT + right) / 2, bottom + 46, "subscribers to one group", anchor="middle")


def _line(key: tuple[str, str, str], points: Points, x_axis: Axis, y_axis: Axis) -> Iterator[str]:
    application, host, layer = key
    at = [(x_axis.at(x), y_axis.at(y)) for x, y in points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    colour, dash, width = COLOURS[application], DASHES[host], LINES[layer]
    yield (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-dasharray="{dash}"/>'
    )
    for x, y in at:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _legend(lines: dict[tuple[str, str, str], Points], y_axis: Axis) -> Iterator[str]:
    """Name each line at its right end, kept apart where ends are close."""
    lowest = -math.inf
    for key, points in sorted(lines.items(), key=lambda item: -item[1][-1][1]):
        application, host, layer = key
        lowest = y = max(y_axis.at(points[-1][1]) + 4, lowest + 16)
        name = f"{application}, {host}" + (", Redis" if layer == "redis" else "")
        label = f"{name}: {points[-1][1]:,.0f}"
        yield _text(WIDTH - RIGHT + 18, y, label, colour=COLOURS[application])


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, colour: str = "#222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(text)}</text>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("json", nargs="?", type=Path, default=LATEST)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    options.out.write_text(draw(json.loads(options.json.read_text())["results"]))
    print(options.out)


if __name__ == "__main__":
    main()
