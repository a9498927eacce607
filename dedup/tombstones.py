"""The documents of a segment that are gone: a bit each, set if it is.

Bit ``d % 8`` of byte ``d // 8`` is that of document ``d``; zero bytes at the end are left out, so
one set has one form. The core takes them as they are, and a million documents are 125 kB.
"""

from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Tombstones", "count", "is_dead", "tombstones", "united"]

Tombstones: TypeAlias = bytes


def tombstones(documents: Iterable[int]) -> Tombstones:
    """The set of these documents."""
    bits = bytearray()
    for document in documents:
        byte = document >> 3
        if byte >= len(bits):
            bits.extend(bytes(max(64, len(bits), byte + 1 - len(bits))))
        bits[byte] |= 1 << (document & 7)
    return bytes(bits).rstrip(b"\0")


def united(one: Tombstones, other: Tombstones) -> Tombstones:
    """What is in either set."""
    if not one or not other:
        return one or other
    both = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return both.to_bytes(max(len(one), len(other)), "little")


def count(dead: Tombstones) -> int:
    """How many are in the set."""
    return int.from_bytes(dead, "little").bit_count()


def is_dead(dead: Tombstones, document: int) -> bool:
    """Whether the set holds a document."""
    byte = document >> 3
    return byte < len(dead) and bool(dead[byte] >> (document & 7) & 1)
