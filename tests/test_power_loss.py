"""A loss of power leaves the old state or the new; ``python tests/power_loss.py`` tries more."""

from power_loss import losses


def test_whatever_a_loss_of_power_leaves_is_the_old_state_or_the_new() -> None:
    calls, tried = losses(last=3, seed=3, draws=1)
    assert calls > 40
    assert tried > 100
