"""Readers beside a writer see whole commits; ``python tests/readers.py`` shows them thousands."""

import errno
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from crash import in_child
from faults import mounted
from readers import readers_against, threads_against
from workload import CREATED, KEY, KEYS, Workload, assert_at, play

from dedup.errors import IndexLocked
from dedup.index import Index


def test_readers_beside_a_writer_never_see_a_mix() -> None:
    answers, seen = readers_against(commits=150, readers=3, seed=3)
    assert answers > 60
    assert seen > 5


def test_threads_of_a_reader_that_is_reloaded_never_see_a_mix() -> None:
    assert threads_against(commits=100, threads=2, seed=4) > 0


def built(path: Path) -> Workload:
    workload = Workload(5)
    with Index.create(path, key=KEY) as index:
        for number in range(3):
            play(index, workload.step(number))
    return workload


def test_a_writer_in_another_process_is_refused_at_once(tmp_path: Path) -> None:
    workload = built(tmp_path / "index")

    def second(pipe: int) -> None:
        began = time.monotonic()
        with pytest.raises(IndexLocked, match="is writing to this index"):
            Index.open(tmp_path / "index", key=KEYS, writable=True)
        assert time.monotonic() - began < 1
        with Index.open(tmp_path / "index", key=KEYS) as reader:
            assert_at(reader, workload, (2,))

    with Index.open(tmp_path / "index", key=KEYS, writable=True):
        status, _ = in_child(second, lambda child, pipe: None)
    assert status == 0


def test_an_index_in_a_folder_that_nobody_may_write_opens_for_reading() -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming somebody else takes root")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "index"
        workload = built(path)

        def nobody(pipe: int) -> None:
            os.setgid(65534)
            os.setuid(65534)
            with Index.open(path, key=KEYS) as reader:
                assert_at(reader, workload, (2,))
                reader.verify()
            with pytest.raises(PermissionError):
                Index.open(path, key=KEYS, writable=True)

        status, _ = in_child(nobody, lambda child, pipe: None)
        assert status == 0


def test_an_index_on_a_read_only_file_system_opens_for_reading(tmp_path: Path) -> None:
    path = tmp_path / "index"

    def read(pipe: int) -> None:
        with Index.open(path, key=KEYS) as reader:
            assert_at(reader, Workload(5), (2,))
            assert reader.reload() is False
            reader.verify()
        with pytest.raises(OSError) as refused:
            Index.open(path, key=KEYS, writable=True)
        assert refused.value.errno == errno.EROFS

    try:
        with mounted(tmp_path, "size=2m"):
            built(path)
            (path / "LOCK").unlink()  # a copy may come without
            subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
            status, _ = in_child(read, lambda child, pipe: None)
            assert status == 0
    except PermissionError as error:
        pytest.skip(str(error))


def test_an_index_created_and_never_written_is_empty(tmp_path: Path) -> None:
    Index.create(tmp_path / "index", key=KEY).close()
    with Index.open(tmp_path / "index", key=KEYS) as reader:
        assert_at(reader, Workload(0), (CREATED.number,))
