"""The secret under which an index is built: 16 bytes in a file of their own.

Without its key an index answers nothing; with both, anyone can ask whether a text is in it. So the
key file lives beside the user's configuration, never in the index, readable by its owner alone.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from dedup import _core
from dedup.errors import WrongKey

__all__ = ["Key", "default_key", "default_key_path"]

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
