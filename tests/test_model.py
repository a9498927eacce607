"""An index does what a dict would; ``python tests/model.py`` tries far more sequences."""

from model import try_sequences


def test_an_index_does_what_a_dict_would() -> None:
    try_sequences(count=60, operations=30)
