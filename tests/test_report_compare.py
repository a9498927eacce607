"""Two passages word by word: nothing is lost, and what answers to what is found."""

import time

from hypothesis import given
from hypothesis import strategies as st

from dedup.reports.compare import Piece, compare

MARKS = {"same": "{}", "renamed": "~{}~", "changed": "[{}]", "only": "<{}>"}


def marked(pieces: tuple[Piece, ...]) -> str:
    return "".join(MARKS[piece.change].format(piece.text) for piece in pieces)


def test_words_are_the_same_changed_added_or_left_out() -> None:
    found = compare("The cat, the big cat, sat on the mat.", "the dog, the cat, sat on a mat now.")
    assert marked(found.original) == "The [cat], the <big> cat, sat on [the] mat."
    assert marked(found.copy) == "the [dog], the cat, sat on [a] mat <now>."
    assert found.renamed == ()


def test_names_of_code_are_renamed_and_listed() -> None:
    found = compare(
        "def area(w, h):\n    return w * h",
        "def size(a, b):\n  return a * b",
        is_renamed=True,
    )
    assert marked(found.original) == "def ~area~(~w~, ~h~):\n    return ~w~ * ~h~"
    assert marked(found.copy) == "def ~size~(~a~, ~b~):\n  return ~a~ * ~b~"
    assert found.renamed == (("w", "a"), ("h", "b"), ("area", "size"))


def test_comment_that_was_taken_out_stands_on_one_side_only() -> None:
    found = compare("f(x)  # of all things\ng(x)", "f(y)\ng(y)", is_renamed=True)
    assert marked(found.original) == "f(~x~)  <# of all things>\ng(~x~)"
    assert marked(found.copy) == "f(~y~)\ng(~y~)"


def test_original_of_a_copy_that_goes_on_ends_where_the_copy_does() -> None:
    found = compare("a b c d e f g h", "a b c", is_cut=True)
    assert marked(found.original) == marked(found.copy) == "a b c"
    assert compare("a b", "c", is_cut=False).original != ()


words = st.lists(st.sampled_from(["a", "B", "b_1", "2", ",", "(", "é", "漢", "\n", "😀", "\t"]))


@given(words.map(" ".join), words.map(" ".join), st.booleans())
def test_both_sides_are_whole_and_agree(original: str, copy: str, is_renamed: bool) -> None:
    found = compare(original, copy, is_renamed=is_renamed)
    assert "".join(piece.text for piece in found.original) == original
    assert "".join(piece.text for piece in found.copy) == copy

    def answering(pieces: tuple[Piece, ...], change: str) -> int:
        return sum(piece.change == change for piece in pieces)

    for change in ("changed", "renamed"):
        assert answering(found.original, change) == answering(found.copy, change)
    same = ["".join("".join(p.text.split()) for p in side if p.change == "same") for side in
            (found.original, found.copy)]  # fmt: skip
    assert same[0].casefold() == same[1].casefold()


@given(words.map(" ".join))
def test_text_is_the_same_as_itself(text: str) -> None:
    assert {piece.change for piece in compare(text, text).copy} <= {"same"}


def test_longest_passages_take_a_fraction_of_a_second() -> None:
    one, other = "a b c ( ) " * 2000, "b a ( c ) " * 2000
    start = time.perf_counter()
    compare(one, other, is_renamed=True)
    assert time.perf_counter() - start < 5  # 0.4 s on an idle machine
