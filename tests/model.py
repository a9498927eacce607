"""An index does what a dict would: a state machine that tries what users may do, in any order.

``python tests/model.py 2000`` tries 2,000 sequences of 50 operations each: documents are added,
replaced and removed by every selector, committed, merged, discarded, exported and imported, keys
are rotated, days pass, readers reload. After each operation the index and a reader of it are
compared with dicts.
"""

import random
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from workload import KEY, KEYS, Holds, Remove, after, passage, scratch, words

from dedup import expiry
from dedup.document import Document
from dedup.index import Index
from dedup.key import Key

TEXTS: Final = tuple(words(random.Random(f"text {i}"), 40) for i in range(8))
FIRST_DAY: Final = date(2030, 1, 1)

ids = st.sampled_from("abcdef")
corpora = st.sampled_from(["", "books", "news"])
owners = st.sampled_from(["", "Jane", "Acme"])
licences = st.sampled_from(["PD", "MIT"])
days = st.integers(1, 4)
documents = st.builds(
    Document,
    ids,
    st.sampled_from(TEXTS),
    corpora,
    licences,
    owners,
    st.sampled_from(["", "https://example.org/"]),
    expires=st.none() | st.integers(-1, 5).map(lambda day: FIRST_DAY + timedelta(days=day)),
)


class IndexMachine(RuleBasedStateMachine):
    """One index with its writer, a reader of it, and another index that imports from it."""

    @initialize()
    def create(self) -> None:
        self.folder = scratch()
        self.today = FIRST_DAY
        self.real_today = expiry.today
        expiry.today = lambda: self.today
        self.path, self.other = Path(self.folder.name) / "index", Path(self.folder.name) / "other"
        self.index = Index.create(self.path, key=KEY)
        Index.create(self.other, key=KEY).close()
        self.reader = Index.open(self.path, key=KEYS)
        # What the writer would commit, what it committed, what the reader took up, the other index.
        self.pending: Holds = {}
        self.committed: Holds = {}
        self.seen: Holds = {}
        self.imported: Holds = {}
        self.key = KEY
        self.keys = {KEY}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.index.close()
            self.reader.close()
            expiry.today = self.real_today
            self.folder.cleanup()

    def living(self, holds: Holds) -> Holds:
        return {id: d for id, d in holds.items() if d.expires is None or d.expires > self.today}

    # ---- what users do

    @rule(added=st.lists(documents, min_size=1, max_size=5))
    def add(self, added: list[Document]) -> None:
        assert self.index.add(added) <= len(added)
        for document in added:
            self.pending = after(self.pending, document)

    @rule()
    def add_what_is_there(self) -> None:
        self.index.commit()
        self.committed = self.pending
        if self.keys == {self.key}:
            assert self.index.add(self.living(self.committed).values()) == 0

    @rule(
        by=st.fixed_dictionaries(
            {},
            optional={
                "document": st.lists(ids, min_size=1, max_size=2),
                "corpus": st.lists(corpora, min_size=1, max_size=2),
                "owner": st.lists(owners, min_size=1, max_size=2),
                "licence": st.lists(licences, min_size=1, max_size=1),
            },
        ).filter(bool)
    )
    def remove(self, by: dict[str, list[str]]) -> None:
        meant = [Remove(kind, tuple(values)) for kind, values in by.items()]
        gone = {
            id
            for id, document in self.living(self.pending).items()
            if all(each.fits(document) for each in meant)
        }
        assert self.index.remove(**by) == len(gone)
        self.pending = {id: d for id, d in self.pending.items() if id not in gone}

    @rule()
    def commit(self) -> None:
        before, is_new = self.index.generation, self.pending != self.committed
        assert self.index.commit() >= before + is_new
        self.committed = self.pending

    @rule()
    def merge(self) -> None:
        self.index.merge()
        self.committed = self.pending
        info = self.index.info()
        assert info.expired == 0
        used = [key for key in KEYS if info.keys.get(f"{key.id:016x}")]
        assert info.segments == len(used)
        if len(used) == 1:
            self.assert_built_at_once(*used)

    def assert_built_at_once(self, key: Key) -> None:
        """The segment of the index is the one that its living documents make when added at once."""
        with (
            scratch() as folder,
            Index.create(Path(folder) / "once", key=key) as once,
        ):
            once.add(self.committed[document.id] for document in self.index.documents())
            once.commit()
            assert segments(Path(folder) / "once") == segments(self.path)

    @rule()
    def open_again(self) -> None:
        self.index.close()
        self.index = Index.open(self.path, key=KEYS, writable=True)
        self.pending = self.committed

    @rule()
    def reload(self) -> None:
        self.reader.reload()
        assert self.reader.generation == self.index.generation
        self.seen = self.committed

    @rule(key=st.sampled_from(KEYS))
    def rotate(self, key: Key) -> None:
        self.index.rotate(key)
        self.committed = self.pending
        self.key = key
        self.keys |= {key}

    @rule(count=days)
    def days_pass(self, count: int) -> None:
        self.today += timedelta(days=count)

    @rule(corpus=corpora)
    def hand_over(self, corpus: str) -> None:
        file = self.path.with_name("export")
        file.unlink(missing_ok=True)
        exported = {
            id: document
            for id, document in self.living(self.committed).items()
            if document.corpus == corpus
        }
        try:
            assert self.index.export(file, corpus=corpus) == len(exported)
        except ValueError as error:
            several = "under 2 keys" in str(error) and len(self.keys) == 2
            assert several or not exported, error
            assert not file.exists()
            return
        with Index.open(self.other, key=KEYS, writable=True) as other:
            other.import_(file)
            other.commit()
        for document in exported.values():
            self.imported = after(self.imported, document)

    @rule()
    def verify(self) -> None:
        self.index.verify()
        self.reader.verify()

    # ---- what always holds

    @invariant()
    def the_index_holds_what_was_committed(self) -> None:
        self.assert_same(self.index, self.committed)

    @invariant()
    def the_reader_holds_what_it_took_up(self) -> None:
        self.assert_same(self.reader, self.seen)

    @invariant()
    @precondition(lambda self: self.imported)
    def the_other_index_holds_what_it_was_given(self) -> None:
        with Index.open(self.other, key=KEYS) as other:
            self.assert_same(other, self.imported)

    def assert_same(self, index: Index, holds: Holds) -> None:
        living = self.living(holds)
        assert {listed(document) for document in index.documents()} == {
            listed(document) for document in living.values()
        }
        assert index.info().documents == len(living)
        for text, matches in zip(
            TEXTS, index.search_batch([passage(text) for text in TEXTS]), strict=True
        ):
            expected = {id for id, document in living.items() if document.text == text}
            assert {match.document for match in matches} == expected
        for document in living.values():
            assert index.holds(document.id, document.text)
            assert not index.holds(document.id, document.text + " ")


def listed(document: Any) -> tuple[Any, ...]:
    fields = ("id", "corpus", "licence", "owner", "url", "expires")
    text = getattr(document, "text", None)
    size = document.text_bytes if text is None else len(text.encode())
    return (*(getattr(document, name) for name in fields), size)


def segments(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.glob("*.dedup")}


def try_sequences(count: int, operations: int) -> None:
    """Run the machine; raises with the shortest sequence that goes wrong."""
    run_state_machine_as_test(
        IndexMachine,
        settings=settings(
            max_examples=count,
            stateful_step_count=operations,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    began = time.monotonic()
    try_sequences(count, operations=50)
    took_s = time.monotonic() - began
    print(f"{count} sequences of 50 operations: 0 differ from a dict; {took_s:.0f} s")
