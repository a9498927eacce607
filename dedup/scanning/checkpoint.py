"""The checkpoint of a scan: how far it is, written beside its output after every few tasks.

    {schema_version, asked, tasks, digest, lengths, tally, seconds, is_finished}

``asked`` is all that the outputs hang on, ``tasks`` how many were done, ``digest`` tells which
they were, ``lengths`` is how much of each partial file is theirs. What a partial file has beyond
that was written by tasks that are done again.

A checkpoint is written under a temporary name, synced and renamed, and the partial files are synced
before it, so whatever it says is on the disk, whenever the process or the machine stops.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from dedup.batch import Batch, Task
from dedup.document import Document
from dedup.errors import DedupError
from dedup.scanning.tally import Tally

__all__ = ["Checkpoint", "digest_with"]

_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a scan is.

    Attributes
    ----------
    asked : dict
        What the outputs hang on, by what a user calls it; plain JSON types.
    tasks : int
        How many are done.
    digest : str
        Of those, in their order: see ``digest_with``.
    lengths : dict of int
        Bytes of each partial file that are theirs.
    tally : Tally
        What they counted.
    seconds : float
        How long they took, over all runs.
    is_finished : bool
        Whether no task is left, and only the outputs have yet to be made of the partial files.
    """

    asked: Mapping[str, Any]
    tasks: int = 0
    digest: str = ""
    lengths: Mapping[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    is_finished: bool = False

    @classmethod
    def read(cls, path: Path) -> "Checkpoint | None":
        """The one in a file; None if there is no such file.

        Raises
        ------
        DedupError
            If it is something else.
        """
        try:
            data = json.loads(path.read_bytes())
            if data.pop("schema_version") != _SCHEMA_VERSION:
                raise ValueError("of another version")
            return cls(**{**data, "tally": Tally.of(data["tally"])})
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DedupError(
                f"{path}: not a checkpoint of this release ({error}); remove it and the .partial "
                "files beside it, and start again"
            ) from None

    def write(self, path: Path) -> None:
        """Put it in the place of the one before."""
        data = {one.name: getattr(self, one.name) for one in fields(self)}
        data |= {"schema_version": _SCHEMA_VERSION, "tally": self.tally.to_dict()}
        temporary = path.with_name(f".{path.name}.writing")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def check(self, asked: Mapping[str, Any]) -> None:
        """See that the same is asked now.

        Raises
        ------
        DedupError
            Naming what is not the same.
        """
        # Through JSON, in which a tuple is a list.
        now = json.loads(json.dumps(asked))
        changed = [key for key in {**self.asked, **now} if self.asked.get(key) != now.get(key)]
        if changed:
            raise DedupError(
                f"cannot resume: {', '.join(changed)} changed since the scan was begun; ask for "
                "the same, or start again"
            )


def digest_with(digest: str, task: Task) -> str:
    """The digest of some tasks and one more.

    Of a partition its files count, by their sizes and times; of a batch the ids of its documents
    and their lengths.
    """
    told = task.partition.stamp if isinstance(task, Batch) else task.stamp
    if isinstance(task, Batch):
        items = [
            (item.id, len(item.text)) if isinstance(item, Document) else str(item)
            for item in task.items
        ]
        told += repr((task.number, items))
    return hashlib.sha256(f"{digest}\n{told}".encode("utf-8", "backslashreplace")).hexdigest()
