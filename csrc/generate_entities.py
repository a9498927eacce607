"""Writes csrc/entities.h: the named character references of HTML.

    python csrc/generate_entities.py > csrc/entities.h

The only source is this Python's ``html.entities``.
"""

import sys
from html.entities import html5

from generate_unicode import array

LEGACY = 1 << 31  # its semicolon may be missing
SECOND = 21  # bits below which the first code point is


def render() -> str:
    """The text of entities.h."""
    names = sorted(name[:-1] for name in html5 if name.endswith(";"))
    seconds = sorted({points[1] for points in html5.values() if len(points) == 2})
    values = []
    for name in names:
        points = html5[name + ";"]
        second = seconds.index(points[1]) + 1 if len(points) == 2 else 0
        legacy = LEGACY if name in html5 else 0
        values.append(legacy | second << SECOND | ord(points[0]))
    ends = [0]
    for name in names:
        ends.append(ends[-1] + len(name))
    joined = "".join(names)
    text = "\n".join(f'    "{joined[at : at + 90]}"' for at in range(0, len(joined), 90))
    return f"""\
// The named character references of HTML: written by generate_entities.py, and never by hand.
//
// Name i is bytes [begins[i], begins[i + 1]) of `names`, and names are in order. Its value has a
// code point in the low {SECOND} bits, above them the number, from 1, of a second one, and bit 31
// if the semicolon may be missing.
#pragma once

#include <cstdint>

namespace dedup::entities {{

inline constexpr std::uint32_t count = {len(names)};
inline constexpr std::uint32_t longest = {max(map(len, names))};
inline constexpr std::uint32_t longest_legacy = {max(len(n) for n in names if n in html5)};
inline constexpr std::uint32_t second_shift = {SECOND};

// clang-format off
inline constexpr char names[] =
{text};

{array("std::uint16_t", "begins", ends)}
{array("std::uint32_t", "values", values)}
{array("std::uint32_t", "seconds", map(ord, seconds))}
// clang-format on

}}  // namespace dedup::entities
"""


if __name__ == "__main__":
    sys.stdout.write(render())
