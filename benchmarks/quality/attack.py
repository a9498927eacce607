"""What an attack is: a seeded way to change a copy so that it may not be known again."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Attack", "Dice", "Edit", "Tier"]

# What the evasion matrix wants of a filter: to block, to flag at the least, or nothing.
Tier = Literal["block", "flag", "none"]


class Dice(random.Random):
    """Chance, and words that are not those of the copy."""

    def __init__(self, seed: str, vocabulary: Sequence[str]) -> None:
        super().__init__(seed)
        self.vocabulary = vocabulary

    def __new__(cls, seed: str, vocabulary: Sequence[str]) -> "Dice":
        return super().__new__(cls)

    def word(self) -> str:
        return self.choice(self.vocabulary)

    def hits(self, rate: float) -> bool:
        return self.random() < rate


Edit = Callable[[str, float, Dice], str]


@dataclass(frozen=True, slots=True)
class Attack:
    """A way to change a passage of prose.

    Attributes
    ----------
    row : str
        Of the evasion matrix.
    name : str
        What is done; unique.
    edit : function
        Takes the passage, the strength and dice; gives the changed passage.
    strengths : tuple of float
        From weak to strong, as `unit` says.
    medium : float
        The one that counts in the summary.
    unit : str
        What a strength is; empty if there is but one.
    tier : {"block", "flag", "none"}
        What is wanted at medium strength.
    """

    row: str
    name: str
    edit: Edit
    strengths: tuple[float, ...] = (1,)
    medium: float = 1
    unit: str = ""
    tier: Tier = "block"
