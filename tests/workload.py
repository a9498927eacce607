"""A seeded workload over an index, and what the index holds after each of its commits.

Takes a seed, gives ``Step`` after ``Step``: what to add and remove, then a commit or a merge. Each
knows the documents that are there after it, so whoever opens the index, in whatever process, can
say whether it holds exactly what one commit left. Texts are random words, so a search tells which
version of which document is held. Every step replaces the ``clock``, whose url is the number of
the step: an index says by itself which commit it is.
"""

import os
import random
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

from dedup import _core
from dedup.document import Document
from dedup.engine import SerialEngine
from dedup.index import Index
from dedup.key import Key
from dedup.match import Match

KEY: Final = Key(b"0123456789abcdef")
# Those an index of a workload may be under; it is created under the first.
KEYS: Final = (KEY, Key(b"another key here"))

# More documents than this, and the next step removes a corpus; checking them all stays quick.
_MOST_DOCUMENTS: Final = 20
_WORDS_PER_TEXT: Final = 40
_WORDS_PER_PASSAGE: Final = 20  # the guarantee is 12
_SYLLABLES: Final = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder in memory, where the system has one: no test here is about the disk's own work."""
    memory = "/dev/shm"
    return tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None)


def words(rng: random.Random, count: int) -> str:
    """Unrelated words, of some 340,000."""
    return " ".join("".join(rng.choices(_SYLLABLES, k=3)) for _ in range(count))


CLOCK: Final = words(random.Random("clock"), _WORDS_PER_TEXT)

Holds: TypeAlias = dict[str, Document]
Ends: TypeAlias = Literal["commit", "merge"]
Selector: TypeAlias = Literal["document", "corpus", "owner", "licence"]


@dataclass(frozen=True, slots=True)
class Remove:
    """Take away the documents whose field has one of the values."""

    by: Selector
    values: tuple[str, ...]

    def fits(self, document: Document) -> bool:
        field = "id" if self.by == "document" else self.by
        return getattr(document, field) in self.values


Action: TypeAlias = Document | Remove


@dataclass(frozen=True, slots=True)
class Step:
    """The changes of one commit and what it leaves.

    Attributes
    ----------
    number : int
        From 0; -1 is the index as it was created.
    rotates_to : Key or None
        The key of new documents from here on, if it is another one. Made known first.
    ends : {"commit", "merge"}
        What makes the changes durable.
    holds : dict
        The documents that are there after it, in the order in which they were last added.
    gone : tuple of str
        Texts that were there before and are not after it, the latest first.
    """

    number: int
    rotates_to: Key | None
    actions: tuple[Action, ...]
    ends: Ends
    holds: Holds
    gone: tuple[str, ...]


CREATED: Final = Step(-1, None, (), "commit", {}, ())


def after(holds: Holds, action: Action) -> Holds:
    """What is there once the action is done."""
    if isinstance(action, Remove):
        return {id: document for id, document in holds.items() if not action.fits(document)}
    return {**{k: v for k, v in holds.items() if k != action.id}, action.id: action}


class Workload:
    """The steps of one seed; step n is the same whoever asks for it.

    One in `merge_every` ends with a merge, one in `rotate_every` begins with another key.
    """

    def __init__(self, seed: int, merge_every: int = 5, rotate_every: int = 8) -> None:
        self.seed = seed
        self._merge_every = merge_every
        self._rotate_every = rotate_every
        self._steps: list[Step] = []

    def step(self, number: int) -> Step:
        while len(self._steps) <= number:
            self._steps.append(self._next(self._steps[-1] if self._steps else CREATED))
        return self._steps[number] if number >= 0 else CREATED

    def steps(self, start: int = 0) -> Iterator[Step]:
        """From `start` on, without end."""
        number = start
        while True:
            yield self.step(number)
            number += 1

    def _next(self, last: Step) -> Step:
        number = last.number + 1
        rng = random.Random(f"{self.seed}/{number}")
        actions: list[Action] = [Document("clock", CLOCK, url=str(number))]
        actions += [
            _document(rng, f"{number}-{i}") for i in range(rng.randint(1, 2) if number else 3)
        ]
        others = [id for id in last.holds if id != "clock"]
        if others and rng.random() < 0.5:
            actions.append(_document(rng, rng.choice(others)))
        if others and rng.random() < 0.3:
            actions.append(Remove("document", (rng.choice(others),)))
        if len(others) > _MOST_DOCUMENTS:
            by = rng.choice(("corpus", "owner", "licence"))
            actions.append(Remove(by, (getattr(last.holds[rng.choice(others)], by),)))
        elif others and rng.random() < 0.1:
            actions.append(Remove("owner", ("owner 1", "owner 2", "no such owner")))
        rng.shuffle(actions)
        holds = last.holds
        texts: list[str] = []
        for action in actions:
            before, holds = holds, after(holds, action)
            kept = {document.text for document in holds.values()}
            texts += [d.text for d in before.values() if d.text not in kept]
        gone = (*reversed(texts), *last.gone)[:12]
        ends: Ends = "commit" if rng.randrange(self._merge_every) else "merge"
        rotates_to = None if rng.randrange(self._rotate_every) else rng.choice(KEYS)
        return Step(number, rotates_to, tuple(actions), ends, holds, gone)


def _document(rng: random.Random, id: str) -> Document:
    return Document(
        id,
        words(rng, _WORDS_PER_TEXT),
        corpus=f"corpus {rng.randrange(3)}",
        licence=rng.choice(("PD", "MIT", "GPL-3.0-only")),
        owner=f"owner {rng.randrange(5)}",
        url=f"https://example.org/{id}",
    )


# ---- on an index


@dataclass(frozen=True, slots=True)
class Reads:
    """A task of a parallel add."""

    documents: tuple[Document, ...]
    source: str = "workload"

    def read(self) -> tuple[Document, ...]:
        return self.documents


@dataclass(frozen=True, slots=True)
class HookedEngine:
    """Builders that are here, so that what they ask of the system is seen and failed too."""

    storage: _core.Storage

    def run(self, make: Any, tasks: Iterable[Any]) -> Iterator[Any]:
        return SerialEngine().run(replace(make, storage=self.storage), tasks)


def play(index: Index, step: Step) -> int:
    """Do one step, its documents one by one or as tasks of workers; returns the generation."""
    if step.rotates_to:
        index.rotate(step.rotates_to)
    for is_document, actions in groupby(step.actions, lambda action: isinstance(action, Document)):
        if is_document and step.number % 2:
            tasks = [Reads((action,)) for action in actions if isinstance(action, Document)]
            index.add_tasks(tasks, HookedEngine(index._storage))
        else:
            for action in actions:
                do(index, action)
    return index.merge() if step.ends == "merge" else index.commit()


def do(index: Index, action: Action) -> None:
    if isinstance(action, Remove):
        index.remove(**{action.by: list(action.values)})
    else:
        index.add([action])


def passage(text: str, start: int = 0) -> str:
    return " ".join(text.split()[start : start + _WORDS_PER_PASSAGE])


def step_of(index: Index) -> int:
    """The number of the step that the index is at, by its clock."""
    matches = index.search(CLOCK)
    return int(matches[0].url) if matches else CREATED.number


def source_of(match: Match) -> tuple[str, ...]:
    return (match.document, match.corpus, match.licence, match.owner, match.url)


def fields_of(document: Document) -> tuple[str, ...]:
    return (document.id, document.corpus, document.licence, document.owner, document.url)


def assert_holds(index: Index, holds: Holds, gone: Iterable[str] = ()) -> None:
    """Every document is found by a passage, under its own name alone; nothing of `gone` is."""
    answers = index.search_batch([passage(document.text, 10) for document in holds.values()])
    for document, matches in zip(holds.values(), answers, strict=True):
        found = [source_of(match) for match in matches]
        assert found == [fields_of(document)], f"{document.id}: found in {found}"
    for text, matches in zip(gone, index.search_batch(list(gone)), strict=True):
        assert matches == [], f"{text!r} is gone, but found in {matches}"
    listed = [
        (document.id, document.corpus, document.licence, document.owner, document.url)
        for document in index.documents()
    ]
    assert sorted(listed) == sorted(map(fields_of, holds.values()))


def assert_at(index: Index, workload: Workload, numbers: Iterable[int]) -> int:
    """The index is at one of these steps, and holds what that step left; returns its number."""
    number = step_of(index)
    numbers = list(numbers)
    assert number in numbers, f"the index is at step {number}, expected one of {numbers}"
    step = workload.step(number)
    assert_holds(index, step.holds, step.gone)
    return number
