"""A Scanner that can be sent to where the documents are, and opens its index there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from dedup.index import Index
from dedup.key import Key
from dedup.policy import Policy
from dedup.scanning.scanner import Scanner
from dedup.scanning.work import Protected

__all__ = ["PortableScanner"]


class PortableScanner:
    """What makes a Scanner in whatever process it is unpickled in, once there.

    Parameters
    ----------
    index : path
        Every machine sees it there, as it is now: another state is refused.
    policy : Policy or str
        Or its name or file, as in ``Policy.load``.
    key : Key, iterable of Key, or None
        As in ``Index.open``. Keys travel by value.
    background : iterable of paths
        Indexes of what is permitted, as in ``Filter``; under the same keys.
    """

    def __init__(
        self,
        index: str | Path,
        policy: Policy | str = "balanced",
        *,
        key: Key | Iterable[Key] | Literal["default"] | None = "default",
        background: Iterable[str | Path] = (),
    ) -> None:
        keys = key if key is None or isinstance(key, str | Key) else list(key)
        self._policy = Policy.load(policy) if isinstance(policy, str) else policy
        self._protected: list[Protected] = []
        for path in (index, *background):
            with Index.open(path, key=keys) as opened:
                self._protected.append(Protected.of(opened))
        self._scanner: Scanner | None = None

    @property
    def scanner(self) -> Scanner:
        """The Scanner of this process.

        Raises
        ------
        DedupError
            If the index is in another state than it was.
        """
        if self._scanner is None:
            index, *background = (one.open() for one in self._protected)
            self._scanner = Scanner(index, self._policy, background=background)
        return self._scanner

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_scanner": None}
