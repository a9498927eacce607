"""A loss of power leaves the old state or the new; ``python tests/power_loss.py`` tries more."""

import pytest
from power_loss import losses, losses_after_kills


def test_whatever_a_loss_of_power_leaves_is_the_old_state_or_the_new() -> None:
    calls, tried = losses(last=3, seed=3, draws=3)
    assert calls > 40
    assert tried > 100


def test_a_loss_of_power_after_a_kill_leaves_what_was_acknowledged() -> None:
    calls, tried = losses_after_kills(seed=4, draws=0, stride=3)
    assert calls > 40
    assert tried > 100


@pytest.mark.parametrize("end", ["/.segment.writing", "/.MANIFEST.writing", "/index", "/recorded"])
def test_a_sync_that_is_left_out_would_be_noticed(end: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        losses(3, 3, 2, lost=lambda call, path: call == "fsync" and path.endswith(end))
