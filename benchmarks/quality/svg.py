"""Charts as SVG text, drawn by hand so that the page needs nothing else.

Colours come from the page's style sheet, by the classes ``series-0`` and on; every chart says in
its title what it shows, and every mark what its figures are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Point", "curves", "intervals"]

_WIDTH, _HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 10, 34


@dataclass(frozen=True, slots=True)
class Point:
    """A rate and its interval, in [0, 1], at a place of the horizontal axis."""

    label: str
    value: float
    low: float
    high: float


def curves(title: str, unit: str, series: Sequence[tuple[str, Sequence[Point]]]) -> str:
    """Rates from left to right, a line for each series; the places are those of the longest."""
    labels = [point.label for point in max((points for _, points in series), key=len)]
    inner_w, inner_h = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(label: str) -> float:
        return _LEFT + inner_w * (labels.index(label) + 0.5) / len(labels)

    def y(value: float) -> float:
        return _TOP + inner_h * (1 - value)

    parts = [_head(_WIDTH, _HEIGHT, title)]
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" {_at_y(y(tick))}/>')
        parts.append(_label(_LEFT - 4, y(tick) + 4, f"{tick:.0%}", "end"))
    for label in labels:
        parts.append(_label(x(label), _HEIGHT - _BOTTOM + 14, label, "middle"))
    parts.append(_label(_LEFT + inner_w / 2, _HEIGHT - 4, unit, "middle"))
    for number, (name, points) in enumerate(series):
        line = " ".join(f"{x(p.label):.1f},{y(p.value):.1f}" for p in points)
        parts.append(f'<polyline class="series-{number}" points="{line}"/>')
        for p in points:
            at = f"{x(p.label):.1f}"
            parts.append(
                f'<line class="series-{number}" x1="{at}" x2="{at}" y1="{y(p.low):.1f}" '
                f'y2="{y(p.high):.1f}"/><circle class="series-{number}" cx="{at}" '
                f'cy="{y(p.value):.1f}" r="3"><title>{escape(name)}, {escape(p.label)}: '
                f"{p.value:.1%} ({p.low:.1%} to {p.high:.1%})</title></circle>"
            )
    return "".join(parts) + "</svg>"


def intervals(title: str, rows: Sequence[tuple[Point, float | None]]) -> str:
    """A row for each rate, with a mark where the target is; the axis is a root, for small rates."""
    width, left, step = 640, 190, 20
    height = _TOP + step * len(rows) + 24

    def x(value: float) -> float:
        return left + (width - left - 20) * math.sqrt(value)

    parts = [_head(width, height, title)]
    for tick in (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 1.0):
        at = f"{x(tick):.1f}"
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{_TOP}" y2="{height - 20}"/>')
        if tick != 0.001:  # its figure would stand on that of 0
            parts.append(_label(x(tick), height - 6, f"{tick:.0%}", "middle"))
    for number, (point, target) in enumerate(rows):
        middle = _TOP + step * (number + 0.5)
        parts.append(_label(left - 8, middle + 4, point.label, "end"))
        parts.append(
            f'<line class="series-1" x1="{x(point.low):.1f}" x2="{x(point.high):.1f}" '
            f'{_at_y(middle)}/><circle class="series-1" cx="{x(point.value):.1f}" '
            f'cy="{middle:.1f}" r="4"><title>{escape(point.label)}: {point.value:.2%} '
            f"({point.low:.2%} to {point.high:.2%})</title></circle>"
        )
        if target is not None:
            at = f"{x(target):.1f}"
            parts.append(
                f'<line class="target" x1="{at}" x2="{at}" y1="{middle - 8:.1f}" '
                f'y2="{middle + 8:.1f}"><title>wanted: {target:.2%} at most</title></line>'
            )
    return "".join(parts) + "</svg>"


def _head(width: int, height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
    )


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _at_y(y: float) -> str:
    return f'y1="{y:.1f}" y2="{y:.1f}"'
