"""JSON text that arrives in fragments, read and rewritten: the arguments of a tool call.

Code in a string of JSON hides behind escapes, so what is filtered is the text that a reader of the
arguments would see: the strings decoded, with a line end in place of each quote and a space for
each mark of structure. What a filter lets out of that text is mapped back to the fragments' own
bytes. Text that is no JSON is filtered all the same, as it stands.

Beside it, what the arguments say but for the keys, for who reads many arguments in a row.
"""

import json
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

__all__ = ["Decoded"]

_STRUCTURE: Final = b"{}[]:, \t\r\n"
_IN_STRING: Final = re.compile(rb'[^"\\]+')
_OUTSIDE: Final = re.compile(rb'[^"]+')
_SHORT_ESCAPES: Final = {
    b"n": b"\n",
    b"t": b"\t",
    b"r": b"\r",
    b"b": b"\b",
    b"f": b"\f",
}
_AS_TEXT: Final = bytes.maketrans(_STRUCTURE, b" " * 7 + b"\t\r\n")
_WORD: Final = re.compile(rb"[^{}\[\]:, \t\r\n\"]+")


@dataclass(slots=True)
class _Piece:
    """Bytes of the fragments and what they say; a run of equal length maps byte by byte."""

    raw: bytes
    text_bytes: int
    is_in_string: bool
    is_run: bool


# A longer string is no key.
_MAX_KEY: Final = 64
_NO_WORDS: Final = re.compile(rb"true|false|null|-?[0-9][0-9.eE+-]*")


class Decoded:
    """What a JSON text in fragments says, and which of its bytes say what.

    Attributes
    ----------
    values : bytearray
        The strings that are no keys, a line each, and words outside strings.
    """

    def __init__(self) -> None:
        self.values = bytearray()
        self._string = b""  # that was read last, while it may be a key
        self._rest = b""  # an escape that is not complete
        self._is_in_string = False
        self._pieces: deque[_Piece] = deque()

    def feed(self, fragment: bytes) -> bytes:
        """What the fragment adds to the text."""
        data = self._rest + fragment
        self._rest = b""
        text: list[bytes] = []
        at = 0
        while at < len(data):
            if data[at : at + 1] == b'"':
                self._is_in_string = not self._is_in_string
                said, raw, is_run = b"\n", b'"', False
            elif not self._is_in_string:
                raw = _OUTSIDE.match(data, at)[0]  # type: ignore[index]  # it is no quote
                said, is_run = raw.translate(_AS_TEXT), True
            elif data[at : at + 1] == b"\\":
                escape = _escape(data, at)
                if escape is None:
                    self._rest = data[at:]
                    break
                raw, said = escape
                is_run = False
            else:
                raw = said = _IN_STRING.match(data, at)[0]  # type: ignore[index]
                is_run = True
            is_in_string = self._is_in_string and raw != b'"'
            self._note(raw, said, is_in_string=is_in_string)
            self._pieces.append(_Piece(raw, len(said), is_in_string, is_run))
            text.append(said)
            at += len(raw)
        return b"".join(text)

    def finish(self) -> bytes:
        """What is left of a text that was cut short."""
        rest, self._rest = self._rest, b""
        if rest:
            self._pieces.append(_Piece(rest, len(rest), self._is_in_string, True))
        self.values += self._string
        self._string = b""
        return rest

    def _note(self, raw: bytes, said: bytes, *, is_in_string: bool) -> None:
        """Note a piece in `values`, once it is known that it is no key."""
        if is_in_string:
            self._string += said
            if len(self._string) > _MAX_KEY:
                self.values += self._string
                self._string = b""
        elif raw == b'"':
            if not self._is_in_string:  # it ends one
                self._string += b"\n"
        elif outside := raw.strip():
            if not outside.startswith(b":"):
                self.values += self._string
            self._string = b""
            words = [word for word in _WORD.findall(outside) if not _NO_WORDS.fullmatch(word)]
            if words:
                self.values += b" ".join(words) + b"\n"

    def take(self, text_bytes: int) -> bytes:
        """The bytes that say so much more of the text."""
        return b"".join(piece.raw for piece in self._taken(text_bytes))

    def replace(self, text_bytes: int, notice: str) -> bytes:
        """The bytes that say so much more of the text, with the notice for what strings hold."""
        raw: list[bytes] = []
        said = json.dumps(notice, ensure_ascii=False)[1:-1].encode()
        is_first = True
        for piece in self._taken(text_bytes):
            if not piece.is_in_string:
                raw.append(_WORD.sub(b"0", piece.raw))  # what was JSON is JSON still
            elif is_first:
                raw.append(said)
                is_first = False
        return b"".join(raw)

    def _taken(self, text_bytes: int) -> list[_Piece]:
        taken: list[_Piece] = []
        while text_bytes and self._pieces:
            piece = self._pieces[0]
            if piece.text_bytes <= text_bytes:
                self._pieces.popleft()
            elif piece.is_run:
                head = piece.raw[:text_bytes]
                piece.raw = piece.raw[text_bytes:]
                piece.text_bytes -= text_bytes
                piece = _Piece(head, text_bytes, piece.is_in_string, True)
            else:
                break  # an escape goes out whole, with its last byte
            text_bytes -= piece.text_bytes
            taken.append(piece)
        return taken


def _escape(data: bytes, at: int) -> tuple[bytes, bytes] | None:
    """The escape that begins there, and what it says; None if more of it is to come."""
    kind = data[at + 1 : at + 2]
    if not kind:
        return None
    if kind != b"u":
        if kind >= b"\x80":  # no escape; the character is read for itself
            return b"\\", b"\\"
        return data[at : at + 2], _SHORT_ESCAPES.get(kind, kind)
    raw = data[at : at + 6]
    code = _hex(raw)
    if code is None:
        return (raw[:2], b"u") if len(raw) == 6 or not _may_be_hex(raw[2:]) else None
    if 0xD800 <= code < 0xDC00:  # the first half of a pair
        second = data[at + 6 : at + 12]
        if len(second) < 6 and b"\\u".startswith(second[:2]) and _may_be_hex(second[2:]):
            return None
        low = _hex(second)
        if low is not None and 0xDC00 <= low < 0xE000:
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            return raw + second, chr(code).encode()
    return raw, chr(code).encode() if not 0xD800 <= code < 0xE000 else "\ufffd".encode()


def _hex(raw: bytes) -> int | None:
    found = re.fullmatch(rb"\\u([0-9a-fA-F]{4})", raw)
    return int(found[1], 16) if found else None


def _may_be_hex(digits: bytes) -> bool:
    return re.fullmatch(rb"[0-9a-fA-F]{0,4}", digits) is not None
