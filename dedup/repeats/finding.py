"""Finding repeats: the stages one after the other.

Takes sources of any kind, gives Repeats: what comes again in them. Memory is bounded by a
block of texts and a bucket of hashes for each worker, and by what is found; disk, in the work
folder, by the texts once more, and about four times what of them repeats.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dedup import __version__
from dedup.engine import Engine, SerialEngine
from dedup.partition import partitions
from dedup.reading import Reading
from dedup.repeats.blocks import Corpus, Texts, gather
from dedup.repeats.clusters import Clusters, find_clusters
from dedup.repeats.passages import FoundPassages, find_passages
from dedup.repeats.prints import make_prints
from dedup.repeats.rows import cluster_id, cluster_rows, passage_row, problem_row
from dedup.repeats.settings import Settings
from dedup.repeats.windows import find_windows
from dedup.repeats.work import Stages, WorkFolder

__all__ = ["Repeats", "find_repeats"]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What comes again in a corpus; reads the work folder as long as that is there.

    Attributes
    ----------
    corpus : Corpus
        What was read, and what could not be.
    tokens : int
        How many words it has.
    clusters : Clusters
    passages : FoundPassages
    texts : Texts
    """

    corpus: Corpus
    tokens: int
    clusters: Clusters
    passages: FoundPassages
    texts: Texts
    _settings: Settings

    def rows(self) -> Iterator[dict[str, Any]]:
        """All that was found, in the order that ``rows`` tells."""
        yield from cluster_rows(self.clusters, self.texts)
        for passage in self.passages:
            yield passage_row(passage, self.texts)
        yield from map(problem_row, self.corpus.problems)

    def drops(self) -> Iterator[dict[str, Any]]:
        """What to drop, so that of nothing more than ``max_copies`` are left.

        After it each cluster has at most so many documents, and each run of ``min_tokens`` words,
        but for overlapping ones, at most so many places.
        """
        if self._settings.max_copies is None:
            return
        clusters, texts = self.clusters, self.texts
        sizes = np.diff(clusters.starts)
        starts = clusters.starts[:-1].repeat(sizes)
        start_of = dict(zip(clusters.members.tolist(), starts.tolist(), strict=True))
        dropped = iter(clusters.dropped(self._settings.max_copies).tolist())
        number = next(dropped, None)
        for cut in self.passages.cuts():
            while number is not None and number < cut.document:
                yield self._drop(number, start_of[number])
                number = next(dropped, None)
            spans = [list(span) for span in cut.spans]
            yield {"document": texts.id(cut.document), "spans": spans}
        while number is not None:
            yield self._drop(number, start_of[number])
            number = next(dropped, None)

    def _drop(self, number: int, start: int) -> dict[str, Any]:
        cluster = cluster_id(self.clusters, self.texts, start)
        return {"document": self.texts.id(number), "cluster": cluster}


def find_repeats(
    sources: Iterable[str | os.PathLike[str]],
    work: Path,
    settings: Settings | None = None,
    *,
    reading: Reading | None = None,
    engine: Engine | None = None,
    resume: bool = False,
    tell: Callable[[str], object] = lambda stage: None,
) -> Repeats:
    """Find what comes again in the documents of the sources.

    Parameters
    ----------
    sources : iterable of paths
        As for ``partitions``, which cuts them.
    work : Path
        A folder that all workers see; made, and left to the caller to remove once the result has
        been read. It has the texts in it.
    settings : Settings, optional
        What counts as a repeat.
    reading : Reading, optional
        How the sources are read.
    engine : Engine, optional
        Where the work is done: in this process, if not given. The result does not depend on it.
    resume : bool
        Go on with the run that left the work folder.
    tell : function, optional
        Told again and again what is being done.

    Raises
    ------
    DedupError
        If the folder is there and ``resume`` is not asked for, or it is of something else; if a
        task ended its worker.
    """
    settings = settings or Settings()
    names = list(sources)
    stamps = hashlib.sha256()
    for partition in partitions(names, reading):
        stamps.update(partition.stamp.encode())
    asked = {
        "version": __version__,
        "settings": settings.to_dict(),
        "partitions": stamps.hexdigest(),
    }
    folder = WorkFolder(work, asked, is_resuming=resume)
    try:
        stages = Stages(folder, engine or SerialEngine(), tell)
        corpus = gather(stages, partitions(names, reading))
        buckets, tokens = make_prints(stages, corpus, settings)
        clusters = find_clusters(stages, corpus, buckets, settings)
        copies = settings.max_copies
        dropped = np.empty(0, np.uint64) if copies is None else clusters.dropped(copies)
        group_buckets = find_windows(stages, corpus, buckets, settings, dropped)
        passages = find_passages(stages, corpus, group_buckets, settings)
    finally:
        folder.close()
    texts = Texts(folder.arrays, corpus.blocks)
    return Repeats(corpus, tokens, clusters, passages, texts, settings)
