"""Calls that fail are told and lose nothing; ``python tests/faults.py`` fails every one."""

import pytest
from faults import FAULTS, file_size_limits, full_disks, sweep


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_call_that_fails_is_told_and_loses_nothing(name: str, for_good: bool) -> None:
    # A stride that has no factor in common with the calls of a commit, from another start each.
    start = 1 + FAULTS.index(name) + 2 * for_good
    runs, calls = sweep(name, for_good, seed=1, start=start, stride=37)
    assert runs > 1
    assert calls > 20


def test_a_file_that_may_grow_no_further_fails_the_commit_and_nothing_else() -> None:
    outcomes = file_size_limits(seed=2, limits=range(500, 20_000, 1500))
    assert outcomes["refused"] > 2


def test_a_full_disk_fails_the_commit_and_nothing_else() -> None:
    try:
        outcomes = full_disks(seed=2, spaces=range(0, 80_000, 8192))
    except PermissionError as error:
        pytest.skip(str(error))
    assert outcomes["refused"] > 2
