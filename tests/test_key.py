"""A ring has the keys that were given, and the user's own when it is needed."""

from pathlib import Path

import pytest

from dedup.errors import WrongKey
from dedup.key import Key, KeyRing, default_key

KEY = Key(b"0123456789abcdef")
OTHER = Key(b"another key here")


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("keys", [[KEY, OTHER], (OTHER, KEY), {KEY, OTHER}])
def test_ring_has_every_key_that_was_given_and_none_for_what_has_none(keys: list[Key]) -> None:
    secrets = KeyRing(keys).secrets([KEY.id, OTHER.id, 0], "i")
    assert (secrets[KEY.id], secrets[OTHER.id], secrets[0]) == (KEY.secret, OTHER.secret, None)


def test_missing_keys_are_named_with_those_that_are_there() -> None:
    with pytest.raises(WrongKey, match=rf"^i: is keyed; .* {KEY.id:016x} \(--key FILE"):
        KeyRing(None).secrets([0, KEY.id], "i")
    with pytest.raises(
        WrongKey, match=rf"^i: made with key {KEY.id:016x}, given is {OTHER.id:016x}"
    ):
        KeyRing(OTHER).secrets([KEY.id, OTHER.id], "i")


def test_own_key_is_looked_for_when_it_is_needed_and_not_made() -> None:
    ring = KeyRing("default")
    assert ring.secrets([0], "i") == {0: None}
    with pytest.raises(WrongKey, match="no key at "):
        ring.secrets([KEY.id], "i")
    own = default_key(create=True)
    assert ring.secrets([own.id], "i")[own.id] == own.secret
    with pytest.raises(WrongKey, match=rf"made with key {KEY.id:016x}, given is {own.id:016x}"):
        ring.secrets([KEY.id], "i")


def test_key_that_is_added_is_on_the_ring() -> None:
    ring = KeyRing(KEY)
    assert ring.add(OTHER) == OTHER.id and ring.add(None) == 0
    assert OTHER.id in ring.secrets([OTHER.id], "i")
