"""Repositories made by git itself are read whole, and a hostile one runs nothing."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dedup.errors import SourceError
from dedup.repository import Repository, is_repository
from dedup.source import Document, SourceNote, SourceProblem, read_sources

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

Git = Callable[..., str]

ODD_NAMES = [
    b"new\nline.txt",
    b"caf\xe9.txt",
    b"tab\tand space.txt",
    b'quo"te.txt',
    b"\xc3\xbc/-x.txt",
]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Runs git as a user without settings of their own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    settings = [
        "user.name=n",
        "user.email=e@x",
        "init.defaultBranch=main",
        "protocol.file.allow=always",
    ]

    def git(folder: Path, *arguments: str) -> str:
        options = [word for setting in settings for word in ("-c", setting)]
        command = ["git", *options, "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

    return git


@pytest.fixture
def checkout(tmp_path: Path, git: Git) -> Path:
    """A repository with a commit of two files, one of them hidden, and an ignore file."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init")
    write(folder / "a.txt", "first")
    write(folder / ".github/ci.yml", "on: push")
    write(folder / ".gitignore", "*.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return folder


@pytest.fixture
def bare(tmp_path: Path, git: Git, checkout: Path) -> Path:
    git(tmp_path, "clone", "--bare", "repo", "repo.git")
    return tmp_path / "repo.git"


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def commit(git: Git, folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "-m", "more")
    return git(folder, "rev-parse", "HEAD")


def read(*sources: Path, **options: object) -> tuple[list[Document], list[SourceProblem]]:
    items = list(read_sources(sources, **options))  # type: ignore[arg-type]
    documents = [item for item in items if isinstance(item, Document)]
    return documents, [item for item in items if isinstance(item, SourceProblem)]


def texts(*sources: Path, **options: object) -> dict[str, str]:
    documents, problems = read(*sources, **options)
    assert not problems
    return {document.id: document.text for document in documents}


# ---- what is read --------------------------------------------------------------------------------


def test_checked_out_and_bare_give_the_same_documents(checkout: Path, bare: Path) -> None:
    found = texts(checkout)
    assert list(found) == ["repo/.github/ci.yml", "repo/.gitignore", "repo/a.txt"]
    assert {id.replace("repo/", "repo.git/", 1): text for id, text in found.items()} == texts(bare)


def test_working_tree_is_what_lies_on_disk_without_what_git_ignores(checkout: Path) -> None:
    write(checkout / "a.txt", "changed")
    write(checkout / "new/b.txt", "untracked")
    write(checkout / "noise.log", "ignored")
    write(checkout / ".env", "hidden and not tracked")
    write(checkout / ".venv/x.py", "hidden and not tracked")
    (checkout / ".gitignore").unlink()
    write(checkout / ".git/info/exclude", "*.log\n")
    assert texts(checkout) == {
        "repo/.github/ci.yml": "on: push",
        "repo/a.txt": "changed",
        "repo/new/b.txt": "untracked",
    }


def test_revision_names_the_commit_that_is_read(checkout: Path, bare: Path, git: Git) -> None:
    git(checkout, "tag", "-a", "v1", "-m", "a tag")
    write(checkout / "a.txt", "second")
    second = commit(git, checkout)
    assert texts(checkout)["repo/a.txt"] == "second"
    for name in ("v1", "HEAD~1", "main^"):
        assert texts(checkout, revision=name)["repo/a.txt"] == "first"
    assert texts(checkout, revision=second[:12])["repo/a.txt"] == "second"
    assert texts(bare)["repo.git/a.txt"] == "first"


@pytest.mark.parametrize("revision", ["v9", "", "--all", "HEAD:a.txt", "a\nb", "HEAD^{tree}"])
def test_unknown_revision_is_a_problem_with_a_way_out(checkout: Path, revision: str) -> None:
    documents, problems = read(checkout, revision=revision)
    assert not documents
    assert problems[0].reason.startswith(f"no commit is called {revision!r}; see: git -C ")


def test_revision_of_what_is_no_repository_is_a_problem(tmp_path: Path) -> None:
    for source in (write(tmp_path / "d/a.txt", "a"), tmp_path / "d"):
        documents, problems = read(source, revision="v1")
        assert not documents
        assert problems[0].reason == "is no git repository; leave out --revision"


def test_odd_names_survive(checkout: Path, bare: Path, tmp_path: Path, git: Git) -> None:
    for name in ODD_NAMES:
        write(Path(os.fsdecode(os.fsencode(checkout) + b"/" + name)), name.hex())
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    expected = {name.decode("utf-8", "backslashreplace"): name.hex() for name in ODD_NAMES}
    for source in (checkout, bare):
        found = texts(source)
        assert {name: found[f"{source.name}/{name}"] for name in expected} == expected
        for id in found:
            id.encode()


def test_links_and_submodules_are_left_out_and_counted(
    checkout: Path, bare: Path, tmp_path: Path, git: Git
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init")
    write(other / "secret.txt", "of another repository")
    commit(git, other)
    git(checkout, "submodule", "add", str(other), "sub")
    (checkout / "link.txt").symlink_to("/etc/passwd")
    (checkout / "loop").symlink_to(".")
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    git(tmp_path, "clone", str(other), "repo/inner")  # not tracked, a repository of its own
    for source, modules in ((checkout, "2 submodules"), (bare, "1 submodule")):
        notes: list[SourceNote] = []
        found = texts(source, note=notes.append)
        assert {Path(id).name for id in found} == {"ci.yml", ".gitignore", ".gitmodules", "a.txt"}
        (note,) = notes
        assert str(note) == f"{source}: left out {modules}, 2 symbolic links"


def test_folder_that_became_a_link_leads_nowhere(checkout: Path, tmp_path: Path, git: Git) -> None:
    write(checkout / "in/b.txt", "inside")
    commit(git, checkout)
    write(tmp_path / "outside/b.txt", "outside")
    shutil.rmtree(checkout / "in")
    (checkout / "in").symlink_to(tmp_path / "outside")
    assert "outside" not in texts(checkout).values()


def test_bytes_that_are_no_text(checkout: Path, bare: Path, git: Git) -> None:
    write(checkout / "image.png", b"\x89PNG\r\n\x1a\n\0\0" + os.urandom(300_000))
    write(checkout / "latin.txt", b"caf\xe9")
    write(checkout / "empty.txt", b"")
    write(checkout / "z.txt", "after")
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    for source in (checkout, bare):
        notes: list[SourceNote] = []
        documents, (problem,) = read(source, note=notes.append)
        assert "" in [document.text for document in documents]
        assert "after" in [document.text for document in documents]
        assert problem.name == str(source / "latin.txt")
        assert (problem.place, problem.reason[:17]) == ("byte 3", "0xe9 is not UTF-8")
        assert notes[0].left_out == {"binary file": 1}


def test_packed_files_and_rows_of_a_commit_are_read(checkout: Path, bare: Path, git: Git) -> None:
    import gzip

    write(checkout / "a.txt.gz", gzip.compress(b"packed"))
    write(checkout / "cut.txt.gz", gzip.compress(os.urandom(5000))[:900])
    write(checkout / "rows.jsonl", '{"id": "one", "text": "1"}\n{"id": "two", "text": "2"}\n')
    write(checkout / "data.jsonl", '{"n": 1}\n')
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    for source in (checkout, bare):
        documents, (problem,) = read(source)
        found = {document.id: document.text for document in documents}
        assert found[f"{source.name}/a.txt.gz"] == "packed"
        assert (found["one"], found["two"]) == ("1", "2")
        assert found[f"{source.name}/data.jsonl"] == '{"n": 1}\n'
        assert problem.reason.startswith("damaged gzip")


def test_repositories_inside_a_folder_are_read_as_such(
    checkout: Path, bare: Path, tmp_path: Path
) -> None:
    write(checkout / "noise.log", "ignored")
    found = texts(tmp_path)
    name = tmp_path.name
    assert f"{name}/repo/a.txt" in found
    assert f"{name}/repo.git/a.txt" in found
    assert not [id for id in found if "noise" in id or "HEAD" in id]


def test_index_inside_a_working_tree_is_no_source(checkout: Path) -> None:
    write(checkout / "own.idx/MANIFEST", "{}")
    assert "repo/own.idx/MANIFEST" not in texts(checkout, skip=checkout / "own.idx")
    assert "repo/own.idx/MANIFEST" in texts(checkout)


def test_worktree_of_a_repository_is_read(checkout: Path, tmp_path: Path, git: Git) -> None:
    git(checkout, "worktree", "add", "../beside")
    assert texts(tmp_path / "beside")["beside/a.txt"] == "first"


def test_files_of_a_repository_without_commits(tmp_path: Path, git: Git) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init")
    assert "holds no text" in str(read(folder)[1][0])
    write(folder / "a.txt", "not yet added")
    assert texts(folder) == {"new/a.txt": "not yet added"}
    git(tmp_path, "init", "--bare", "new.git")
    documents, problems = read(tmp_path / "new.git")
    assert not documents
    assert problems[0].reason == "HEAD names no commit; name one with --revision"


def test_many_blobs_larger_than_any_pipe(checkout: Path, bare: Path, git: Git) -> None:
    for number in range(40):
        write(checkout / f"big/{number}.txt", f"{number} word " * 20_000)
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    found = texts(bare)
    assert all(found[f"repo.git/big/{n}.txt"] == f"{n} word " * 20_000 for n in range(40))


def test_reader_that_stops_early_leaves_no_process(bare: Path) -> None:
    items = read_sources([bare])
    next(items)
    items.close()  # type: ignore[attr-defined]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = [Path(f"/proc/{child}/comm").read_text().strip() for child in children]
    assert "git" not in names


# ---- licences and addresses ----------------------------------------------------------------------


def test_licence_is_that_of_the_commit(checkout: Path, bare: Path, git: Git) -> None:
    write(checkout / "z/COPYING", "Mozilla Public License Version 2.0 ... Covered Software ...")
    write(checkout / "z/deep/own.c", "// SPDX-License-Identifier: MIT\n")
    write(checkout / "z/deep/plain.c", "int x;\n")
    write(checkout / "z/deep/art.svg", "<svg/>")
    write(checkout / "z/deep/art.svg.license", "SPDX-License-Identifier: CC-BY-4.0")
    write(checkout / "package.json", '{"license": "ISC"}')
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    for source in (checkout, bare):
        found = {document.id.partition("/")[2]: document.licence for document in read(source)[0]}
        assert found["a.txt"] == "ISC"
        assert found["z/deep/own.c"] == "MIT"
        assert found["z/deep/plain.c"] == "MPL-2.0"
        assert found["z/deep/art.svg"] == "CC-BY-4.0"
        assert not {document.licence for document in read(source, licence="mine")[0]} - {"mine"}


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r/blob/{}/a.txt"),
        ("https://user:secret@github.com/o/r", "https://github.com/o/r/blob/{}/a.txt"),
        ("git@github.com:o/r.git", "https://github.com/o/r/blob/{}/a.txt"),
        ("ssh://git@gitlab.com:22/g/s/r.git", "https://gitlab.com/g/s/r/-/blob/{}/a.txt"),
        ("https://bitbucket.org/o/r", "https://bitbucket.org/o/r/src/{}/a.txt"),
        ("https://codeberg.org/o/r/", "https://codeberg.org/o/r/src/commit/{}/a.txt"),
        ("https://example.org/o/r", ""),
        ("https://github.com/{id}/r", ""),
        ("https://github.com/o", ""),
        ("https://[github.com/o/r", ""),
        ("/srv/r.git", ""),
    ],
)
def test_page_at_a_known_host_is_the_default_address(
    checkout: Path, git: Git, remote: str, page: str
) -> None:
    git(checkout, "config", "remote.origin.url", remote)
    write(checkout / "untracked.txt", "not there")
    found = {document.id: document.url for document in read(checkout)[0]}
    head = git(checkout, "rev-parse", "HEAD")
    assert found["repo/a.txt"] == page.format(head)
    assert found["repo/untracked.txt"] == ""
    assert "secret" not in "".join(found.values())


def test_address_is_filled_in(checkout: Path, git: Git) -> None:
    documents, _ = read(checkout, url="https://x/{revision}/{path}#{id}")
    head = git(checkout, "rev-parse", "HEAD")
    assert documents[-1].url == f"https://x/{head}/a.txt#repo/a.txt"


# ---- hostile and damaged -------------------------------------------------------------------------


def test_nothing_that_a_repository_configures_is_run(
    checkout: Path, bare: Path, tmp_path: Path, git: Git
) -> None:
    canary = tmp_path / "canary"
    script = write(tmp_path / "evil.sh", f"#!/bin/sh\ntouch {canary}\ncat\n")
    script.chmod(0o755)
    write(checkout / ".gitattributes", "* filter=evil diff=evil textconv=evil\n")
    commit(git, checkout)
    git(bare, "fetch", "origin", "main:main")
    settings = {
        "core.fsmonitor": str(script),
        "core.pager": str(script),
        "pager.ls-files": str(script),
        "pager.ls-tree": str(script),
        "pager.config": str(script),
        "core.sshCommand": str(script),
        "core.askPass": str(script),
        "core.editor": str(script),
        "core.alternateRefsCommand": str(script),
        "credential.helper": str(script),
        "diff.external": str(script),
        "diff.evil.textconv": str(script),
        "diff.evil.command": str(script),
        "filter.evil.clean": str(script),
        "filter.evil.smudge": str(script),
        "filter.evil.process": str(script),
        "filter.evil.required": "true",
        "alias.ls-files": f"!{script}",
        "alias.cat-file": f"!{script}",
        "uploadpack.packObjectsHook": str(script),
        "remote.origin.url": f"ext::{script}",
        "remote.origin.uploadpack": str(script),
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "extensions.partialClone": "origin",
        "core.repositoryformatversion": "1",
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "core.untrackedCache": "true",
    }
    stores = [checkout / ".git", bare]
    for store in stores:
        for name, value in settings.items():
            git(tmp_path, "config", "--file", str(store / "config"), name, value)
        for hook in (
            "post-index-change",
            "post-checkout",
            "fsmonitor-watchman",
            "reference-transaction",
        ):
            shutil.copy(script, write(store / f"hooks/{hook}", ""))
    for path in checkout.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            os.utime(path, (1, 1))  # looks changed to git
    # An object that is missing is what git would fetch from the remote.
    blob = git(checkout, "rev-parse", "HEAD:a.txt")
    removed = checkout / ".git/objects" / blob[:2] / blob[2:]
    removed.unlink()
    for options in ({}, {"revision": "HEAD"}):
        assert read(checkout, **options)[0]
    _, problems = read(checkout, revision="HEAD")
    assert [problem.name for problem in problems] == [str(checkout / "a.txt")]
    assert problems[0].reason.startswith(f"object {blob} is missing; see what is damaged with: git")
    assert texts(bare)
    assert not canary.exists()


def test_canary_would_have_been_touched(checkout: Path, tmp_path: Path, git: Git) -> None:
    canary = tmp_path / "canary"
    script = write(tmp_path / "evil.sh", f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(script))
    subprocess.run(["git", "-C", str(checkout), "ls-files", "--others"], capture_output=True)
    assert canary.exists()


def test_working_tree_is_not_where_the_configuration_says(
    checkout: Path, tmp_path: Path, git: Git
) -> None:
    write(tmp_path / "elsewhere/secret.txt", "secret")
    git(checkout, "config", "core.worktree", str(tmp_path / "elsewhere"))
    write(checkout / "b.txt", "b")
    assert "repo/b.txt" in texts(checkout)
    assert "secret" not in texts(checkout).values()


def test_environment_of_a_hook_does_not_lead_elsewhere(
    checkout: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "nowhere"))
    assert texts(checkout)["repo/a.txt"] == "first"
    assert texts(checkout, revision="HEAD")["repo/a.txt"] == "first"


def test_repository_of_another_user_is_refused_until_it_is_trusted(
    checkout: Path, tmp_path: Path, git: Git
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in [checkout, *checkout.rglob("*")]:
        os.lchown(path, 65534, 65534)
    documents, problems = read(checkout)
    assert not documents
    way_out = f"git config --global --add safe.directory {checkout.resolve()}"
    assert problems[0].reason.startswith("the repository belongs to another user")
    assert problems[0].reason.endswith(way_out)
    subprocess.run(way_out.split(), check=True)
    assert texts(checkout)["repo/a.txt"] == "first"


def test_missing_git_is_a_problem_with_a_way_out(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    documents, problems = read(checkout)
    assert not documents
    assert problems[0].reason == (
        "a git repository, and the git command that reads it is missing; install git"
    )


def test_damage_is_told_and_what_is_whole_is_read(checkout: Path, git: Git) -> None:
    write(checkout / "b.txt", "whole")
    commit(git, checkout)
    blob = git(checkout, "rev-parse", "HEAD:a.txt")
    damaged = checkout / ".git/objects" / blob[:2] / blob[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"\x78\x01nonsense")
    documents, problems = read(checkout, revision="HEAD")
    assert "whole" in [document.text for document in documents]
    assert [problem.name for problem in problems] == [str(checkout / "a.txt")]
    assert f"see what is damaged with: git -C {checkout.resolve()} fsck" in problems[0].reason


@pytest.mark.parametrize("part", ["index", "HEAD", "config", "objects", "refs/heads/main"])
def test_damaged_part_is_a_problem_or_is_not_needed(checkout: Path, git: Git, part: str) -> None:
    path = checkout / ".git" / part
    if path.is_dir():
        shutil.rmtree(path)
        path.mkdir()
    else:
        path.write_bytes(b"\xffnonsense" * 9)
    for options in ({}, {"revision": "main"}):
        documents, problems = read(checkout, **options)
        assert "first" in [document.text for document in documents] or problems
        assert all(problem.reason for problem in problems)


def test_missing_tree_ends_the_listing_with_a_problem(checkout: Path, git: Git) -> None:
    tree = git(checkout, "rev-parse", "HEAD:.github")
    (checkout / ".git/objects" / tree[:2] / tree[2:]).unlink()
    _, problems = read(checkout, revision="HEAD")
    assert any("git: " in problem.reason and "fsck" in problem.reason for problem in problems)


def test_git_file_that_leads_nowhere_is_a_problem(tmp_path: Path, git: Git) -> None:
    write(tmp_path / "d/.git", "gitdir: /nowhere/at/all\n")
    write(tmp_path / "d/a.txt", "a")
    documents, problems = read(tmp_path / "d")
    assert not documents
    assert "not a git repository: /nowhere/at/all" in problems[0].reason


def test_unreadable_file_of_a_working_tree_is_a_problem(checkout: Path) -> None:
    (checkout / "a.txt").unlink()
    os.mkfifo(checkout / "a.txt")
    _, problems = read(checkout)
    assert problems[0].reason.startswith("is a named pipe, not a regular file")


def test_folder_that_only_looks_like_one_is_no_repository(tmp_path: Path) -> None:
    write(tmp_path / "d/.git/config", "no")
    write(tmp_path / "e/HEAD", "a text about heads")
    write(tmp_path / "e/objects", "a text about objects")
    write(tmp_path / "e/refs", "a text about references")
    for name in ("d", "e"):
        assert not is_repository(
            tmp_path / name, [".git", "HEAD", "objects", "refs"][name == "e" :]
        )
    with pytest.raises(SourceError, match="not a git repository"):
        Repository(tmp_path / "d")
