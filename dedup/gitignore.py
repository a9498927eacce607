"""The ``.gitignore`` files of a folder that is no git repository, as git would apply them.

Of the patterns that name a path, the last one counts, in the nearest file that has one:

    name, *.o, [ab]?        a file or folder of that name, at any depth
    /name, a/b              at that place below the file's folder; ``**`` stands for any folders
    name/                   only a folder
    !name                   not ignored after all; nothing below an ignored folder is looked at

A tree may come from anyone. So no pattern becomes one regular expression, which could be made to
backtrack for hours: a name is matched piece by piece between its stars, each at the first place
where it fits, and a path likewise between its double stars.
"""

import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Ignored"]

_MAX_BYTES: Final = 1 << 20

_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "xdigit": "0-9a-fA-F",
    "punct": r"!-/:-@\[-`{-~",
    "cntrl": r"\x00-\x1f\x7f",
    "print": " -~",
    "graph": "!-~",
}
# One character of a name: a bracket, an escape, any character.
_ATOM: Final = re.compile(
    r"\[(?P<not>[!^]?)(?P<of>\]?(?:\[:\w*:\]|\\.|[^\]\\])*)\]|\\(?P<escaped>.)|(?P<one>[^\[\\])",
    re.DOTALL,
)
_ITEM: Final = re.compile(
    r"\[:(?P<class>\w*):\]|(?P<from>\\.|[^\\])(?:-(?P<to>\\.|[^\]\\]))?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Ignored:
    """What the ``.gitignore`` files in a folder and above it leave out, from the root down."""

    rules: tuple[tuple[str, tuple["_Rule", ...]], ...] = ()

    def below(self, folder: Path, path: str, names: Collection[str]) -> "Ignored":
        """What is ignored in a folder with these names in it, at that path inside the tree."""
        rules = _read(folder / ".gitignore") if ".gitignore" in names else ()
        if not rules:
            return self
        return Ignored((*self.rules, (f"{path}/" if path else "", rules)))

    def __contains__(self, path: str) -> bool:
        """Whether the path inside the tree is left out; that of a folder ends in a slash."""
        is_folder = path.endswith("/")
        for prefix, rules in reversed(self.rules):
            parts = path.removeprefix(prefix).rstrip("/").split("/")
            for rule in reversed(rules):
                if rule.names(parts, is_folder):
                    return rule.is_ignoring
        return False


@dataclass(frozen=True, slots=True)
class _Rule:
    """A line: its parts between slashes, None for ``**``."""

    parts: tuple["_Name | None", ...]
    is_ignoring: bool
    is_anchored: bool
    is_for_folders: bool

    def names(self, path: Sequence[str], is_folder: bool) -> bool:
        if self.is_for_folders and not is_folder:
            return False
        if not self.is_anchored:
            return self.parts[0] is not None and self.parts[0].is_in(path[-1])
        # As for stars in a name: what follows a double star is tried at each place in turn, and
        # once the next double star is reached, no earlier choice needs another look.
        at = part = 0
        star: tuple[int, int] | None = None
        while at < len(path):
            if part < len(self.parts):
                name = self.parts[part]
                if name is None:
                    part += 1
                    star = (part, at)
                    continue
                if name.is_in(path[at]):
                    at, part = at + 1, part + 1
                    continue
            if star is None:
                return False
            part, at = star[0], star[1] + 1
            star = (part, at)
        return part == len(self.parts)


@dataclass(frozen=True, slots=True)
class _Name:
    """A name with wildcards: what stands between its stars, and how many characters that is."""

    pieces: tuple[tuple[re.Pattern[str], int], ...]

    def is_in(self, name: str) -> bool:
        """Whether the pieces are in the name in this order, the outer ones at its ends."""
        (first, width), *_, (last, last_width) = (*self.pieces, self.pieces[-1])
        if len(self.pieces) == 1:
            return len(name) == width and first.match(name) is not None
        end = len(name) - last_width
        if end < width or not first.match(name) or not last.match(name, end):
            return False
        at = width
        for piece, _ in self.pieces[1:-1]:
            found = piece.search(name, at, end)
            if found is None:
                return False
            at = found.end()
        return True


def _read(path: Path) -> tuple[_Rule, ...]:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # git follows no link here either
            return ()
        with path.open("rb") as file:
            text = os.fsdecode(file.read(_MAX_BYTES).removeprefix(b"\xef\xbb\xbf"))
    except OSError:
        return ()
    rules = (_rule(line.removesuffix("\r")) for line in text.split("\n"))
    return tuple(rule for rule in rules if rule is not None)


def _rule(line: str) -> _Rule | None:
    if line.startswith("#"):
        return None
    line = re.sub(r"(?<!\\) +$", "", line)
    is_ignoring = not line.startswith("!")
    pattern = line.removeprefix("!")
    is_for_folders = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    is_anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    if not pattern:
        return None
    parts: list[_Name | None] = []
    names = pattern.split("/")  # also inside a bracket, which cannot hold a slash here
    for place, name in enumerate(names):
        if name == "**" and is_anchored:
            parts.append(None)
            if place < len(names) - 1:
                continue
            name = "*"  # at the end it stands for what is in the folder, not for the folder
        compiled = _name(name)
        if compiled is None:
            return None
        parts.append(compiled)
    return _Rule(tuple(parts), is_ignoring, is_anchored, is_for_folders)


def _name(name: str) -> _Name | None:
    """The compiled name; None if it is no pattern: git takes such a line to name nothing."""
    pieces, widths, at = [""], [0], 0
    while at < len(name):
        atom = _ATOM.match(name, at)
        if atom is None:
            return None
        at = atom.end()
        if atom["one"] == "*":
            pieces.append("")
            widths.append(0)
            continue
        if atom["one"] is not None:
            pieces[-1] += "." if atom["one"] == "?" else re.escape(atom["one"])
        elif atom["escaped"] is not None:
            pieces[-1] += re.escape(atom["escaped"])
        else:
            pieces[-1] += _bracket(atom["of"], bool(atom["not"]))
        widths[-1] += 1
    return _Name(
        tuple((re.compile(piece, re.DOTALL), w) for piece, w in zip(pieces, widths, strict=True))
    )


def _bracket(items: str, is_negated: bool) -> str:
    """The regular expression of one character that is, or is not, among the items."""
    chosen = ""
    for item in _ITEM.finditer(items):
        if item["class"] is not None:
            chosen += _CLASSES.get(item["class"], "")
            continue
        first = item["from"].removeprefix("\\") or "\\"
        last = (item["to"] or first).removeprefix("\\") or "\\"
        if first <= last:
            chosen += f"{re.escape(first)}-{re.escape(last)}"
    if not chosen:
        return "." if is_negated else r"(?!)."
    return f"[{'^' if is_negated else ''}{chosen}]"
