"""Files that git would ignore are ignored without git; git itself is the oracle."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.source import Document, read_sources

FILES = [
    *("a.o", "b.c", "c d.c", "#x", "!y", "a]b", "build/a.o", "build/b.c", "build/deep/a.o"),
    *("src/build/b.c", "src/a.o", "src/deep/b.c", "src/deep/er/a.o", "aab/aXb", "aab/ab"),
]

NAMES = [
    *("a.o", "b.c", "build", "src", "deep", "*.o", "*.c", "*", "**", "a**b", "?.c", "a?b", "a*b"),
    *("[ab].?", "[!a]*", "[a-c].o", "[^b-]*.*", "[[:alpha:]].c", "[]a]*", "a[]]b", "[z-a]*", "[a"),
    *("\\a.o", "\\#x", "\\!y", "#x", "*a*b*", "*d*.c", "b\\", "*.*.*"),
]

names = st.sampled_from(NAMES)
patterns = st.builds(
    lambda sign, parts, tail: sign + "/".join(parts) + tail,
    st.sampled_from(["", "", "!", "/", "!/"]),
    st.lists(names, min_size=1, max_size=4),
    st.sampled_from(["", "", "/", " ", "/**", "\r", "\\ ", " d.c"]),
).filter(lambda pattern: "[a/" not in pattern)  # to git this opens a bracket that holds a slash
ignore_files = st.dictionaries(
    st.sampled_from(["", "src/", "build/"]), st.lists(patterns, max_size=5), max_size=3
)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=100, deadline=None)
@given(ignore_files)
def test_what_is_ignored_is_what_git_ignores(rules: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "d")
        for name in FILES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        for place, lines in rules.items():
            (root / place / ".gitignore").write_text("\n".join(lines))
        git = ["git", "-c", "core.excludesFile=/dev/null", "-C", str(root)]
        subprocess.run([*git, "init", "-q"], check=True, capture_output=True)
        listing = [*git, "ls-files", "-z", "--others", "--exclude-standard"]
        listed = subprocess.run(listing, check=True, capture_output=True).stdout
        expected = {name for name in os.fsdecode(listed).split("\0") if name in FILES}
        shutil.rmtree(root / ".git")
        found = {item.text for item in read_sources([root]) if isinstance(item, Document)}
        assert found == expected
