"""datasketch: MinHash LSH over windows of words, or over whole documents."""

from collections.abc import Iterator
from dataclasses import dataclass

import xxhash
from datasketch import MinHash, MinHashLSH

__all__ = ["Built", "build", "label", "query"]

_PERMUTATIONS = 128
# Of shingles of one word any two windows are this much alike, of longer ones hardly at all; what
# is less alike is not looked at.
_THRESHOLDS = {1: 0.4}
_THRESHOLD = 0.15


@dataclass(frozen=True, slots=True)
class Built:
    """The LSH, what is in it, and the settings."""

    lsh: MinHashLSH
    signatures: dict[str, MinHash]
    window: int
    shingle: int


def build(documents: dict[str, str], window: int = 0, shingle: int = 3) -> Built:
    """Windows of so many words, half of one apart; 0 for whole documents."""
    lsh = MinHashLSH(threshold=_THRESHOLDS.get(shingle, _THRESHOLD), num_perm=_PERMUTATIONS)
    signatures = {}
    with lsh.insertion_session() as session:
        for name, text in documents.items():
            for number, words in enumerate(_windows(text, window, window // 2)):
                key = f"{name}\0{number}"
                signatures[key] = _signature(words, shingle)
                session.insert(key, signatures[key])
    return Built(lsh, signatures, window, shingle)


def query(built: Built, text: str) -> tuple[str, float]:
    """The document of the most similar window, and its Jaccard similarity as estimated."""
    best, score = "", 0.0
    for words in _windows(text, built.window, built.window // 4):
        mine = _signature(words, built.shingle)
        for key in built.lsh.query(mine):
            similarity = mine.jaccard(built.signatures[key])
            if similarity > score:
                best, score = key.partition("\0")[0], similarity
    return best, score


def label(built: Built) -> str:
    of = f"windows of {built.window} words" if built.window else "documents"
    return f"datasketch MinHash LSH, {of}, {built.shingle}-shingles"


def _windows(text: str, window: int, stride: int) -> Iterator[list[str]]:
    words = text.lower().split()
    if not window:
        yield words
        return
    for at in range(0, max(1, len(words) - window + stride), stride):
        yield words[at : at + window]


def _signature(words: list[str], shingle: int) -> MinHash:
    made = MinHash(num_perm=_PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)
    count = max(1, len(words) - shingle + 1)
    made.update_batch([" ".join(words[at : at + shingle]).encode() for at in range(count)])
    return made
