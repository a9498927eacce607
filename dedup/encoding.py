"""Bytes as text: UTF-8 first, then what a mark, the user or, if asked, a guess says.

UTF-8 is kept byte for byte, its mark included, so that a span of the text is a span of the file.
Of any other encoding a span is one of the UTF-8 of the decoded text, which is why the encoding
comes out beside it.

A mark is trusted: it is there for that. A guess is made only where the caller takes one. To scan
text read as one Latin alphabet for another still finds the words in ASCII and the report says what
was guessed; but an index made of such text would protect what nobody ever writes, for years, with
nothing to show it. There the guess is in the message, for the user to confirm.
"""

import codecs
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dedup.document import MAX_DOCUMENT_BYTES
from dedup.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Encoding", "NotText", "is_binary", "is_utf8", "recoded"]

# UTF-32 first: its little-endian mark begins with that of UTF-16. The names are of codecs that
# take the mark for what it is.
_MARKS: Final = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

# Controls that no text has in any encoding that keeps ASCII; tab to carriage return, escape (of
# terminals) and ^Z (the end of old DOS files) do occur.
_NOT_TEXT: Final = re.compile(rb"[\x00-\x06\x0e-\x19\x1c-\x1f]")

# What files are in, the most frequent first: a few accents among ASCII fit half of these, and many
# more that nobody uses.
_COMMON: Final = (
    *("cp1252", "cp1250", "cp1251", "koi8_r", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5"),
    *("cp1254", "cp1253", "cp1255", "cp1256", "iso8859_2", "iso8859_5", "cp437", "cp850", "cp866"),
    "mac_roman",
)

# A guess takes 20 ms on this much and over a second on a megabyte, and is as good.
_GUESSED_BYTES: Final = 1 << 15


class NotText(SourceError):
    """Bytes are no text in the encodings looked for; ``place`` says where that shows."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(reason)
        self.place = place


@dataclass(frozen=True, slots=True)
class Encoding:
    """What bytes are taken for.

    Attributes
    ----------
    name : str, optional
        The encoding of whatever is not UTF-8 and has no mark, as Python names it.
    is_guessed : bool
        Without a name, guess by charset-normalizer.
    """

    name: str | None = None
    is_guessed: bool = False

    def __post_init__(self) -> None:
        if self.name is not None:
            try:
                is_text = codecs.lookup(self.name)._is_text_encoding
            except (LookupError, ValueError):
                is_text = False
            if not is_text:
                raise ValueError(f"unknown encoding {self.name!r}; expected one such as cp1252")

    def decode(self, data: bytes) -> tuple[str, str]:
        """The text, and the encoding if it is not UTF-8.

        Raises
        ------
        NotText
            If there is none, or more than a document can hold; the message has the way out.
        """
        if len(data) > MAX_DOCUMENT_BYTES:
            raise NotText(
                "",
                f"a document of more than {MAX_DOCUMENT_BYTES} bytes; split it into smaller ones",
            )
        if marked := _marked(data):
            return _decoded(data, marked), marked
        nul = data.find(0)
        if nul >= 0:
            if self.name is not None and "\0".encode(self.name) != b"\0":
                return _decoded(data, self.name), codecs.lookup(self.name).name
            reason = "a NUL byte: this is binary, not text; extract its text or leave it out"
            raise NotText(f"byte {nul}", reason)
        try:
            return data.decode("utf-8"), ""
        except UnicodeDecodeError as error:
            return self._other(data, error.start)

    def _other(self, data: bytes, start: int) -> tuple[str, str]:
        if self.name is not None:
            return _decoded(data, self.name), codecs.lookup(self.name).name
        guess = "" if _NOT_TEXT.search(data) else _guess(data, start)
        if guess and self.is_guessed:
            return _decoded(data, guess), guess
        known = f"it looks like {guess}: if so, pass --encoding {guess}, or"
        raise NotText(
            f"byte {start}",
            f"0x{data[start]:02x} is not UTF-8; {known if guess else 'pass its --encoding,'} "
            "convert it, for example with: iconv -f LATIN1 -t UTF-8, or leave it out",
        )


def is_binary(data: bytes) -> bool:
    """Whether bytes that are not decoded are no text in any encoding: an image, an archive.

    What may be text of another encoding is not binary: it would be lost in silence.
    """
    return not _marked(data) and _NOT_TEXT.search(data) is not None


def recoded(stream: io.BufferedReader, encoding: Encoding) -> io.BufferedReader:
    """The stream as UTF-8, for rows: by its mark, or else by the encoding's name.

    Nothing is guessed of it.
    """
    name = _marked(stream.peek(4)[:4]) or encoding.name
    if name is None or is_utf8(stream, encoding):
        return stream
    return io.BufferedReader(_Recoded(stream, name), 1 << 16)


def is_utf8(stream: io.BufferedReader, encoding: Encoding) -> bool:
    """Whether rows are taken for UTF-8: the stream has no other mark, and no other is named."""
    name = _marked(stream.peek(4)[:4]) or encoding.name
    return name is None or codecs.lookup(name).name == "utf-8"


class _Recoded(io.RawIOBase):
    """A stream of another encoding as one of UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._ready:
            data = self._stream.read(1 << 16)
            try:
                self._ready = self._decoder.decode(data, final=not data).encode()
            except UnicodeDecodeError as error:
                raise SourceError(f"is not {self._encoding}: {error.reason}") from None
            if not data:
                break
        view = memoryview(buffer).cast("B")
        piece, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        super().close()
        self._stream.close()


def _marked(data: bytes) -> str:
    return next((name for mark, name in _MARKS if data.startswith(mark)), "")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotText(f"byte {error.start}", f"is not {encoding}: {error.reason}") from None
    if "\0" in text:
        raise NotText("", f"a NUL in its {encoding} text: this is binary, not text; leave it out")
    return text.removeprefix("\ufeff")


def _guess(data: bytes, start: int) -> str:
    """The most likely encoding of bytes that are not UTF-8, empty if none or nothing guesses."""
    try:
        import charset_normalizer  # here, as it belongs to an extra and takes 30 ms
    except ImportError:
        return ""
    begin = max(0, start - _GUESSED_BYTES // 2)
    sample = data[begin : begin + _GUESSED_BYTES]
    found = charset_normalizer.from_bytes(sample, cp_isolation=list(_COMMON))
    best = found.best()
    if best is None:
        return ""
    as_good = {
        name
        for match in found
        if (match.chaos, match.coherence) == (best.chaos, best.coherence)
        for name in match.could_be_from_charset
    }
    name = next((name for name in _COMMON if name in as_good), "")
    try:
        data.decode(name)
    except (UnicodeDecodeError, LookupError):
        return ""
    return name
