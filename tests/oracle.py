"""The slow, obvious Python form of each kernel of the core."""

import hashlib
import re

# ---- hashes and signatures

MASK_32 = 2**32 - 1
MASK_64 = 2**64 - 1
MERSENNE_61 = 2**61 - 1
SHINGLE_BASE = 0x9E3779B97F4A7C15


def fmix32(h: int) -> int:
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK_32
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK_32
    return h ^ h >> 16


def fmix64(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & MASK_64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & MASK_64
    return h ^ h >> 33


def sha1_64(data: bytes) -> int:
    return int.from_bytes(hashlib.sha1(data).digest()[:8], "little")


def shingle_hash(tokens: list[int]) -> int:
    total = 0
    for token in tokens:
        total = total * SHINGLE_BASE + token
    return fmix64(total & MASK_64)


def shingle_hashes(tokens: list[int], size: int) -> list[int]:
    if not tokens:
        return []
    return [shingle_hash(tokens[i : i + size]) for i in range(max(1, len(tokens) - size + 1))]


def word_shingles(text: str, size: int) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    if not words:
        return []
    return [" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))]


def affine(hashes: list[int], a: list[int], b: list[int], bits: int) -> list[int]:
    empty = 2**bits - 1
    return [
        min([(x * h + y) % 2**bits for h in hashes], default=empty)
        for x, y in zip(a, b, strict=True)
    ]


def legacy(hashes: list[int], a: list[int], b: list[int]) -> list[int]:
    return [
        min([(x * h + y) % 2**64 % MERSENNE_61 % 2**32 for h in hashes], default=MASK_32)
        for x, y in zip(a, b, strict=True)
    ]


def jaccard(left: set[str], right: set[str]) -> float:
    return len(left & right) / len(left | right) if left or right else 0.0
