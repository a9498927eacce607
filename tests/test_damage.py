"""A damaged index is refused or answers as ever; ``python tests/damage.py`` flips every bit."""

from damage import damaged


def test_a_damaged_index_is_refused_or_answers_as_if_it_were_whole() -> None:
    outcomes = damaged(seed=1, flips=4000, cuts=400)
    assert outcomes.keys() <= {
        "FormatError",
        "WrongKey",
        "FileNotFoundError",
        "OSError",
        "IsADirectoryError",
        "same answers",
    }
