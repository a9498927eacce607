"""A writer that is killed loses nothing acknowledged; ``python tests/crash.py`` kills thousands."""

from crash import kills, kills_at_every_call


def test_a_writer_killed_at_any_time_leaves_the_old_state_or_the_new() -> None:
    assert kills(40, seed=2).total() == 40


def test_a_writer_killed_at_every_call_leaves_the_old_state_or_the_new() -> None:
    assert kills_at_every_call(seed=2, last=3) > 20
