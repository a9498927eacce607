"""Strings at places that no one told us of: they may be names, or texts that come word by word.

What is the same every time is looked at once. Anything else is read on, each place by itself and
all places in a row, as words may stand apart in them, one each, so that none by itself shows a
passage. A string goes out as it is, or, while what was read may be a copy, not at all.
"""

from typing import Final

from dedup.serve.channel import Channel
from dedup.serve.fields import EACH, Leaf, Path
from dedup.serve.gate import Screening

__all__ = ["Unknown"]

# Names pass unread: so many of one word each, so long at the most.
_MAX_NAMES: Final = 8
_MAX_NAME: Final = 64
# What stands at more places than that does not go out.
_MAX_PLACES: Final = 64


class Unknown:
    """Reads the strings of one choice, or of what stands beside the choices."""

    def __init__(self, screening: Screening) -> None:
        self._screening = screening
        self._first: dict[Path, str] = {}
        self._varied: set[Path] = set()
        self._names = 0
        # What reads: each place, and all of them as ().
        self._channels: dict[Path, Channel] = {}

    @property
    def channels(self) -> list[Channel]:
        """What the strings were read by."""
        return list(self._channels.values())

    async def may_pass(self, leaf: Leaf) -> bool:
        """Whether a string may go out."""
        path, text = leaf.path, leaf.text
        if self._first.get(path) == text and path not in self._varied:
            return True
        if path in self._first:
            self._varied.add(path)
        elif self._is_name(leaf):
            self._names += 1
            self._first[path] = text
            return True
        if not await self._is_clear(path, text):
            return False
        self._first.setdefault(path, text)
        return True

    def _is_name(self, leaf: Leaf) -> bool:
        text = leaf.text
        is_word = len(text) <= _MAX_NAME and len(text.split()) == 1 and text == text.strip()
        return is_word and self._names < _MAX_NAMES and EACH not in leaf.path

    async def _is_clear(self, path: Path, text: str) -> bool:
        in_row = text if text != text.strip() else f"\n{text}"
        is_clear = True
        for place, piece in ((path, text), ((), in_row)):
            channel = self._channels.get(place)
            if channel is None:
                if len(self._channels) > _MAX_PLACES:
                    return False
                channel = self._channels[place] = self._screening.shadow()
            gaps = len(channel.gaps)
            await self._screening.feed(channel, piece)
            is_held = channel.held_bytes > len(piece.encode())
            is_clear = is_clear and not (channel.is_over or is_held or len(channel.gaps) > gaps)
        return is_clear
