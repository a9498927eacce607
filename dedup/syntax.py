"""Source code as the tokens of its syntax tree, for the `ast` view.

Takes the bytes of a text and the name of its language, gives a Tree: the nodes of the tree-sitter
parse in pre-order, with identifiers and literals reduced to their class and everything gone that a
formatter or a minifier changes freely (comments, docstrings, parentheses, braces, separators,
quotes, Python's annotations). What each grammar calls these things is `dedup.grammars`.

The parse runs in a helper process (`dedup.parse_worker`), since 20 kB of hostile text can cost a
grammar seconds and gigabytes, and running out of memory there is a segmentation fault: here it is
a killed helper, a count, and no Tree. Whoever asks for one must be able to do without it.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup import parse_worker as worker
from dedup.grammars import LANGUAGES, Grammar

__all__ = [
    "CLASS_NAMES",
    "LANGUAGES",
    "MIN_UNIT_NODES",
    "Syntax",
    "Tree",
    "Unit",
    "languages",
]

CLASS_NAMES = ("FIXED", "NAME", "MEMBER", "LABEL", "STRING", "NUMBER")

# Below this a function has too little shape of its own to be told from others.
MIN_UNIT_NODES = 30

# Most files are one parse. So much ordinary code takes 10 to 15 ms and a table of literals 30,
# which leaves room for a busy machine.
_PIECE_BYTES = 64 << 10
_MAX_TEXT_BYTES = 64 << 20
_MAX_REPLY_BYTES = 64 << 20
_START_S = 10.0  # to import tree-sitter and one grammar on a busy machine; 50 ms on an idle one
_EXIT_S = 2.0
_SOFT_SHARE = 0.7  # of the time allowed, after which the helper is to give up by itself
_MIN_PARSE_S = 0.002
# Source code takes a step for 45 to 250 bytes, at 4,000 to 50,000 steps a second.
_STEP_BYTES = 8
_FREE_STEPS = 4096
_ANY_STEPS = 0xFFFFFFFF
# A text that failed this often is hostile or no code: the rest of it is not worth the restarts.
_MAX_FAILED_PIECES = 3

_BREAKER_FAILURES = 3
_BREAKER_WITHIN_S = 60.0
_BREAKER_OPEN_S = 30.0

_REASONS = (
    "parsed",
    "timeout",
    "memory",
    "crash",
    "too_long",
    "no_grammar",
    "breaker",
    "budget",
    "helper",
    "steps",
)
# Operators are kept, save those that their node implies or that are accessors.
_OPERATOR_CHARACTERS = "+-*/%<>=!&|^~?@"
_NO_OPERATORS = frozenset(("=", "->", "=>"))

# Where to cut a long text, best first: before a line at the margin that follows a blank one, before
# any line at the margin, at a blank line, at any line, after a statement of a minified one.
_CUTS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\n[ \t\r]*\n(?=[^\s)\]}])",
        rb"\n(?=[^\s)\]}])",
        rb"\n[ \t\r]*\n",
        rb"\n",
        rb"[;}]",
        rb"[\x00-\x7f](?=[\x00-\x7f\xc0-\xff])",
    )
)

# A helper that dies by one of these was killed from outside, which says nothing of the text.
_OUTSIDE_SIGNALS = frozenset((-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP))

_TYPE_ARGUMENTS = re.compile(r"<[^<>]*>|(?<=.)\[[^\[\]]*\]")
_QUALIFIERS = re.compile(r"::|->|:|\\")
_NOT_OF_A_NAME = re.compile(r"[\s*&$'\"]+")

_UNIT_KINDS = {worker.FUNCTION: "function", worker.METHOD: "method", worker.CLASS: "class"}
_MAX_NAME_BYTES = 400


@dataclass(frozen=True, slots=True)
class Unit:
    """One function, method or class of a Tree.

    Attributes
    ----------
    name : str
        With the names of the units around it, ``Heap.push``; empty if it has none.
    kind : str
        ``function``, ``method`` or ``class``.
    start, end : int
        Its bytes of the text.
    first_line, last_line : int
        From 1, both inclusive.
    first_token, tokens : int
        Its range in the arrays of the Tree.
    """

    name: str
    kind: str
    start: int
    end: int
    first_line: int
    last_line: int
    first_token: int
    tokens: int


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The tokens of a text's syntax tree in pre-order, and its units in order of start.

    Attributes
    ----------
    classes : uint8 array, shape (n,)
        0 a node or operator kept as itself; 1 an identifier; 2 one that follows an accessor or
        names a member, so that no renaming of a local changes it; 3 the name of an argument or the
        key of a literal; 4 a string, character or regular expression; 5 a number.
    symbols : uint64 array, shape (n,)
        xxh3_64 of the name of the node's kind, or of the name of its class where that is not 0.
    starts, ends : uint32 arrays, shape (n,)
        Bytes of the text. Never decreasing, never overlapping: a node with children has an empty
        span, its leaves have their bytes.
    units : tuple of Unit
        Those of at least ``MIN_UNIT_NODES`` tokens.
    """

    language: str
    classes: NDArray[np.uint8]
    symbols: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    ends: NDArray[np.uint32]
    units: tuple[Unit, ...]


class Syntax:
    """Parses code in a helper process, within limits of time, memory and size.

    The helper starts with the first parse and again after each that it did not survive. Threads
    may share one Syntax and take turns; after a fork the child starts its own helper.

    Parameters
    ----------
    timeout_s : float
        For one parse. The start of a helper is not counted.
    memory_bytes : int
        Address space of the helper, of which it takes 65 MB with every grammar loaded.
    piece_bytes : int
        The longest text that is one parse.
    breaks : bool
        Refuse a language for a while after failures in a row.
    step_bytes : int
        A parse may take a step for so many bytes, and a few thousand more; 0 for any number. Unlike
        time it is the same on every machine, however busy.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 0.25,
        memory_bytes: int = 512 << 20,
        piece_bytes: int = _PIECE_BYTES,
        breaks: bool = True,
        step_bytes: int = 0,
    ) -> None:
        if not timeout_s > 0:
            raise ValueError(f"timeout_s must be positive, got {timeout_s}")
        if memory_bytes < 64 << 20:
            raise ValueError(
                f"memory_bytes must be at least 64 MB for the helper to start, got {memory_bytes}"
            )
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._helper: _Helper | None = None
        self._piece_bytes = piece_bytes
        self._breaker = _Breaker() if breaks else None
        self._step_bytes = step_bytes
        self._counts = dict.fromkeys(_REASONS, 0)
        _syntaxes.add(self)

    @classmethod
    def offline(cls) -> "Syntax":
        """For documents to index: whole files, and what comes of one hangs on no other, nor on
        how busy the machine is.
        """
        return cls(timeout_s=60.0, piece_bytes=1 << 20, breaks=False, step_bytes=_STEP_BYTES)

    def parse(self, text: bytes, language: str, *, budget_s: float | None = None) -> Tree | None:
        """The tree of a text, or None if it could not be had; `counts` says why.

        A text longer than ``piece_bytes`` is parsed in pieces, cut between top-level definitions
        where there are any. Pieces that fail are left out, and after three the rest is.

        Parameters
        ----------
        text : bytes
            UTF-8, whole or cut anywhere; anything else is parsed as far as it goes.
        language : str
            A key of ``LANGUAGES``.
        budget_s : float, optional
            For the whole call, waiting for other threads included; the pieces not parsed when it
            is spent are left out.
        """
        end = None if budget_s is None else time.monotonic() + budget_s
        if language not in LANGUAGES:
            self._count("no_grammar")
            return None
        if len(text) > _MAX_TEXT_BYTES:
            self._count("too_long")
            return None
        if self._breaker and self._breaker.is_open(language):
            self._count("breaker")
            return None
        parts: list[_Part] = []
        reasons: list[str] = []
        for start, stop in _pieces(text, self._piece_bytes):
            try:
                reply, grammar = self._ask_helper(text[start:stop], language, end)
                parts.append(_Part.read(reply, grammar, start, stop - start))
            except ValueError:  # a reply that cannot be right, so the next one may not be either
                self.close()
                reasons.append("crash")
            except _Refused as refused:
                reasons.append(str(refused))
            if reasons:
                is_final = reasons[-1] in ("budget", "no_grammar", "helper")
                if is_final or len(reasons) == _MAX_FAILED_PIECES:
                    break
        with self._lock:
            for reason in reasons:
                self._counts[reason] += 1
            self._counts["parsed"] += bool(parts)
        if self._breaker and {"timeout", "memory", "crash"}.intersection(reasons):
            self._breaker.failed(language)
        elif self._breaker and parts:
            self._breaker.passed(language)
        return _joined(text, language, parts) if parts else None

    @property
    def counts(self) -> dict[str, int]:
        """How many texts were parsed, and how often each reason kept one, or a piece, from it."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """End the helper. A later parse starts a new one."""
        with self._lock:
            if self._helper is not None:
                self._helper.stop()
                self._helper = None

    def __enter__(self) -> "Syntax":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _count(self, reason: str) -> None:
        with self._lock:
            self._counts[reason] += 1

    def _ask_helper(
        self, piece: bytes, language: str, end: float | None
    ) -> "tuple[bytes, _Grammar]":
        """The helper's reply, from the same helper again if something outside killed it."""
        patience_s = -1.0 if end is None else max(0.0, end - time.monotonic())
        if not self._lock.acquire(timeout=patience_s):
            raise _Refused("budget")
        try:
            allowed_s = self._timeout_s
            if end is not None:
                allowed_s = min(allowed_s, end - time.monotonic())
            if allowed_s < _MIN_PARSE_S:
                raise _Refused("budget")
            reason = "killed"
            for _ in range(2):
                if reason not in ("killed", "memory"):
                    break
                # What a helper has parsed before it may leave too little memory for the next.
                is_used = self._helper is not None and self._helper.is_usable()
                try:
                    return self._ask_once(piece, language, allowed_s)
                except _Refused as refused:
                    reason = str(refused)
                if reason == "memory" and not is_used:
                    break
            if reason == "timeout" and allowed_s < self._timeout_s:
                reason = "budget"
            raise _Refused("crash" if reason == "killed" else reason)
        except OSError:  # no more processes or descriptors
            raise _Refused("helper") from None
        finally:
            self._lock.release()

    def _steps_for(self, piece: bytes) -> int:
        if not self._step_bytes:
            return _ANY_STEPS
        return _FREE_STEPS + len(piece) // self._step_bytes

    def _ask_once(self, piece: bytes, language: str, allowed_s: float) -> "tuple[bytes, _Grammar]":
        helper = self._helper
        if helper is None or not helper.is_usable():
            helper = self._helper = _Helper(self._memory_bytes)
        try:
            grammar = helper.load(language)
            return helper.parse(grammar, piece, allowed_s, self._steps_for(piece)), grammar
        except _Refused:
            raise
        except BaseException:
            # The answer to this request must not be taken for that to the next.
            helper.stop()
            raise


def languages() -> tuple[str, ...]:
    """Names of the languages whose grammar is installed here, in the order of ``LANGUAGES``."""
    if find_spec("tree_sitter") is None:
        return ()
    return tuple(
        name for name, grammar in LANGUAGES.items() if find_spec(grammar.module) is not None
    )


class _Refused(Exception):
    """The helper gave no tokens; the message is one of the reasons."""


class _Breaker:
    """Refuses a language for a while after failures in a row."""

    def __init__(self) -> None:
        self._failures: dict[str, list[float]] = {}
        self._open_until: dict[str, float] = {}

    def is_open(self, language: str) -> bool:
        return time.monotonic() < self._open_until.get(language, 0.0)

    def passed(self, language: str) -> None:
        self._failures.pop(language, None)

    def failed(self, language: str) -> None:
        now = time.monotonic()
        recent = [at for at in self._failures.get(language, ()) if now - at < _BREAKER_WITHIN_S]
        recent.append(now)
        if len(recent) >= _BREAKER_FAILURES:
            self._open_until[language] = now + _BREAKER_OPEN_S
            recent = []
        self._failures[language] = recent


@dataclass(frozen=True, slots=True, eq=False)
class _Grammar:
    """A grammar in a helper: its slot there, and class and symbol by code."""

    slot: int
    classes: NDArray[np.uint8]
    symbols: NDArray[np.uint64]


class _Helper:
    """The process and the one socket to it."""

    def __init__(self, memory_bytes: int) -> None:
        ours, theirs = socket.socketpair()
        try:
            # -I and -S: nothing of the environment or of site-packages runs at its start, and the
            # folder of the script is not searched. It gets our import path with the first grammar.
            # What is preloaded here (an allocator, a sanitizer) does not know of its limits.
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-ISB", worker.__file__, str(memory_bytes)],
                env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._memory_bytes = memory_bytes
        self._process = process
        self._socket = ours
        self._owner = os.getpid()
        self._grammars: dict[str, _Grammar] = {}
        self._end = weakref.finalize(self, _end, process, ours, self._owner)

    def is_usable(self) -> bool:
        """False once it was stopped, died, or belongs to the process that forked this one."""
        return self._end.alive and self._owner == os.getpid() and self._process.poll() is None

    def stop(self) -> None:
        self._end()

    def load(self, language: str) -> _Grammar:
        known = self._grammars.get(language)
        if known is not None:
            return known
        grammar = LANGUAGES[language]
        slot = len(self._grammars)
        description = {
            **_description(grammar),
            "path": [str(entry) for entry in sys.path if entry],
        }
        reply = self._ask(worker.LOAD, slot, json.dumps(description).encode(), _START_S)
        loaded = _grammar(slot, json.loads(reply), grammar)
        self._grammars[language] = loaded
        return loaded

    def parse(self, grammar: _Grammar, piece: bytes, allowed_s: float, steps: int) -> bytes:
        return self._ask(worker.PARSE, grammar.slot, piece, allowed_s, steps)

    def _ask(
        self, operation: int, slot: int, body: bytes, allowed_s: float, steps: int = _ANY_STEPS
    ) -> bytes:
        end = time.monotonic() + allowed_s
        head = worker.REQUEST.pack(operation, slot, 0, allowed_s * _SOFT_SHARE, steps, len(body))
        try:
            self._socket.settimeout(allowed_s)
            self._socket.sendall(head + body)
            status, reply = self._receive(end)
        except TimeoutError:
            self.stop()
            raise _Refused("timeout") from None
        except OSError:
            raise _Refused(self._cause_of_death()) from None
        except _Refused:
            self.stop()
            raise
        if status == worker.OK:
            return reply
        reasons = {
            worker.LATE: "timeout",
            worker.MEMORY: "memory",
            worker.NO_GRAMMAR: "no_grammar",
            worker.TOO_HARD: "steps",
        }
        if status == worker.MEMORY:
            self.stop()  # what it holds after that is nobody's guess
        raise _Refused(reasons.get(status, "crash"))

    def _receive(self, end: float) -> tuple[int, bytes]:
        data = bytearray()
        status, size = -1, worker.REPLY.size
        while len(data) < size:
            self._socket.settimeout(max(1e-4, end - time.monotonic()))
            part = self._socket.recv(1 << 18)
            if not part:
                raise ConnectionResetError
            data += part
            if status < 0 and len(data) >= worker.REPLY.size:
                status, body_size = worker.REPLY.unpack_from(data)
                if body_size > _MAX_REPLY_BYTES:
                    raise _Refused("crash")
                size += body_size
        return status, bytes(data[worker.REPLY.size :])

    def _cause_of_death(self) -> str:
        """Why the helper closed its end, once it is gone."""
        process = self._process
        peak_bytes = 0
        end = time.monotonic() + _EXIT_S
        try:
            while time.monotonic() < end and process.returncode is None:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
                    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                else:
                    time.sleep(0.0005)
        except ChildProcessError:  # someone else waited for it
            pass
        self.stop()
        if process.returncode in _OUTSIDE_SIGNALS:
            return "killed"
        if process.returncode == -signal.SIGALRM:
            return "timeout"
        # The parser does not check whether an allocation succeeded, so what runs out of memory dies
        # by SIGSEGV; an array that could not be doubled may have been most of it. The peak can be
        # that of this process, which the helper began as: it tells nothing by itself.
        return "memory" if peak_bytes > self._memory_bytes // 4 else "crash"


def _end(process: "subprocess.Popen[bytes]", ours: socket.socket, owner: int) -> None:
    ours.close()
    if os.getpid() != owner:
        process.returncode = 0  # not a child of this process, which has nothing to wait for
        return
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_EXIT_S)


def _pieces(text: bytes, most_bytes: int) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > most_bytes:
        stop = _cut(text, start + most_bytes // 2, start + most_bytes)
        yield start, stop
        start = stop
    yield start, len(text)


def _cut(text: bytes, low: int, high: int) -> int:
    """The last of the best places in the range to cut a text."""
    for pattern in _CUTS:
        places = [found.end() for found in pattern.finditer(text, low, high)]
        if places:
            return places[-1]
    return high


def _description(grammar: Grammar) -> dict[str, Any]:
    """What the helper needs to know of a grammar."""
    named: dict[str, int] = {}
    for kinds, action in (
        (grammar.all_dropped, worker.DROP),
        (grammar.all_wrappers, worker.PASS),
        (grammar.names.split(), worker.NAME),
        (grammar.members.split(), worker.MEMBER),
        (grammar.labels.split(), worker.LABEL),
        (grammar.strings.split(), worker.STRING),
        (grammar.numbers.split(), worker.NUMBER),
        (grammar.templates.split(), worker.TEMPLATE),
        (grammar.interpolations.split(), worker.INTERPOLATION),
        (grammar.accessors.split(), worker.ACCESSOR),
        (grammar.labelled.split(), worker.LABELLED),
        (grammar.labelled_nodes.split(), worker.LABELLED_NODE),
        (grammar.statement.split(), worker.STATEMENT),
        (grammar.functions.split(), worker.FUNCTION),
        (grammar.methods.split(), worker.METHOD),
        (grammar.classes.split(), worker.CLASS),
    ):
        named.update(dict.fromkeys(kinds, action))
    anonymous = dict.fromkeys(_NO_OPERATORS, worker.DROP)
    anonymous.update(dict.fromkeys(grammar.accessors.split(), worker.ACCESSOR))
    anonymous.update(dict.fromkeys(grammar.separators.split(), worker.SEPARATOR))
    anonymous.update(dict.fromkeys(grammar.kept.split(), worker.TOKEN))
    return {
        "module": grammar.module,
        "function": grammar.function,
        "named": named,
        "anonymous": anonymous,
        "operators": _OPERATOR_CHARACTERS,
        "namers": grammar.namers.split(),
        "inner_names": grammar.inner_names.split(),
    }


def _grammar(slot: int, kinds: list[str], grammar: Grammar) -> _Grammar:
    names = [grammar.same.get(kind, kind) for kind in kinds] + list(CLASS_NAMES)
    classes = [0] * len(kinds) + list(range(len(CLASS_NAMES)))
    symbols = [xxhash.xxh3_64_intdigest(name.encode()) for name in names]
    return _Grammar(slot, np.array(classes, np.uint8), np.array(symbols, np.uint64))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The tokens of one piece; all offsets are of the whole text."""

    classes: NDArray[np.uint8]
    symbols: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    ends: NDArray[np.uint32]
    units: NDArray[np.int64]  # shape (units, worker.UNIT_FIELDS)

    @classmethod
    def read(cls, reply: bytes, grammar: _Grammar, base: int, size: int) -> "_Part":
        """Parse the reply for a piece of `size` bytes, which is trusted no more than the piece.

        Raises
        ------
        ValueError
            If it cannot be right.
        """
        at = worker.SIZES.size
        tokens, units = worker.SIZES.unpack_from(reply.ljust(at, b"\0"))
        if len(reply) != at + tokens * (2 + 4 + 4) + units * worker.UNIT_FIELDS * 4:
            raise ValueError(f"{len(reply)} bytes for {tokens} tokens and {units} units")
        codes = np.frombuffer(reply, "<u2", tokens, at)
        at += 2 * tokens
        starts = np.frombuffer(reply, "<u4", tokens, at)
        at += 4 * tokens
        ends = np.frombuffer(reply, "<u4", tokens, at)
        at += 4 * tokens
        fields = np.frombuffer(reply, "<u4", units * worker.UNIT_FIELDS, at)
        if tokens and codes.max() >= len(grammar.classes):
            raise ValueError(f"code {codes.max()} where {len(grammar.classes)} are known")
        # An error in a literal can leave tokens within it, which keep their place in the order.
        starts = np.maximum.accumulate(np.minimum(starts, size))
        ends = np.minimum(ends, size)
        np.minimum(ends[:-1], starts[1:], out=ends[:-1])
        np.maximum(ends, starts, out=ends)
        rows = fields.reshape(units, worker.UNIT_FIELDS).astype(np.int64)
        return cls(
            classes=grammar.classes[codes],
            symbols=grammar.symbols[codes],
            starts=starts + np.uint32(base),
            ends=ends + np.uint32(base),
            units=rows + np.array([0, base, base, 0, base, base, base, base]),
        )


def _joined(text: bytes, language: str, parts: list[_Part]) -> Tree:
    whole = parts[0]
    if len(parts) > 1:
        firsts = np.cumsum([0] + [len(part.starts) for part in parts[:-1]])
        whole = _Part(
            classes=np.concatenate([part.classes for part in parts]),
            symbols=np.concatenate([part.symbols for part in parts]),
            starts=np.concatenate([part.starts for part in parts]),
            ends=np.concatenate([part.ends for part in parts]),
            units=np.concatenate(
                [
                    part.units + np.array([0, 0, 0, first, 0, 0, 0, 0])
                    for part, first in zip(parts, firsts, strict=True)
                ]
            ),
        )
    units = tuple(_units(text, whole.units, whole.starts))
    return Tree(language, whole.classes, whole.symbols, whole.starts, whole.ends, units)


def _units(text: bytes, rows: NDArray[np.int64], starts: NDArray[np.uint32]) -> Iterator[Unit]:
    if not len(rows):
        return
    newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    begins, ends = rows[:, 1], rows[:, 2]
    first_lines = np.searchsorted(newlines, begins) + 1
    last_lines = np.searchsorted(newlines, np.maximum(begins, ends - 1)) + 1
    tokens = np.searchsorted(starts, ends) - rows[:, 3]
    around: list[tuple[int, str, str]] = []  # end, name and kind of the units around this one
    for row, first_line, last_line, size in zip(
        rows.tolist(), first_lines.tolist(), last_lines.tolist(), tokens.tolist(), strict=True
    ):
        action, start, end, first_token, name_start, name_end, owner_start, owner_end = row
        while around and around[-1][0] <= start:
            around.pop()
        kind = _UNIT_KINDS.get(action, "function")
        raw = text[name_start : min(name_end, name_start + _MAX_NAME_BYTES)]
        own = _name(raw)
        owner = _name(text[owner_start : min(owner_end, owner_start + _MAX_NAME_BYTES)])
        if kind == "function" and ((around and around[-1][2] == "class") or b":" in raw):
            kind = "method"
        outer = around[-1][1] if around else ""
        name = ".".join(part for part in (outer, owner, own) if part) if own else ""
        name = name[-_MAX_NAME_BYTES:]  # ten thousand functions in one another have long names
        around.append((end, name or outer, kind))
        if size >= MIN_UNIT_NODES:
            yield Unit(name, kind, start, end, first_line, last_line, first_token, size)


def _name(raw: bytes) -> str:
    """A name without type arguments, pointers and quotes: ``Heap<T>::pop`` as Heap.pop."""
    name = raw.decode("utf-8", "replace")
    if "operator" not in name:
        shorter = _TYPE_ARGUMENTS.sub("", name)
        while shorter != name:
            name, shorter = shorter, _TYPE_ARGUMENTS.sub("", shorter)
    return _NOT_OF_A_NAME.sub("", _QUALIFIERS.sub(".", name)).strip(".")


_syntaxes: "weakref.WeakSet[Syntax]" = weakref.WeakSet()


def _unlock_after_fork() -> None:
    # The thread that held the lock does not exist in the child. The helper stays the parent's.
    for syntax in _syntaxes:
        syntax._lock = threading.Lock()


os.register_at_fork(after_in_child=_unlock_after_fork)
