"""datatrove: a filter of its pipelines that keeps protected material out of a dataset.

    LocalPipelineExecutor([
        JsonlReader("raw/"),
        ProtectedFilter("protected.idx", exclusion_writer=JsonlWriter("removed/")),
        JsonlWriter("clean/"),
    ], tasks=64, workers=8).run()

Every machine sees the index under the same path.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from dedup.document import Document
from dedup.key import Key
from dedup.policy import Policy
from dedup.scanning.portable import PortableScanner
from dedup.scanning.scanner import Judged, batches

try:
    from datatrove.data import Document as TroveDocument
    from datatrove.pipeline.filters.base_filter import BaseFilter
except ImportError as error:
    raise ImportError("datatrove is missing; run: pip install 'dedup[datatrove]'") from error

__all__ = ["ProtectedFilter"]

_KEPT: Final = ("allow", "flag")


class ProtectedFilter(BaseFilter):
    """Removes the documents that the policy redacts or blocks.

    What is found in a document, removed or kept, its metadata tell under ``dedup``, as the row of a
    scan would. The reason of a removal, in the statistics and for the ``exclusion_writer``, is the
    rule. Of a document that cannot be judged the policy's ``on_error`` decides, which is the reason
    then.

    Parameters
    ----------
    index, policy, key, background
        As in ``PortableScanner``: it is sent to the workers, and opens the index there.
    exclusion_writer : DiskWriter, optional
        Gets what is removed.
    batch_size : int
        How many documents are searched at a time.
    """

    name = "dedup"

    def __init__(
        self,
        index: str | Path,
        policy: Policy | str = "balanced",
        *,
        key: Key | Iterable[Key] | Literal["default"] | None = "default",
        background: Iterable[str | Path] = (),
        exclusion_writer: Any = None,
        batch_size: int = 256,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self._portable = PortableScanner(index, policy, key=key, background=background)

    def filter(self, doc: TroveDocument) -> bool | tuple[bool, str]:
        """Whether a document is kept; if not, why."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[TroveDocument]) -> list[bool | tuple[bool, str]]:
        """``filter`` of each."""
        scanner = self._portable.scanner
        documents = (Document(doc.id, doc.text) for doc in batch)
        judged = [one for some in batches(documents) for one in scanner.judge(some)]
        return [self._told(doc, one) for doc, one in zip(batch, judged, strict=True)]

    @staticmethod
    def _told(doc: TroveDocument, judged: Judged) -> bool | tuple[bool, str]:
        verdict = judged.verdict
        if verdict.rulings or verdict.error:
            doc.metadata["dedup"] = judged.row()
        return True if verdict.action in _KEPT else (False, verdict.rule or verdict.action)
