"""A selection means the documents that a policy with the same patterns would."""

import pytest

from dedup.selection import Selection, fits
from dedup.source import Document

DOCUMENT = Document("books/emma.txt", "", corpus="Books 2024", licence="CC-BY-4.0", owner="Jane")


@pytest.mark.parametrize(
    ("selection", "is_meant"),
    [
        (Selection.of(), True),
        (Selection.of(document="books/emma.txt"), True),
        (Selection.of(document="books/*"), False),
        (Selection.of(document=["x", "books/emma.txt"], corpus="books*"), True),
        (Selection.of(document="books/emma.txt", corpus="film*"), False),
        (Selection.of(corpus="BOOKS ????", licence=["MIT", "cc-*"], owner="jane"), True),
        (Selection.of(owner=""), False),
        (Selection.of(document=[]), False),
        (Selection.of(corpus=[]), False),
    ],
)
def test_document_fits_every_kind_and_of_each_one_value(
    selection: Selection, is_meant: bool
) -> None:
    assert selection.fits(DOCUMENT) is is_meant


def test_nothing_given_is_told_from_an_empty_list() -> None:
    assert not Selection.of().is_given
    assert Selection.of(document=[]).is_given


def test_no_pattern_fits_nothing_and_an_empty_one_what_has_no_label() -> None:
    assert not fits("books", ())
    assert fits("", [""]) and not fits("books", [""])
