"""A difference says what one index protects and another does not."""

from datetime import date
from pathlib import Path

import pytest
from test_filter import HARMLESS, PROTECTED
from test_index import KEY

from dedup.diff import Change, Difference, diff
from dedup.index import Index
from dedup.key import Key
from dedup.snapshot import Snapshot
from dedup.source import Document

OTHER = Key(b"another key here")
OLD = [
    Document("gone", "one"),
    Document("same", PROTECTED, "c", "MIT", "me", "https://x", date(2999, 1, 1)),
    Document("text", PROTECTED),
    Document("labels", PROTECTED),
]
NEW = [
    Document("new", "two"),
    OLD[1],
    Document("text", PROTECTED.replace("grim", "glum")),
    Document("labels", PROTECTED, "c", "MIT", "me", "https://x", date(2999, 1, 1)),
]
LABELS = ("corpus", "licence", "owner", "url", "expires")


def snapshot(path: Path, documents: list[Document], key: Key | None = KEY) -> Snapshot:
    with Index.create(path, key=key) as index:
        index.add(documents)
        index.commit()
        return index.snapshot


def test_difference_has_what_is_new_gone_and_changed(tmp_path: Path) -> None:
    old, new = snapshot(tmp_path / "old", OLD), snapshot(tmp_path / "new", NEW)
    found = diff(old, new)
    changed = (Change("labels", LABELS), Change("text", ("text",)))
    assert found == Difference(("new",), ("gone",), changed, ())
    assert found
    assert diff(new, old) == Difference(("gone",), ("new",), changed, ())


def test_order_and_history_do_not_matter(tmp_path: Path) -> None:
    old = snapshot(tmp_path / "old", OLD)
    with Index.create(tmp_path / "new", key=KEY) as index:
        index.add([*OLD[::-1], Document("x", HARMLESS)])
        index.commit()
        index.remove(document="x")
        index.commit()
        assert not diff(old, index.snapshot)


def test_generations_of_one_index_can_be_compared(tmp_path: Path) -> None:
    with Index.create(tmp_path / "i", key=KEY) as index:
        before = index.snapshot
        index.add(OLD[:1])
        index.commit()
        assert diff(before, index.snapshot).added == ("gone",)


@pytest.mark.parametrize("key", [OTHER, None])
def test_texts_under_two_keys_are_compared_by_size_and_that_is_said(
    tmp_path: Path, key: Key | None
) -> None:
    old = snapshot(tmp_path / "old", OLD)
    new = snapshot(tmp_path / "new", [*NEW[1:3], Document("gone", "more")], key)
    found = diff(old, new)
    assert found.uncompared == ("same", "text")
    assert found.changed == (Change("gone", ("text",)),)
