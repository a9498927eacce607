"""One choice of a response: the channels of its texts, their tokens, and the verdict on them."""

from typing import Any, Final, Literal

from dedup.policy import Verdict
from dedup.serve.annotation import strongest
from dedup.serve.channel import Channel, TokenQueue
from dedup.serve.failure import Failure
from dedup.serve.fields import Path, is_arguments, labels
from dedup.serve.gate import Screening
from dedup.serve.logprobs import joined, split
from dedup.serve.row import Labels, Row
from dedup.serve.unknown import Unknown

__all__ = ["Api", "Choice"]

Api = Literal["chat", "completions"]

# Texts that tokens in ``logprobs.content`` may be of.
_SPOKEN: Final = ("content", "reasoning", "reasoning_content")


class Choice:
    """What is known of a choice.

    Attributes
    ----------
    channels : dict
        Of its texts, by where they stand.
    unknown : Unknown
        Reads the rest of its strings.
    pieces : int
        How many of its texts came.
    has_role : bool
        Whether its role was said.
    is_done, is_ended : bool
        Whether nothing more of it goes out, or comes in.
    verdict : Verdict or None
        Set by ``judge``.
    """

    def __init__(self, api: Api, index: int, screening: Screening) -> None:
        self._api = api
        self._screening = screening
        self._row = Row(screening)
        self._labels = Labels(screening)
        self._tokens: dict[Path, TokenQueue] = {}
        self.index = index
        self.channels: dict[Path, Channel] = {}
        self.unknown = Unknown(screening)
        self.pieces = 0
        self.has_role = False
        self.is_done = False
        self.is_ended = False
        self.verdict: Verdict | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether it was judged to be."""
        return self.verdict is not None and self.verdict.action == "block"

    @property
    def is_over(self) -> bool:
        """Whether one of its texts was blocked, or all of them in a row."""
        is_over = self._row.is_over or self._labels.is_over
        return is_over or any(channel.is_over for channel in self._read)

    @property
    def out_bytes(self) -> int:
        """How much of its texts went out."""
        return sum(channel.decided for channel in self.channels.values())

    def channel(self, path: Path) -> Channel:
        """The channel of the text that stands there."""
        channel = self.channels.get(path)
        if channel is None:
            kind: Literal["text", "arguments"] = "arguments" if is_arguments(path) else "text"
            channel = self.channels[path] = self._screening.channel(kind)
        return channel

    async def feed(self, path: Path, piece: str) -> str:
        """Take a piece of one of its texts; what may go out.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        channel = self.channel(path)
        said = len(channel.spoken)
        released = await self._screening.feed(channel, piece)
        await self._row.add(path, channel.spoken[said:].decode())
        self.pieces += 1
        return released

    async def read_labels(self, given: Any) -> None:
        """Read what labels the parts of a chunk, in case it is a text word by word.

        Raises
        ------
        Failure
            If it could not be checked.
        """
        for key, text in labels(given):
            await self._labels.add(key, text)

    @property
    def text(self) -> str:
        """All that it said in a stream, in a row."""
        return self._row.text

    async def judge(self, beside: Verdict | None = None) -> Verdict:
        """The verdict: on each of its texts, on all in a row and on its labels.

        `beside` is one on what it said together with the other choices.

        Raises
        ------
        Failure
            If it could not be checked, and must not pass then.
        """
        for channel in self._read:
            await self._screening.flush(channel)
        verdicts = [channel.verdict for channel in self._read if channel.verdict]
        together = (await self._row.judge(), await self._labels.judge(), beside)
        verdicts += [one for one in together if one is not None and one.action == "block"]
        verdict = strongest(verdicts) or await self._screening.check("")
        if verdict.error and verdict.action == "block":
            raise Failure(500, "filter_error", "the filter failed")
        self.verdict, self.is_done = verdict, True
        return verdict

    @property
    def _read(self) -> list[Channel]:
        return [*self.channels.values(), *self.unknown.channels]

    # ---- log-probabilities

    def queue(self, logprobs: Any, root: str, last: Path | None = None) -> None:
        """Let tokens wait for their text: a refusal, or what was said last, below `root`."""
        if not isinstance(logprobs, dict):
            return
        for name, tokens in split(logprobs).items():
            path: Path = (root, "refusal" if name == "refusal" else "content")
            if self._api == "completions":
                path = ("text",)
            elif name == "content" and last is not None and last[-1] in _SPOKEN:
                path = last
            queue = self._tokens.get(path)
            if queue is None:
                queue = self._tokens[path] = TokenQueue(self.channel(path))
            queue.add(tokens)

    def put_logprobs(self, given: dict[str, Any]) -> None:
        """Put in what is known of tokens whose text is out by now."""
        for path, queue in self._tokens.items():
            if entries := queue.take():
                name = "text" if self._api == "completions" else "content"
                name = "refusal" if path[-1] == "refusal" else name
                given["logprobs"] = joined(given.get("logprobs"), name, entries)
