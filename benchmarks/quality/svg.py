"""Charts as SVG text, drawn by hand so that the page needs nothing else.

Colours come from the page's style sheet, by the classes ``series-0`` and on, or from that which
``alone`` puts in; every chart says in its title what it shows, and every mark what its figures are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Point", "alone", "curves", "intervals"]

_WIDTH, _HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 10, 34
_KEY_WIDTH = 190
_ROOT_TICKS = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 1.0)
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)

# Read on white and on black: each pair of colours has a contrast of three and more to its ground.
_LIGHT = ("#0b6fc2", "#c2410c", "#1c8a5a", "#8a5cd1", "#b3261e", "#7a6a00", "#0e7c86", "#a8327a")
_DARK = ("#62b0f5", "#fb923c", "#5fcf9a", "#b392f0", "#ff8a80", "#d6c23a", "#4fd1d9", "#f08cc6")
_STYLE = (
    "text{{font:11px system-ui,sans-serif;fill:{text}}}.grid{{stroke:{grid}}}"
    ".target{{stroke:{target};stroke-width:2}}polyline[class]{{fill:none;stroke-width:2}}"
)


@dataclass(frozen=True, slots=True)
class Point:
    """A rate and its interval, in [0, 1], at a place of the horizontal axis."""

    label: str
    value: float
    low: float
    high: float


def curves(
    title: str,
    unit: str,
    series: Sequence[tuple[str, Sequence[Point]]],
    *,
    places: Sequence[str] = (),
    has_key: bool = False,
) -> str:
    """Rates from left to right, a line for each series; the places are those of the longest.

    With a key the chart is twice as large, and the names of the series stand beside it.
    """
    labels = places or [p.label for p in max((points for _, points in series), key=len)]
    width, height = (2 * _WIDTH, 2 * _HEIGHT) if has_key else (_WIDTH, _HEIGHT)
    inner_w, inner_h = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(label: str) -> float:
        return _LEFT + inner_w * (labels.index(label) + 0.5) / len(labels)

    def y(value: float) -> float:
        return _TOP + inner_h * (1 - value)

    parts = [_head(width + has_key * _KEY_WIDTH, height, title)]
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" {_at_y(y(tick))}/>')
        parts.append(_label(_LEFT - 4, y(tick) + 4, f"{tick:.0%}", "end"))
    for label in labels:
        parts.append(_label(x(label), height - _BOTTOM + 14, label, "middle"))
    parts.append(_label(_LEFT + inner_w / 2, height - 4, unit, "middle"))
    for number, (name, points) in enumerate(series):
        line = " ".join(f"{x(p.label):.1f},{y(p.value):.1f}" for p in points)
        parts.append(f'<polyline class="series-{number}" points="{line}"/>')
        for p in points:
            at = f"{x(p.label):.1f}"
            parts.append(
                f'<line class="series-{number}" x1="{at}" x2="{at}" y1="{y(p.low):.1f}" '
                f'y2="{y(p.high):.1f}"/><circle class="series-{number}" cx="{at}" '
                f'cy="{y(p.value):.1f}" r="3">{_told(name, p)}</circle>'
            )
    if has_key:
        parts += _key([name for name, _ in series], width + 8, _TOP + 12, 20, 0)
    return "".join(parts) + "</svg>"


def intervals(
    title: str,
    rows: Sequence[tuple[str, Sequence[Point], float | None]],
    *,
    key: Sequence[str] = (),
    is_root: bool = True,
) -> str:
    """Rates from left to right in rows of a name, with a mark where the target is.

    The axis is a root, for small rates, unless told otherwise. The points of a row stand one below
    the other; the key says what the first, the second is.
    """
    most = max(len(points) for _, points, _ in rows)
    width, left, top, step = 640, 230, _TOP + 20 * bool(key), 20 + 7 * (most - 1)
    height = top + step * len(rows) + 24

    def x(value: float) -> float:
        return left + (width - left - 20) * (math.sqrt(value) if is_root else value)

    parts = [_head(width, height, title), *_key(key, left, 14, 0, 200)]
    for tick in _ROOT_TICKS if is_root else _TICKS:
        at = f"{x(tick):.1f}"
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{top}" y2="{height - 20}"/>')
        if tick != 0.001:  # its figure would stand on that of 0
            parts.append(_label(x(tick), height - 6, f"{tick:.0%}", "middle"))
    for number, (name, points, target) in enumerate(rows):
        middle = top + step * (number + 0.5)
        parts.append(_label(left - 8, middle + 4, name, "end"))
        for place, p in enumerate(points):
            at = middle + 7 * (place - (len(points) - 1) / 2)
            kind = f"series-{place if key else 1}"
            parts.append(
                f'<line class="{kind}" x1="{x(p.low):.1f}" x2="{x(p.high):.1f}" {_at_y(at)}/>'
                f'<circle class="{kind}" cx="{x(p.value):.1f}" cy="{at:.1f}" r="3.5">'
                f"{_told(name, p)}</circle>"
            )
        if target is not None:
            at_x = f"{x(target):.1f}"
            parts.append(
                f'<line class="target" x1="{at_x}" x2="{at_x}" y1="{middle - step / 2 + 2:.1f}" '
                f'y2="{middle + step / 2 - 2:.1f}"><title>wanted: {target:.2%}</title></line>'
            )
    return "".join(parts) + "</svg>"


def alone(chart: str) -> str:
    """The chart as a file of its own, readable on a light and on a dark ground."""
    light = _STYLE.format(text="#4a5565", grid="#d5dae1", target="#b3261e") + _colours(_LIGHT)
    dark = _STYLE.format(text="#b8c1cc", grid="#39424e", target="#ff8a80") + _colours(_DARK)
    style = f"<style>{light}@media(prefers-color-scheme:dark){{{dark}}}</style>"
    head, end, rest = chart.partition("</title>")
    return f"{head}{end}{style}{rest}\n"


def _colours(colours: Sequence[str]) -> str:
    return "".join(
        f".series-{n}{{stroke:{colour};fill:{colour}}}" for n, colour in enumerate(colours)
    )


def _key(names: Sequence[str], x: float, y: float, down: float, right: float) -> list[str]:
    """The names of the series, each behind a mark of its colour."""
    parts = []
    for number, name in enumerate(names):
        at_x, at_y = x + number * right, y + number * down
        parts.append(
            f'<circle class="series-{number}" cx="{at_x + 5:.1f}" cy="{at_y - 4:.1f}" r="4"/>'
            + _label(at_x + 15, at_y, name, "start")
        )
    return parts


def _told(name: str, p: Point) -> str:
    return (
        f"<title>{escape(name)}, {escape(p.label)}: {p.value:.2%} "
        f"({p.low:.2%} to {p.high:.2%})</title>"
    )


def _head(width: int, height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
    )


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _at_y(y: float) -> str:
    return f'y1="{y:.1f}" y2="{y:.1f}"'
