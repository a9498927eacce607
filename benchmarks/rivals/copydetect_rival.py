"""copydetect: winnowed character fingerprints of Pygments tokens with names made alike.

``hash`` of Python strings feeds its winnowing, so set PYTHONHASHSEED for the same figures twice.
"""

import io
from dataclasses import dataclass

from copydetect import CodeFingerprint, compare_files

__all__ = ["Built", "build", "label", "lexed", "query"]


@dataclass(frozen=True, slots=True)
class Built:
    """Fingerprints by document, and the settings they were made with."""

    fingerprints: dict[str, CodeFingerprint]
    k: int
    window: int


def lexed(name: str, text: str) -> str:
    """The text as copydetect compares it; its language is told by the file name."""
    return CodeFingerprint(name, 25, 1, fp=io.StringIO(text)).filtered_code


def build(documents: dict[str, str], k: int = 25, window: int = 6, is_lexed: bool = False) -> Built:
    """Fingerprints of documents by name; `is_lexed` if they went through ``lexed`` before."""
    return Built(
        {
            name: CodeFingerprint(name, k, window, fp=io.StringIO(text), filter=not is_lexed)
            for name, text in documents.items()
        },
        k,
        window,
    )


def query(built: Built, name: str, text: str, is_lexed: bool = False) -> tuple[str, float]:
    """The document that holds most of the query, and which share of the query that is."""
    mine = CodeFingerprint(name, built.k, built.window, fp=io.StringIO(text), filter=not is_lexed)
    if not mine.hashes:
        return "", 0.0
    scores = {
        document: float(compare_files(mine, fingerprint)[1][0])
        for document, fingerprint in built.fingerprints.items()
    }
    best = max(scores, key=scores.__getitem__)
    return best, scores[best]


def label(built: Built) -> str:
    return f"copydetect, k={built.k}, window {built.window}"
