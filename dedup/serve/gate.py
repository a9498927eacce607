"""The filter of a worker process: opened, reloaded, asked without holding up the event loop.

While the index cannot be opened the gate is shut: whoever asks for a filter is refused, as an empty
index would pass for a clean text. A reload changes what new requests are filtered with; those in
flight keep what they began with.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from dedup.errors import DedupError
from dedup.filter import Filter, Screen
from dedup.index import Index
from dedup.key import Key
from dedup.policy import Policy, Verdict
from dedup.serve.channel import ArgumentsChannel, Channel, Waiting
from dedup.serve.failure import Failure
from dedup.serve.settings import Settings
from dedup.stream import Ledger

__all__ = ["Gate", "Screening"]

_T = TypeVar("_T")

# Texts up to this length are searched in well under a millisecond.
_SHORT: Final = 4096


@dataclass(slots=True)
class _Opened:
    filter: Filter
    indexes: list[Index]


class Gate:
    """What a worker filters with; made shut, see ``open``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: _Opened | None = None
        self._threads = ThreadPoolExecutor(settings.threads, "dedup-check")
        self._reloading = asyncio.Lock()
        self.problem = "the index has not been opened yet"

    # ---- what it filters with

    @property
    def is_open(self) -> bool:
        """Whether there is an index to filter with."""
        return self._opened is not None

    @property
    def generation(self) -> int | None:
        """Of the index in use."""
        return self._opened.filter.index.generation if self._opened else None

    async def open(self) -> bool:
        """Open the index if it is not; ``problem`` says why it could not be."""
        return bool((await self.reload())["ok"])

    async def reload(self) -> dict[str, Any]:
        """Take up the newest generation, and the policy as it is now; what fails changes nothing.

        Returns whether all went well, the generation in use, whether it is another one, and what
        went wrong, which may name files.
        """
        async with self._reloading:
            before = self.generation
            problem = ""
            try:
                self._opened = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._renewed, self._opened
                )
            except (DedupError, OSError, ValueError, MemoryError) as error:
                problem = f"{type(error).__name__}: {error}"
            self.problem = problem
            return {
                "ok": not problem,
                "generation": self.generation,
                "changed": self.generation != before,
                **({"problem": problem} if problem else {}),
            }

    def _renewed(self, opened: _Opened | None) -> _Opened:
        settings = self.settings
        policy = Policy.load(settings.policy)
        policy = replace(policy, on_error="allow" if settings.fail_open else "block")
        if opened is None:
            indexes: list[Index] = []
            try:
                for path in (settings.index, *settings.background):
                    indexes.append(Index.open(path, key=_keys(settings.keys)))
            except BaseException:
                for index in indexes:
                    index.close()
                raise
        else:
            indexes = opened.indexes
            for index in indexes:
                index.reload()
        return _Opened(Filter(indexes[0], policy, background=indexes[1:]), indexes)

    def close(self) -> None:
        """Give up threads and helper processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for index in self._opened.indexes if self._opened else ():
            index.close()

    # ---- asking it

    async def screening(self, prompt: str | None) -> "Screening":
        """What filters the texts of one response to a prompt.

        Raises
        ------
        Failure
            If the gate is shut.
        """
        opened = self._opened
        if opened is None:
            raise Failure(503, "filter_not_ready", "the filter is not ready", {"Retry-After": "5"})
        screen = await self.run(opened.filter.screen, prompt, is_slow=len(prompt or "") > _SHORT)
        return Screening(self, screen, self.settings.max_leak_tokens)

    async def run(self, work: Callable[..., _T], *arguments: Any, is_slow: bool) -> _T:
        """Do it here, or, if it takes long, in a thread, so that others go on meanwhile.

        Raises
        ------
        Failure
            If it takes longer than a check may, or fails as it never should.
        """
        try:
            if not is_slow:
                return work(*arguments)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self.settings.check_timeout_s):
                return await loop.run_in_executor(self._threads, work, *arguments)
        except TimeoutError:
            raise Failure(504, "filter_timeout", "the filter took too long") from None
        except Exception:  # whatever it is: what was not checked is not sent
            raise Failure(500, "filter_error", "the filter failed") from None


class Screening:
    """Makes the channels of one response; all see one generation of the index and one prompt.

    What one document is copied in adds up over all of them.
    """

    def __init__(self, gate: Gate, screen: Screen, max_leak_tokens: int) -> None:
        self._gate = gate
        self._screen = screen
        self._max_leak_tokens = max_leak_tokens
        self.begin(is_whole=False)

    def begin(self, *, is_whole: bool) -> None:
        """Begin with another response; `is_whole` if its texts come whole.

        Then nothing goes out of them before they are judged, by ``settle``.
        """
        self._is_whole = is_whole
        self._ledger = Ledger()
        self._waiting: list[tuple[Waiting, Channel]] = []

    @property
    def is_failed(self) -> bool:
        """Whether nothing can be checked, so that all is refused, or passes if it may."""
        return self._screen.is_failed

    def channel(self, kind: Literal["text", "arguments"] = "text") -> Channel:
        """A new text of the response."""
        made = ArgumentsChannel if kind == "arguments" else Channel
        if not self._is_whole:
            leak, ledger = self._max_leak_tokens, self._ledger
            return made(self._screen.stream(max_leak_tokens=leak, ledger=ledger))
        waiting = Waiting()
        channel = made(waiting)
        self._waiting.append((waiting, channel))
        return channel

    async def settle(self) -> None:
        """Judge the texts of a response that came whole, together and in the order they came in.

        Where texts are arguments of tool calls what these say is read in a row, too, but for the
        keys: a passage of which each call has a word.

        Raises
        ------
        Failure
            If they could not be checked.
        """
        for _, channel in self._waiting:
            channel.close()
        verdicts = await self.check_all([waiting.text for waiting, _ in self._waiting])
        if any(isinstance(channel, ArgumentsChannel) for _, channel in self._waiting):
            spoken = [channel.spoken.decode() for _, channel in self._waiting]
            for at, verdict in enumerate(await self.check_all(spoken)):
                if verdict.action == "block" and verdicts[at].action != "block":
                    verdicts[at] = verdict
        for (waiting, _), verdict in zip(self._waiting, verdicts, strict=True):
            waiting.verdict = verdict

    async def check_all(self, texts: Sequence[str]) -> list[Verdict]:
        """The verdicts on the texts of one response."""
        is_slow = sum(map(len, texts)) > _SHORT or self._screen.has_code
        return await self._gate.run(self._screen.check_all, texts, is_slow=is_slow)

    def shadow(self) -> Channel:
        """A channel for what goes out anyway unless it holds it: it is never late."""
        return Channel(self._screen.stream())

    async def feed(self, channel: Channel, piece: str) -> str:
        """``channel.feed``."""
        if not channel.is_slow(piece):
            return await self._gate.run(channel.feed, piece, is_slow=False)
        return await self._gate.run(channel.feed, piece, is_slow=True)

    async def flush(self, channel: Channel) -> str:
        """``channel.flush``."""
        return await self._gate.run(
            channel.flush, is_slow=len(channel.source) > _SHORT or self._screen.has_code
        )

    async def check(self, text: str) -> Verdict:
        """The verdict on a whole text."""
        is_slow = len(text) > _SHORT or self._screen.has_code
        return await self._gate.run(self._screen.check, text, is_slow=is_slow)


def _keys(paths: tuple[Path, ...] | None) -> list[Key] | Literal["default"] | None:
    if paths is None:
        return None
    return [Key.load(path) for path in paths] if paths else "default"
