"""The hook that pre-commit runs, by pre-commit itself: a commit with a copy in it is refused.

Here the hook runs from this environment; `python tests/test_precommit.py` has pre-commit install it
from a clone of this repository, as a user's would, which takes minutes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from test_filter import HARMLESS, PROTECTED

from dedup.document import Document
from dedup.index import Index

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
PRE_COMMIT = [sys.executable, "-m", "pre_commit"]

needs_tools = pytest.mark.skipif(
    shutil.which("git") is None or subprocess.run([*PRE_COMMIT, "--version"]).returncode != 0,
    reason="git or pre-commit is not installed",
)


def run(*command: object, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=env, capture_output=True, text=True
    )


def repository(folder: Path, repo: dict[str, Any]) -> dict[str, str]:
    """A git repository under pre-commit, and an index beside it; the environment of commits."""
    env = dict(os.environ)
    env |= dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "n")
    env |= dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "e@x")
    env |= {"PRE_COMMIT_HOME": str(folder / "cache"), "GIT_CONFIG_GLOBAL": os.devnull}
    with Index.create(folder / "books.idx", key=None) as index:
        index.add([Document("moby", PROTECTED, licence="PD")])
        index.commit()
    work = folder / "work"
    work.mkdir()
    (hook,) = repo["hooks"]
    hook["args"] = ["--index", str(folder / "books.idx"), "--no-key"]
    config = json.dumps({"repos": [repo]})  # which is YAML too
    (work / ".pre-commit-config.yaml").write_text(config)
    run("git", "init", "-q", ".", folder=work, env=env)
    installed = run(*PRE_COMMIT, "install", folder=work, env=env)
    assert installed.returncode == 0, installed.stderr
    return env


def commit(work: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    run("git", "add", ".", folder=work, env=env)
    return run("git", "commit", "-q", "-m", "it", folder=work, env=env)


def refuses_a_copy(folder: Path, repo: dict[str, Any]) -> None:
    env = repository(folder, repo)
    work = folder / "work"
    (work / "empty.py").touch()
    (work / "image.png").write_bytes(b"\x89PNG\0")
    (work / "fine.txt").write_text(HARMLESS)
    clean = commit(work, env)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    (work / "copy.txt").write_text(PROTECTED)
    refused = commit(work, env)
    assert refused.returncode == 1
    assert "BLOCK  copy.txt" in refused.stderr and "licence PD" in refused.stderr
    assert "fine.txt" not in refused.stderr


@needs_tools
def test_manifest_is_one() -> None:
    done = run(*PRE_COMMIT, "validate-manifest", MANIFEST, folder=ROOT, env=dict(os.environ))
    assert (done.returncode, done.stdout) == (0, "")


@needs_tools
def test_configuration_in_the_readme_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "config.yaml").write_text(block)
    done = run(*PRE_COMMIT, "validate-config", "config.yaml", folder=tmp_path, env=dict(os.environ))
    assert (done.returncode, done.stdout) == (0, "")


@needs_tools
def test_commit_of_a_copy_is_refused_and_of_other_files_made(tmp_path: Path) -> None:
    import yaml  # comes with pre-commit

    (hook,) = yaml.safe_load(MANIFEST.read_text())
    program, _, arguments = hook["entry"].partition(" ")
    assert (program, hook["language"]) == ("dedup", "python")
    here = f"env PYTHONPATH={ROOT} {sys.executable} -m dedup {arguments}"
    hook |= {"language": "system", "entry": here}
    refuses_a_copy(tmp_path, {"repo": "local", "hooks": [hook]})


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "dedup"
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        revision = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=clone, text=True)
        hooks = [{"id": "dedup"}]
        refuses_a_copy(Path(folder), {"repo": str(clone), "rev": revision.strip(), "hooks": hooks})
        print("a commit of a copy was refused, others were made")
