"""The secret under which an index is built: 16 bytes in a file of their own.

Without its key an index answers nothing; with both, anyone can ask whether a text is in it. So the
key file lives beside the user's configuration, never in the index, readable by its owner alone.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dedup import _core
from dedup.errors import WrongKey

__all__ = ["Key", "KeyRing", "default_key", "default_key_path"]

KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Key:
    """A 128-bit SipHash key and the id that names it without telling it.

    Attributes
    ----------
    secret : bytes
        16 bytes; not shown by ``repr``.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a key is {KEY_BYTES} bytes, got {len(self.secret)}")

    @property
    def id(self) -> int:
        """64-bit name of the key; an index stores it and refuses other keys."""
        return _core.key_id(self.secret)

    @classmethod
    def load(cls, path: str | Path) -> "Key":
        """Read a key file: 32 hexadecimal digits, mode 0600 or stricter.

        Raises
        ------
        WrongKey
            If the file is no key or others may read it.
        OSError
            If it can't be read.
        """
        path = Path(path)
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise WrongKey(f"{path}: others may read this key; run: chmod 600 {path}")
            text = file.read(4096)
        try:
            secret = bytes.fromhex(text.decode("ascii").strip())
            return cls(secret)
        except ValueError:
            raise WrongKey(
                f"{path}: not a key file; expected {2 * KEY_BYTES} hexadecimal digits"
            ) from None

    @classmethod
    def generate(cls, path: str | Path) -> "Key":
        """Make a key of random bytes and write it to `path`, which must not exist yet."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        key = cls(secrets.token_bytes(KEY_BYTES))
        # Written whole under another name first: two processes may both be the first.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(key.secret.hex().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        finally:
            temporary.unlink()
        return key


def default_key_path() -> Path:
    """``$XDG_CONFIG_HOME/dedup/key``, by default ``~/.config/dedup/key``."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "dedup" / "key"


def default_key(*, create: bool = False) -> Key:
    """The user's key; with `create`, made on first use.

    Raises
    ------
    WrongKey
        If there is none and `create` is false.
    """
    path = default_key_path()
    if create and not path.exists():
        try:
            return Key.generate(path)
        except FileExistsError:
            pass
    try:
        return Key.load(path)
    except FileNotFoundError:
        raise WrongKey(
            f"no key at {path}: this index is keyed; copy the key file it was made with there, "
            "or name it (--key FILE, key=Key.load(FILE))"
        ) from None


class KeyRing:
    """The keys that an index is opened with; more than one while it moves from one to the next.

    Parameters
    ----------
    keys : Key, iterable of Key, "default" or None
        ``"default"`` is the user's key, looked for when it is needed. None opens what has no key.
    """

    def __init__(self, keys: Key | Iterable[Key] | Literal["default"] | None) -> None:
        self._may_look = keys == "default"
        self._secrets: dict[int, bytes | None] = {0: None}
        if keys is not None and not isinstance(keys, str):
            for key in [keys] if isinstance(keys, Key) else keys:
                self.add(key)

    def add(self, key: Key | None) -> int:
        """Take a key up; its id, 0 for none."""
        if key is None:
            return 0
        self._secrets[key.id] = key.secret
        return key.id

    def secrets(self, ids: Iterable[int], where: str) -> Mapping[int, bytes | None]:
        """The secrets by the ids of their keys, if these ids are among them.

        Raises
        ------
        WrongKey
            If one is not; the message begins with `where`.
        """
        missing = [id for id in ids if id not in self._secrets]
        if missing and self._may_look:
            self.add(default_key())
            missing = [id for id in missing if id not in self._secrets]
        if missing:
            made = " and ".join(f"{id:016x}" for id in missing)
            have = " and ".join(f"{id:016x}" for id in self._secrets if id)
            raise WrongKey(
                f"{where}: made with key {made}, given is {have}; pass every key it was made with "
                "(--key FILE, key=Key.load(FILE))"
                if have
                else f"{where}: is keyed; pass the key it was made with, {made} "
                "(--key FILE, key=Key.load(FILE))"
            )
        return dict(self._secrets)
