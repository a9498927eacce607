"""One text of a response on its way through the filter, and the tokens that say it again.

A channel takes pieces of a text as the upstream sends them, and gives what may go out. It knows
which bytes of the text that is, so that whatever accompanies the text (the log-probabilities of its
tokens) goes out in step with it, and what stood for a replaced passage does not.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from dedup.match import Span
from dedup.policy import Verdict
from dedup.serve.arguments import Decoded
from dedup.stream import StreamFilter

__all__ = ["ArgumentsChannel", "Channel", "Token", "TokenQueue", "Waiting"]

_HIGH: Final = ("\ud800", "\udbff")  # first halves of surrogate pairs


class Waiting:
    """Stands for a StreamFilter where texts come whole: their verdicts come from outside.

    Attributes
    ----------
    text : str
        All that was fed.
    verdict : Verdict or None
        On it; to be set before it is flushed.
    """

    def __init__(self) -> None:
        self.text = ""
        self.verdict: Verdict | None = None

    def feed(self, chunk: str) -> str:
        """Takes more of the text, and lets nothing out."""
        self.text += chunk
        return ""

    def flush(self) -> tuple[str, Verdict]:
        """What may go out, and the verdict."""
        if self.verdict is None:
            raise RuntimeError("a text was flushed before it was judged")
        return ("" if self.is_over else self.verdict.text), self.verdict

    def may_search(self, chunk_bytes: int) -> bool:
        """It never does."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether it was blocked."""
        return self.verdict is not None and self.verdict.action == "block"

    @property
    def held_bytes(self) -> int:
        """Bytes that were not decided about."""
        return len(self.text.encode()) if self.verdict is None else 0


class Channel:
    """A text, filtered as it arrives.

    Attributes
    ----------
    source : bytearray
        What the upstream sent of it.
    decided : int
        How many of these bytes are out, or have been replaced.
    gaps : list of Span
        Those of them that were replaced.
    verdict : Verdict or None
        Set by ``flush``.
    """

    def __init__(self, stream: StreamFilter | Waiting) -> None:
        self._stream = stream
        self._half = ""  # a surrogate whose other half is to come
        self._out: list[str] = []
        self.source = bytearray()
        self.decided = 0
        self.gaps: list[Span] = []
        self.verdict: Verdict | None = None

    def feed(self, piece: str) -> str:
        """Takes more of the text; returns what may go out."""
        text = self._whole(piece)
        self.source += text.encode()
        return self._passed(self._stream.feed(text))

    def close(self) -> str:
        """There is no more of it; returns what may go out of what was not whole."""
        half, self._half = self._half, ""
        return self.feed("\ufffd") if half else ""

    def flush(self) -> str:
        """Ends the text; returns what may still go out. Its ``verdict`` is known from now on."""
        if self.verdict is not None:
            return ""
        rest = self.close()
        released, self.verdict = self._stream.flush()
        return rest + self._passed(released)

    @property
    def spoken(self) -> bytearray:
        """What it says, for who reads many texts in a row."""
        return self.source

    def is_slow(self, piece: str) -> bool:
        """Whether taking this piece may take long enough to hold up others."""
        return len(piece) > _LONG or self._stream.may_search(len(piece))

    @property
    def is_over(self) -> bool:
        """Whether it was blocked."""
        return self._stream.is_over

    @property
    def held_bytes(self) -> int:
        """Bytes of the text that are neither out nor decided about."""
        return len(self.source) - self.decided

    @property
    def out(self) -> str:
        """All that went out."""
        return "".join(self._out)

    @property
    def given(self) -> str:
        """All that the upstream sent, letter by letter."""
        return self.source.decode()

    def _whole(self, piece: str) -> str:
        """The piece in whole characters: JSON escapes may cut one in two."""
        piece = self._half + piece
        self._half = ""
        try:
            piece.encode()
        except UnicodeEncodeError:
            if _HIGH[0] <= piece[-1] <= _HIGH[1]:
                piece, self._half = piece[:-1], piece[-1]
            return piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return piece

    def _passed(self, released: str) -> str:
        """What was released, noted as such."""
        if (
            self._stream.is_over
        ):  # of what went out before it was, that is counted which is as it was
            self.decided += _same(self.source[self.decided :], released.encode())
        else:
            start, self.decided = self.decided, len(self.source) - self._stream.held_bytes
            gap = _gap(bytes(self.source[start : self.decided]), released.encode())
            if gap:
                self.gaps.append(Span(start + gap.start, start + gap.end))
        if released:
            self._out.append(released)
        return released


# Texts of this length take a millisecond to search.
_LONG: Final = 4096


def _gap(source: bytes, released: bytes) -> Span | None:
    """Which bytes of the source the release replaces; all between the first and the last that do.

    What happens to be equal at their edges is no secret: the notice says it too.
    """
    if source == released:
        return None
    start = _same(source, released)
    most = min(len(source), len(released)) - start
    same = next((at for at in range(most) if source[-1 - at] != released[-1 - at]), most)
    while start and start < len(source) and source[start] & 0xC0 == 0x80:
        start -= 1  # it begins in the middle of a character
    while same and source[len(source) - same] & 0xC0 == 0x80:
        same -= 1
    return Span(start, len(source) - same)


def _same(one: bytes | bytearray, other: bytes) -> int:
    """How many bytes they begin with in common."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)


class ArgumentsChannel(Channel):
    """The arguments of a tool call: JSON text in fragments, whose strings are filtered decoded."""

    def __init__(self, stream: StreamFilter | Waiting) -> None:
        super().__init__(stream)
        self._decoded = Decoded()
        self._raw: list[str] = []
        self._raw_out: list[str] = []

    def feed(self, piece: str) -> str:
        """Takes a fragment; returns what may go out of it and of those before."""
        fragment = self._whole(piece)
        self._raw.append(fragment)
        return self._read(self._decoded.feed(fragment.encode()).decode())

    def close(self) -> str:
        """There is no more of them; returns what may go out of what was not whole."""
        rest = super().close()
        text = self._decoded.finish().decode()
        return rest + (self._read(text) if text else "")

    def flush(self) -> str:
        """Ends the arguments; returns what may still go out."""
        if self.verdict is not None:
            return ""
        rest = self.close()
        start, gaps = self.decided, len(self.gaps)
        released, self.verdict = self._stream.flush()
        return rest + self._mapped(start, gaps, self._passed(released))

    @property
    def spoken(self) -> bytearray:
        """What it says, but for the keys."""
        return self._decoded.values

    @property
    def out(self) -> str:
        """All that went out."""
        return "".join(self._raw_out)

    @property
    def given(self) -> str:
        """All that the upstream sent, letter by letter."""
        return "".join(self._raw)

    def _read(self, text: str) -> str:
        self.source += text.encode()
        start, gaps = self.decided, len(self.gaps)
        return self._mapped(start, gaps, self._passed(self._stream.feed(text)))

    def _mapped(self, start: int, gaps: int, released: str) -> str:
        raw: list[bytes] = []
        if len(self.gaps) > gaps:
            gap = self.gaps[-1]
            data = released.encode()
            notice = data[gap.start - start : len(data) - (self.decided - gap.end)]
            raw.append(self._decoded.take(gap.start - start))
            raw.append(self._decoded.replace(gap.end - gap.start, notice.decode()))
            start = gap.end
        raw.append(self._decoded.take(self.decided - start))
        text = b"".join(raw).decode()
        self._raw_out.append(text)
        return text


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text: its bytes, and what a response says about it."""

    data: bytes
    entry: Any


class TokenQueue:
    """Tokens that wait until their text is out."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: deque[tuple[int, Token]] = deque()  # with where in the text they begin
        self._end = 0
        self._is_broken = False

    def add(self, tokens: Iterable[Token]) -> None:
        """Tokens that follow those before."""
        for token in tokens:
            self._waiting.append((self._end, token))
            self._end += len(token.data)

    def take(self) -> list[Any]:
        """The entries of tokens that are wholly out now; those of replaced text are dropped.

        Tokens that do not spell the text are another text, which was not checked: from there on
        there are none.
        """
        channel = self._channel
        entries: list[Any] = []
        while self._waiting and not self._is_broken:
            start, token = self._waiting[0]
            end = start + len(token.data)
            if end > channel.decided:
                break
            self._waiting.popleft()
            if channel.source[start:end] != token.data:
                self._is_broken = True
                self._waiting.clear()
            elif not any(gap.start < end and start < gap.end for gap in channel.gaps):
                entries.append(token.entry)
        return entries
