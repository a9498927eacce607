"""Lines over logarithmic axes, as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH, _HEIGHT, _MARGIN, _KEY = 420, 300, 50, 130
_COLOURS: Final = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"),  # Tol's, told apart by all
    *("#000000", "#999933", "#882255", "#44aa99", "#ddcc77", "#332288"),
)


@dataclass(frozen=True)
class Line:
    """Points with a name; both coordinates above 0."""

    name: str
    points: Sequence[tuple[float, float]]


class _Axis:
    """Values to pixels, by their logarithm."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self._low, self._high = math.log10(min(values)), math.log10(max(values))
        if self._high - self._low < 0.1:
            self._low, self._high = self._low - 0.5, self._high + 0.5
        self._first, self._last = first, last

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._first + share * (self._last - self._first)

    def ticks(self) -> list[float]:
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        every = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
        return [v for v in every if self._low - 1e-9 <= math.log10(v) <= self._high + 1e-9]


def chart(panels: Sequence[tuple[str, Sequence[Line]]], below: str) -> str:
    """Panels side by side, each with its title; the key is of all of them."""
    names = list(dict.fromkeys(line.name for _, lines in panels for line in lines))
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)}
    parts = []
    for number, (title, lines) in enumerate(panels):
        left = number * _WIDTH
        xs = [x for line in lines for x, _ in line.points]
        ys = [y for line in lines for _, y in line.points]
        across = _Axis(xs, left + _MARGIN, left + _WIDTH - 10)
        up = _Axis(ys, _HEIGHT - _MARGIN, 30)
        parts.append(_text(left + _MARGIN, 18, title, "start"))
        for x in across.ticks():
            parts.append(_rule(across(x), 30, across(x), _HEIGHT - _MARGIN))
            parts.append(_text(across(x), _HEIGHT - _MARGIN + 16, f"{x:g}", "middle"))
        for y in up.ticks():
            parts.append(_rule(left + _MARGIN, up(y), left + _WIDTH - 10, up(y)))
            parts.append(_text(left + _MARGIN - 6, up(y) + 4, f"{y:g}", "end"))
        parts.append(_text(left + _WIDTH / 2, _HEIGHT - 12, below, "middle"))
        for line in lines:
            colour = colours[line.name]
            places = [(across(x), up(y)) for x, y in line.points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
            parts += (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places
            )
    width = len(panels) * _WIDTH + _KEY
    for number, name in enumerate(names):
        y = 40 + 18 * number
        parts.append(f'<circle cx="{width - _KEY + 12}" cy="{y}" r="4" fill="{colours[name]}"/>')
        parts.append(_text(width - _KEY + 22, y + 4, name, "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _rule(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#ddd"/>'
