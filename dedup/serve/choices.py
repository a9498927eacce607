"""Chat and legacy completions: a response of choices, each with texts, filtered whole or streamed.

A chunk of a stream goes in as JSON, chunks to be sent come out. Each choice has a channel for each
of its texts. What is held back comes with a later chunk, at the latest in one before the choice's
last, which has its ``finish_reason``. A choice that is blocked ends at once, with an empty last
chunk and ``content_filter``; the others go on.
"""

from typing import Any

from dedup.policy import Verdict
from dedup.serve.annotation import Annotator
from dedup.serve.channel import Channel
from dedup.serve.choice import Api, Choice
from dedup.serve.fields import EACH, Leaf, Path, is_known_text, leaves, place
from dedup.serve.gate import Screening
from dedup.serve.unknown import Unknown
from dedup.serve.wire import garbage

__all__ = ["Choices"]


class Choices:
    """Filters one response of the chat or the completions API.

    Parameters
    ----------
    api : {"chat", "completions"}
    screening : Screening
        Makes the filters.
    annotator : Annotator
    expected : int
        How many choices were asked for.
    max_choices : int
        More are not taken.
    begun : dict, optional
        The head of a stream that this response goes on with.
    """

    def __init__(
        self,
        api: Api,
        screening: Screening,
        annotator: Annotator,
        *,
        expected: int = 1,
        max_choices: int = 128,
        begun: dict[str, Any] | None = None,
    ) -> None:
        self._api = api
        self._screening = screening
        self._annotator = annotator
        self._expected = expected
        self._max_choices = max_choices
        self._choices: dict[int, Choice] = {}
        self._begun = begun
        self._head: dict[str, Any] = {}  # the last chunk, without its choices
        self._usage: Any = None
        self._beside = Unknown(screening)  # what stands beside the choices

    # ---- what became of it

    @property
    def verdicts(self) -> list[tuple[int, Verdict, list[bytes]]]:
        """Of each choice that has ended: its index, its verdict, its texts as they came."""
        return [
            (choice.index, choice.verdict, [bytes(c.source) for c in choice.channels.values()])
            for choice in self._choices.values()
            if choice.verdict is not None
        ]

    @property
    def is_over(self) -> bool:
        """Whether nothing of what the upstream would still generate can go out."""
        choices = self._choices.values()
        return (
            len(choices) >= self._expected
            and all(choice.is_done for choice in choices)
            and any(not choice.is_ended for choice in choices)
        )

    @property
    def is_complete(self) -> bool:
        """Whether every choice has ended."""
        return bool(self._choices) and all(choice.is_done for choice in self._choices.values())

    @property
    def is_blocked(self) -> bool:
        """Whether every choice was blocked."""
        return bool(self._choices) and all(choice.is_blocked for choice in self._choices.values())

    @property
    def head(self) -> dict[str, Any]:
        """What stood beside the choices of the last chunk."""
        return self._head

    @property
    def out_bytes(self) -> int:
        """How much text went out."""
        return sum(choice.out_bytes for choice in self._choices.values())

    # ---- a stream

    async def chunk(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        """What may be sent once this chunk has come."""
        choices = chunk.get("choices")
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        if not isinstance(choices, list):
            raise garbage("a chunk without choices")
        self._head = {key: value for key, value in chunk.items() if key != "choices"}
        if self._begun is not None:
            self._head |= {key: self._begun[key] for key in ("id", "created") if key in self._begun}
        await self._clean(self._head)
        if not choices:
            return [self._head | {"choices": []}]
        out: list[dict[str, Any]] = []
        is_late = True
        for given in choices:
            if not isinstance(given, dict):
                raise garbage("a choice that is none")
            choice = self._choice(given.get("index", 0))
            is_late = is_late and choice.is_done
            if given.get("finish_reason"):
                choice.is_ended = True
            if not choice.is_done:
                out += [self._chunk(sent) for sent in await self._advance(choice, given)]
        # The last chunk of a choice that was blocked may have told the usage of all.
        return [self._head | {"choices": []}] if is_late and chunk.get("usage") else out

    async def finish(self) -> list[dict[str, Any]]:
        """What is still to be sent of choices that never were given a ``finish_reason``."""
        out: list[dict[str, Any]] = []
        for choice in self._choices.values():
            if not choice.is_done:
                final = {"index": choice.index, **self._empty(), "finish_reason": None}
                sent = await self._end(choice, final)
                out += [self._chunk(one) for one in sent if _says_something(one)]
        return out

    def usage(self, prompt_bytes: int) -> dict[str, Any]:
        """A chunk that tells usage in place of an upstream that was cut off.

        Counts what came: a chunk is a token with the servers known, four bytes are one of a prompt.
        """
        usage = self._usage
        if not usage:
            given = max(1, prompt_bytes // 4)
            made = sum(choice.pieces for choice in self._choices.values())
            usage = {
                "prompt_tokens": given,
                "completion_tokens": made,
                "total_tokens": given + made,
                "dedup": {"estimated": True},
            }
        return self._head | {"choices": [], "usage": usage}

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {**self._head, "choices": [choice]}

    def _choice(self, index: Any) -> Choice:
        if not isinstance(index, int):
            raise garbage("a choice without an index")
        choice = self._choices.get(index)
        if choice is None:
            if len(self._choices) >= self._max_choices:
                raise garbage("too many choices")
            choice = self._choices[index] = Choice(self._api, index, self._screening)
            choice.has_role = self._begun is not None
        return choice

    async def _advance(self, choice: Choice, given: dict[str, Any]) -> list[dict[str, Any]]:
        """What may be sent of a choice of a chunk, which is changed to be so."""
        delta = given.get("delta")
        await choice.read_labels(given)
        says_more = isinstance(delta, dict) and self._says_once(choice, delta)
        has_logprobs = "logprobs" in given
        logprobs = given.pop("logprobs", None)
        fed = sent = 0
        last: Path | None = None
        for leaf in list(leaves(given)):
            piece = leaf.text
            if not is_known_text(leaf.path):
                if await choice.unknown.may_pass(leaf):
                    says_more = True
                else:
                    leaf.put("")
                continue
            released = await choice.feed(leaf.path, piece)
            leaf.put(released)
            last = leaf.path
            fed += 1
            sent += bool(released)
        choice.queue(logprobs, "delta", last)
        choice.put_logprobs(given)
        if has_logprobs:
            given.setdefault("logprobs", None)
        says_more = says_more or (fed == 0 and isinstance(delta, dict) and _has_value(delta))
        if not choice.is_over and not given.get("finish_reason"):
            return [given] if sent or says_more or not fed else []
        final = {key: value for key, value in given.items() if not _has_text(key, value)}
        final |= self._empty()
        if has_logprobs:
            final["logprobs"] = None
        given["finish_reason"] = None
        return [*([given] if sent or says_more else []), *await self._end(choice, final)]

    def _says_once(self, choice: Choice, delta: dict[str, Any]) -> bool:
        """Whether a delta says what is said once and must not be lost: a role, a call's name."""
        if delta.get("role") and choice.has_role:
            del delta["role"]
        elif delta.get("role"):
            choice.has_role = True
            return True
        calls = delta.get("tool_calls")
        heads = [delta.get("function_call"), *(calls if isinstance(calls, list) else ())]
        return any(
            isinstance(head, dict) and (head.get("id") or head.get("type") or head.get("name"))
            for head in heads
        )

    async def _end(self, choice: Choice, final: dict[str, Any]) -> list[dict[str, Any]]:
        """What was held of a choice, if it may be sent, and its last chunk."""
        tail = {"index": choice.index, **self._empty(), "finish_reason": None}
        root = tail["delta"] if self._api == "chat" else tail
        has_tail = False
        for path, channel in choice.channels.items():
            released = await self._screening.flush(channel)
            if released:
                place(root, path[1:] if self._api == "chat" else path, released)
                has_tail = True
        choice.put_logprobs(tail)
        verdict = await choice.judge(await self._beside_others(choice))
        if verdict.action == "block":
            final["finish_reason"] = "content_filter"
        self._annotator.annotate(final, verdict)
        has_tail = has_tail or "logprobs" in tail
        return [tail, final] if has_tail and verdict.action != "block" else [final]

    async def _beside_others(self, choice: Choice) -> Verdict | None:
        """The verdict on a choice as part of all that was said so far, if there are others."""
        others = (one for one in self._choices.values() if one is choice or not one.is_blocked)
        choices = sorted(others, key=lambda one: one.index)
        if len(choices) < 2:
            return None
        verdicts = await self._screening.check_all([one.text for one in choices])
        return verdicts[choices.index(choice)]

    # ---- a response that is no stream

    async def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        """The response as it may be sent."""
        choices = body.get("choices")
        if not isinstance(choices, list):
            raise garbage("a response without choices")
        head = {key: value for key, value in body.items() if key != "choices"}
        beside = [(leaf, self._screening.channel()) for leaf in leaves(head)]
        for leaf, channel in beside:
            await self._screening.feed(channel, leaf.text)
        found: list[list[tuple[Leaf, Channel]]] = []
        for given in choices:
            if not isinstance(given, dict):
                raise garbage("a choice that is none")
            found.append(await self._read(self._choice(given.get("index", 0)), given))
        await self._screening.settle()
        for leaf, channel in beside:
            leaf.put(await self._screening.flush(channel))
        for given, texts in zip(choices, found, strict=True):
            await self._whole(self._choice(given.get("index", 0)), given, texts)
        return {key: head.get(key, value) for key, value in body.items()}

    async def _read(self, choice: Choice, given: dict[str, Any]) -> list[tuple[Leaf, Channel]]:
        """The texts of a choice, each with the channel that has read it."""
        found: list[tuple[Leaf, Channel]] = []
        for number, leaf in enumerate(leaves(given)):
            path = (number, *leaf.path) if EACH in leaf.path else leaf.path
            channel = choice.channel(path)
            await self._screening.feed(channel, leaf.text)
            found.append((leaf, channel))
        await choice.read_labels(given)
        return found

    async def _whole(
        self, choice: Choice, given: dict[str, Any], texts: list[tuple[Leaf, Channel]]
    ) -> None:
        had_logprobs = "logprobs" in given
        logprobs = given.pop("logprobs", None)
        found = [(leaf, await self._screening.flush(channel)) for leaf, channel in texts]
        verdict = await choice.judge()
        choice.is_ended = True
        if verdict.action == "block":
            self._withhold(given, verdict)
        else:
            for leaf, released in found:
                leaf.put(released)
            choice.queue(logprobs, "message")
            choice.put_logprobs(given)
        if had_logprobs:
            given.setdefault("logprobs", None)
        self._annotator.annotate(given, verdict)

    def _withhold(self, given: dict[str, Any], verdict: Verdict) -> None:
        """Put the policy's notice in place of all that a choice says."""
        given["finish_reason"] = "content_filter"
        if self._api == "completions":
            for leaf in list(leaves(given)):
                leaf.put("")
            given["text"] = verdict.text
            return
        role = given.get("message", {}).get("role", "assistant")
        given["message"] = {"role": role, "content": verdict.text, "refusal": None}
        for leaf in [leaf for leaf in leaves(given) if leaf.path[0] != "message"]:
            leaf.put("")

    # ---- texts

    async def _clean(self, head: dict[str, Any]) -> None:
        """Empty the strings beside the choices that may not go out."""
        for leaf in list(leaves(head)):
            if not await self._beside.may_pass(leaf):
                leaf.put("")

    def _empty(self) -> dict[str, Any]:
        return {"delta": {}} if self._api == "chat" else {"text": ""}


def _has_text(key: str, value: Any) -> bool:
    return any(True for _ in leaves({key: value}))


def _has_value(node: dict[str, Any]) -> bool:
    return any(value not in (None, "", {}, []) for value in node.values())


def _says_something(choice: dict[str, Any]) -> bool:
    """Whether a choice of a chunk has more in it than its place."""
    return _has_value({k: v for k, v in choice.items() if k not in ("index", "logprobs")})
