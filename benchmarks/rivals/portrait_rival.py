"""A strided Bloom filter as in Data Portraits: tiles of 50 characters, chained in the query.

M. Marone, B. Van Durme, "Data Portraits: Recording Foundation Model Training Data", 2023. Written
from the paper; white space and case are made alike, which it leaves open. Names no document.
"""

from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

__all__ = ["Built", "build", "label", "query"]

_BITS_A_TILE = 16
_HASHES = 8


@dataclass(frozen=True, slots=True)
class Built:
    """The filter's bits, and characters a tile."""

    bits: NDArray[np.bool_]
    width: int


def build(documents: dict[str, str], width: int = 50) -> Built:
    tiles = [
        text[at : at + width]
        for text in map(_normalised, documents.values())
        for at in range(0, len(text) - width + 1, width)
    ]
    bits = np.zeros(max(64, _BITS_A_TILE * len(tiles)), dtype=np.bool_)
    for tile in tiles:
        for place in _places(tile, len(bits)):
            bits[place] = True
    return Built(bits, width)


def query(built: Built, text: str) -> tuple[str, float]:
    """No document, and the characters of the longest chain of tiles one behind the other."""
    text = _normalised(text)
    chains = [0] * (len(text) + 1)
    longest = 0
    for at in range(len(text) - built.width + 1):
        if all(built.bits[p] for p in _places(text[at : at + built.width], len(built.bits))):
            chains[at] = 1 + (chains[at - built.width] if at >= built.width else 0)
            longest = max(longest, chains[at])
    return "", float(longest * built.width)


def label(built: Built) -> str:
    return f"strided Bloom filter, {built.width} characters"


def _normalised(text: str) -> str:
    return " ".join(text.lower().split())


def _places(tile: str, size: int) -> list[int]:
    value = xxhash.xxh3_128_intdigest(tile)
    first, second = value & (2**64 - 1), value >> 64 | 1
    return [(first + number * second) % size for number in range(_HASHES)]
