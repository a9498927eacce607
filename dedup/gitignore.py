"""The ``.gitignore`` files of a folder that is no git repository, as git would apply them."""

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["Ignored"]

_MAX_BYTES: Final = 1 << 20

# A pattern becomes a regular expression that backtracks, so that a name of 255 letters against n
# stars takes 255**n / n! steps. Patterns with more stars are passed over: too much is read, not
# too little.
_MAX_STARS: Final = 4


@dataclass(frozen=True, slots=True)
class Ignored:
    """What the ``.gitignore`` files in a folder and above it leave out, from the root down."""

    rules: tuple[tuple[str, "GitIgnoreSpec"], ...] = ()

    def below(self, folder: Path, path: str, names: Collection[str]) -> "Ignored":
        """What is ignored in a folder with these names in it, at that path inside the tree."""
        spec = _spec(folder / ".gitignore") if ".gitignore" in names else None
        if spec is None:
            return self
        return Ignored((*self.rules, (f"{path}/" if path else "", spec)))

    def __contains__(self, path: str) -> bool:
        """Whether the path inside the tree is left out; that of a folder ends in a slash."""
        for prefix, spec in reversed(self.rules):  # the nearest file that has a say decides
            include = spec.check_file(path.removeprefix(prefix)).include
            if include is not None:
                return include
        return False


def _spec(path: Path) -> "GitIgnoreSpec | None":
    from pathspec import GitIgnoreSpec  # here, so that `import dedup` stays quick

    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # git follows no link here either
            return None
        with path.open("rb") as file:
            text = os.fsdecode(file.read(_MAX_BYTES).removeprefix(b"\xef\xbb\xbf"))
    except OSError:
        return None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    lines = [line for line in lines if line.replace("**", "*").count("*") <= _MAX_STARS]
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
