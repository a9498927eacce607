"""All texts of a choice or response in a row, as they come: what runs on from one into the next.

A stream may say a passage a word at a time, each in another field or tool call, so that no text
shows it. The row holds nothing back: it tells that the stream has to end.
"""

from collections.abc import Hashable
from typing import Final

from dedup.policy import Verdict
from dedup.serve.annotation import strongest
from dedup.serve.channel import Channel
from dedup.serve.gate import Screening

__all__ = ["Labels", "Row"]

# What texts are joined by: they may part words, or break one in two.
_APART, _BROKEN = "\n", ""
_BETWEEN: Final = (_APART, _BROKEN)
# So many labels of a key pass unread: kinds of what is in a response.
_MAX_LABELS: Final = 3


class Row:
    """Reads texts, once they stand at more than so many places."""

    def __init__(self, screening: Screening, *, places: int = 1) -> None:
        self._screening = screening
        self._least = places
        self._places: set[Hashable] = set()
        self._last: Hashable = None
        self._pieces: list[tuple[bool, str]] = []  # whether it begins at another place, and what
        self._read = 0  # pieces that were read
        self._channels: dict[str, Channel] = {}

    @property
    def is_over(self) -> bool:
        """Whether what was read is blocked."""
        return any(channel.is_over for channel in self._channels.values())

    @property
    def text(self) -> str:
        """All of it, a line or more for each place."""
        return _joined(self._pieces, _APART)

    async def add(self, place: Hashable, piece: str) -> None:
        """Take a piece of the text at a place.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        if not piece:
            return
        self._pieces.append((place != self._last, piece))
        self._last = place
        self._places.add(place)
        if len(self._places) <= self._least:
            return
        new, self._read = self._pieces[self._read :], len(self._pieces)
        for between in _BETWEEN:
            channel = self._channels.get(between)
            if channel is None:
                channel = self._channels[between] = self._screening.shadow()
            await self._screening.feed(channel, _joined(new, between))

    async def judge(self) -> Verdict | None:
        """The verdict that blocks what was read; None if it is not blocked.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        for channel in self._channels.values():
            await self._screening.flush(channel)
        verdicts = [channel.verdict for channel in self._channels.values() if channel.verdict]
        return next((verdict for verdict in verdicts if verdict.action == "block"), None)


class Labels:
    """Reads what labels the parts of a response: names of tools may be words of a text.

    Labels of one key are a row, in which one that comes again at once is one.
    """

    def __init__(self, screening: Screening) -> None:
        self._screening = screening
        self._last: dict[str, str] = {}
        self._rows: dict[str, Row] = {}
        self._count = 0

    @property
    def is_over(self) -> bool:
        """Whether those of a key are blocked."""
        return any(row.is_over for row in self._rows.values())

    async def add(self, key: str, text: str) -> None:
        """Take a label.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        if self._last.get(key) != text:
            self._last[key] = text
            self._count += 1
            row = self._rows.setdefault(key, Row(self._screening, places=_MAX_LABELS))
            await row.add(self._count, text)

    async def judge(self) -> Verdict | None:
        """The verdict that blocks those of a key; None if none does.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        return strongest([v for row in self._rows.values() if (v := await row.judge())])


def _joined(pieces: list[tuple[bool, str]], between: str) -> str:
    return "".join(between * begins + piece for begins, piece in pieces)
