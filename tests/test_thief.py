"""A thief who has an index and not its key learns nothing: benchmarks/thief.py, in short."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def thief() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("thief", ROOT / "benchmarks/thief.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["thief"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["thief"]


@pytest.fixture(scope="module")
def rows(thief: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    probes = thief.Probes(thief.draw([ROOT / "tests/data"], 400, (40, 150), seed=1))
    work = tmp_path_factory.mktemp("thief")
    found = [*thief.on_one_state(work, probes), *thief.on_two_states(work, probes)]
    return {row.attack: row for row in found}


# These texts are too short and too few for it.
_TOO_WEAK = "Whole documents: how often their seeds repeat"


def test_every_attack_tells_the_texts_of_an_index_without_key(rows: dict[str, Any]) -> None:
    failed = [
        f"{row.attack}: {row.plain}"
        for row in rows.values()
        if row.plain.low < 0.6 and not row.attack.startswith(_TOO_WEAK)
    ]
    assert failed == []


def test_no_attack_tells_the_texts_of_an_index_with_a_key(rows: dict[str, Any]) -> None:
    told = []
    for row in rows.values():
        half = row.keyed.probes / 2
        error = ((2 * half + 1) / (12 * half * half)) ** 0.5  # of a guess: Mann-Whitney
        if abs(row.keyed.value - 0.5) > 4 * error:
            told.append(f"{row.attack}: {row.keyed}")
    assert told == []


def test_thief_hashes_as_the_core_does(thief: ModuleType) -> None:
    import numpy as np

    from dedup import _core

    key, words = bytes(range(16)), np.array([0, 1, 2**64 - 1, 0x0123456789ABCDEF], np.uint64)
    assert thief.siphash(key, words).tolist() == [_core.siphash(key, int(w)) for w in words]
    assert thief.fmix64(words).tolist() == _core.fmix64(words).tolist()
