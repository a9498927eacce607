"""A rate with what is known of it."""

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Rate", "wilson"]


@dataclass(frozen=True, slots=True)
class Rate:
    """Hits of trials."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """In [0, 1]; 0 of no trials."""
        return self.hits / self.trials if self.trials else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval; everything, of no trials."""
        return wilson(self.hits, self.trials) if self.trials else (0.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        low, high = self.interval
        return {
            "hits": self.hits,
            "trials": self.trials,
            "rate": round(self.value, 5),
            "low": round(low, 5),
            "high": round(high, 5),
        }


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % confidence interval of a rate (Wilson, 1927)."""
    z = 1.96
    centre = (hits + z * z / 2) / (trials + z * z)
    half = z / (trials + z * z) * math.sqrt(hits * (trials - hits) / trials + z * z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
