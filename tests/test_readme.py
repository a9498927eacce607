"""The README's commands do what it says: they are run, and its output is compared line by line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the README's commands name, and a key, by which scores vary a little."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    key = tmp_path / "config" / "dedup" / "key"
    key.parent.mkdir(parents=True)
    key.touch(mode=0o600)
    key.write_text("00112233445566778899aabbccddeeff\n")
    monkeypatch.setenv("COLUMNS", "100")
    shutil.copytree(ROOT / "tests" / "data", tmp_path / "tests" / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(commands: str) -> subprocess.CompletedProcess[str]:
    # Setting up is what a test run has done already.
    wanted = "&&".join(part for part in commands.split("&&") if "dedup " in part)
    wanted = re.sub(r"(?m)^\s*dedup ", f"{sys.executable} -m dedup ", wanted)
    return subprocess.run(["bash", "-c", wanted], capture_output=True, text=True)


def shown_after(command: str) -> list[str]:
    """The lines of output that the README shows for a command, but for those it leaves out."""
    number = next(i for i, (_, block) in enumerate(BLOCKS) if command in block)
    return [line for line in BLOCKS[number + 1][1].splitlines() if line.strip() not in ("", "…")]


@pytest.mark.parametrize("source", ["tests/data/books", "tests/data/code/timetable"])
def test_commands_print_what_the_readme_shows(checkout: Path, source: str) -> None:
    command = next(block for kind, block in BLOCKS if kind == "sh" and source in block)
    ran = shell(command)
    assert ran.returncode == 1 and ran.stderr == ""
    # Containment weighs words by the fingerprints they have under this key: its last digit varies.
    printed = iter(re.sub(r"containment [\d.]+", "containment", ran.stdout).splitlines())
    for line in shown_after(source):
        assert re.sub(r"containment [\d.]+", "containment", line) in printed, line


def test_python_examples_run_as_pasted_one_after_the_other(checkout: Path) -> None:
    # Those after them are of other programs, and run in tests of their own.
    first, second, *_ = (block for kind, block in BLOCKS if kind == "python")
    ran = subprocess.run([sys.executable, "-c", first + second], capture_output=True, text=True)
    assert ran.stderr == ""
    assert ran.stdout.startswith("block war-of-the-worlds.txt Span(")
    assert ran.stdout.endswith("\nThe last words of the generated text. allow\n")


def test_policy_example_is_a_policy(checkout: Path) -> None:
    from dedup.policy import Policy

    code = next(block for kind, block in BLOCKS if kind == "toml")
    assert [rule.name for rule in Policy.from_toml(code).rules][:2] == ["ours", "cite"]
