"""Scanner: documents in, verdicts or rows out, in the order they came.

The kernel of every offline engine: processes of one machine, Ray, Spark and datatrove call it with
as many documents at a time as they have. What it says of a document hangs on its text and id, the
index and the policy alone: not on the batch it came in, nor on how busy the machine is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dedup.baseline import Baseline
from dedup.document import Document, size_of
from dedup.index import Index
from dedup.match import Match
from dedup.policy import Policy, Verdict
from dedup.scanning.row import Row, row_of
from dedup.stream import FAILURES

__all__ = ["Judged", "Scanner", "batches"]

# A batch is searched in one call of the core, so what a call costs is shared by small documents.
_BATCH_BYTES: Final = 1 << 20
_BATCH_DOCUMENTS: Final = 512

# What keeps one document from being judged and says nothing of the next; ValueError: it holds a
# lone surrogate, which no UTF-8 can say.
_FAILURES: Final = (*FAILURES, ValueError)


@dataclass(frozen=True, slots=True)
class Judged:
    """A document, its size in bytes of UTF-8, and the verdict on it.

    ``note`` says what of it could not be parsed, so that it was judged by words and lexemes.
    """

    document: Document
    bytes: int
    verdict: Verdict
    note: str = ""

    def row(self, *, excerpts: bool = False) -> Row:
        """What a scan says of it; see ``row``."""
        document = self.document
        return row_of(
            document.id, document.text, self.bytes, self.verdict, self.note, excerpts=excerpts
        )


class Scanner:
    """Checks whole documents against one generation of an index.

    Parameters
    ----------
    index : Index
        What is protected. It stays the caller's to close.
    policy : Policy, optional
        ``Policy.balanced()`` if not given.
    background : sequence of Index
        What is permitted, as in ``Filter``.
    baseline : Baseline, optional
        What was found and accepted before; it counts no more.

    Notes
    -----
    ``Filter.check`` of each text would say the same, save that here the name of a document tells
    its language, and that code is parsed whole, without a limit of time. One thread at a time.
    """

    def __init__(
        self,
        index: Index,
        policy: Policy | None = None,
        *,
        background: Sequence[Index] = (),
        baseline: Baseline | None = None,
    ) -> None:
        snapshot = index.snapshot
        self.policy = Policy.balanced() if policy is None else policy
        self.generation = snapshot.generation
        self._baseline = baseline
        self._session = snapshot.session(
            background=[other.snapshot.session() for other in background]
        )

    def rows(self, documents: Iterable[Document]) -> Iterator[Row]:
        """The row of each document; lazy, a batch at a time."""
        for batch in batches(documents):
            for judged in self.judge(batch):
                yield judged.row()

    def judge(self, documents: Sequence[Document]) -> list[Judged]:
        """The verdict on each document of one batch."""
        try:
            return self._judge(documents)
        except _FAILURES:  # of one or of all: each is asked by itself
            return [self._judge_alone(document) for document in documents]

    def _judge(self, documents: Sequence[Document]) -> list[Judged]:
        texts = [document.text for document in documents]
        parses = [self._session.parsed_document(one.text, one.id) for one in documents]
        parsed = [one for one, _ in parses] if self._session.has_code else []
        found = self._session.search_batch(texts, parsed=parsed)
        return [
            Judged(
                document,
                size_of(document.text),
                self._verdict(document, matches),
                failed and f"judged by words and lexemes where code did not parse: {failed}",
            )
            for document, matches, (_, failed) in zip(documents, found, parses, strict=True)
        ]

    def _verdict(self, document: Document, matches: list[Match]) -> Verdict:
        text = document.text
        verdict = self.policy.judge(text, matches, index_generation=self.generation)
        if self._baseline is not None:
            verdict = self._baseline.accept(document.id, text, verdict, self.policy)
        return verdict

    def _judge_alone(self, document: Document) -> Judged:
        try:
            return self._judge([document])[0]
        except _FAILURES as error:
            text = document.text
            verdict = self.policy.judge_error(text, error, index_generation=self.generation)
            return Judged(document, size_of(text), verdict)


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """The documents in the order they come, as many at a time as are best judged together."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= _BATCH_BYTES or len(batch) == _BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
