"""All texts of a response in a row, as they come: what runs on from one into the next.

A stream may say a passage a word at a time, each in another field, tool call or choice, so that no
text shows it. The row holds nothing back: it tells which choices have to end.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from dedup.policy import Verdict
from dedup.serve.annotation import strongest
from dedup.serve.channel import Channel
from dedup.serve.gate import Screening

__all__ = ["Labels", "Row"]

# What texts are joined by: they may part words, or break one in two.
_BETWEEN: Final = ("\n", "")
# So many labels of a key pass unread: kinds of what is in a response.
_MAX_LABELS: Final = 3


@dataclass(frozen=True, slots=True)
class _Piece:
    """Of the text at a place of a choice."""

    choice: int
    is_first: bool  # of those at its place in a row
    text: str


class Row:
    """Reads the texts of a response, once they stand at more than so many places.

    Attributes
    ----------
    blocked : dict
        Of each choice that has a part of what is blocked: the verdict on that.
    """

    def __init__(self, screening: Screening, *, places: int = 1) -> None:
        self._screening = screening
        self._least = places
        self.blocked: dict[int, Verdict] = {}
        self._places: set[Hashable] = set()
        self._last: Hashable = None
        self._begin()

    def _begin(self) -> None:
        self._pieces: list[_Piece] = []
        self._read = 0  # pieces that were read
        self._channels: dict[str, Channel] = {}

    async def add(self, choice: int, place: Hashable, piece: str) -> None:
        """Take a piece of the text at a place of a choice.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        if not piece:
            return
        place = choice, place
        self._pieces.append(_Piece(choice, place != self._last, piece))
        self._last = place
        self._places.add(place)
        if len(self._places) > self._least:
            await self._read_on()

    async def leave_out(self, choice: int) -> None:
        """Leave out a choice that ends for what it says by itself: the others do not.

        Raises
        ------
        Failure
            If what is left could not be checked.
        """
        left = [piece for piece in self._pieces if piece.choice != choice]
        if len(left) < len(self._pieces):
            self._begin()
            self._pieces = left
            await self._read_on()

    async def _read_on(self) -> None:
        new, self._read = self._pieces[self._read :], len(self._pieces)
        for between in _BETWEEN:
            channel = self._channels.get(between)
            if channel is None:
                channel = self._channels[between] = self._screening.shadow()
            await self._screening.feed(channel, _joined(new, between))
            if channel.is_over:
                await self._screening.flush(channel)
                self._blame(channel.verdict, between)
                self._begin()
                return

    async def judge(self, choice: int) -> Verdict | None:
        """The verdict that blocks a choice, by what was read so far; None if there is none.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        for between in self._channels:
            verdict = await self._screening.check(_joined(self._pieces, between))
            if verdict.action == "block":
                self._blame(verdict, between)
        return self.blocked.get(choice)

    def _blame(self, verdict: Verdict | None, between: str) -> None:
        """Note which choices have a part of what a verdict is about."""
        if verdict is None:
            return
        spans = [ruling.match.query_span for ruling in verdict.rulings if ruling.action == "block"]
        end = 0
        for piece in self._pieces:
            start, end = end, end + len(_joined([piece], between).encode())
            if not spans or any(low < end and start < high for low, high in spans):
                self.blocked.setdefault(piece.choice, verdict)


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
        return any(row.blocked for row in self._rows.values())

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
            await row.add(0, self._count, text)

    async def judge(self) -> Verdict | None:
        """The verdict that blocks those of a key; None if there is none.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        return strongest(
            [verdict for row in self._rows.values() if (verdict := await row.judge(0))]
        )


def _joined(pieces: list[_Piece], between: str) -> str:
    return "".join(between * piece.is_first + piece.text for piece in pieces)
