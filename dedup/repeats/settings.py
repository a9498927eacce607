"""Settings: every number that decides what counts as a repeat."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from dedup.fingerprint import SignatureScheme

__all__ = ["Settings"]

# Slots of a signature that the bands share out.
_MAX_SLOTS: Final = 128
# Documents at the threshold that no band finds; those above it are missed ever more rarely.
_MAX_MISSED: Final = 0.001


@dataclass(frozen=True)
class Settings:
    """What counts as a repeat.

    Attributes
    ----------
    threshold : float
        The Jaccard similarity of the sets of shingles from which two documents are near-duplicates.
    min_tokens : int
        How many words a passage has at least.
    max_copies : int, optional
        How many documents of a cluster, and places of a passage, are to stay. Without it nothing
        is dropped.
    with_variants : bool
        Whether passages are told that mostly repeat what more frequent ones say.
    places : int
        How many places of a passage are listed; all are counted.
    shingle_size : int
        Words in a shingle.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    threshold: float = 0.8
    min_tokens: int = 50
    max_copies: int | None = None
    with_variants: bool = False
    places: int = 10
    shingle_size: int = 5

    def __post_init__(self) -> None:
        if not 0.1 <= self.threshold <= 1:
            raise ValueError(f"threshold is from 0.1 to 1, got {self.threshold}")
        for name, least, most in (
            ("min_tokens", 8, 10_000),
            ("max_copies", 1, 2**31),
            ("places", 1, 10_000),
            ("shingle_size", 1, 1000),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} is from {least} to {most}, got {value}")

    @property
    def gram_tokens(self) -> int:
        """Words in the gram that stands for a window.

        Half a window: a shorter gram gives fewer anchors (.07 a word at 50 words), but more of
        them repeat where no window does.
        """
        return self.min_tokens // 2

    @cached_property
    def rows(self) -> int:
        """Slots in a band: as many as may be without missing more than one pair in a thousand."""
        best = 1
        for rows in range(1, 17):
            if (1 - self.threshold**rows) ** (_MAX_SLOTS // rows) <= _MAX_MISSED:
                best = rows
        return best

    @property
    def bands(self) -> int:
        """How many bands a signature has; pairs that share one are compared exactly."""
        return _MAX_SLOTS // self.rows

    @property
    def scheme(self) -> SignatureScheme:
        """How signatures are made."""
        return SignatureScheme(num_perm=self.bands * self.rows, shingle_size=self.shingle_size)

    def to_dict(self) -> dict[str, Any]:
        """The attributes, as a checkpoint compares them."""
        return asdict(self)
