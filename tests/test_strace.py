"""What the kernel is asked to do in an index's folder was announced to the hook of its Storage.

So a fault that a hook cannot make, in the other tests, cannot happen either. Needs strace.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

# What strace shows, and what it is called by a Storage; what an index never does has no name there.
CALLS = {
    "open": "open",
    "openat": "open",
    "read": "read",
    "pread64": "read",
    "readv": "read",
    "write": "write",
    "pwrite64": "write",
    "writev": "write",
    "fsync": "fsync",
    "fdatasync": "fsync",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "unlink",
    "unlinkat": "unlink",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
    "flock": "flock",
    **dict.fromkeys(["creat", "link", "linkat", "symlink", "symlinkat", "rmdir", "chmod"], ""),
    **dict.fromkeys(["fchmod", "fchmodat", "truncate", "ftruncate", "fallocate", "pwritev"], ""),
    **dict.fromkeys(["sync_file_range", "copy_file_range", "sendfile", "mknod", "mknodat"], ""),
}

SCRIPT = """
import sys
from pathlib import Path
from workload import KEY, KEYS, Workload, assert_at, play
from dedup import Index, _core

folder, log = Path(sys.argv[1]), []
storage = _core.Storage(lambda call, path, data: log.append((call, path)))
workload = Workload(1, merge_every=3)
with Index.create(folder / "index", key=KEY, storage=storage) as index:
    reader = Index.open(folder / "index", key=KEYS, storage=storage)
    for number in range(6):
        play(index, workload.step(number))
        reader.reload()
        assert_at(reader, workload, (number,))
    reader.verify()
    index.add([workload.step(7).actions[0]])  # and discarded
    index.remove(document="clock")
index = Index.open(folder / "index", key=KEYS, writable=True, storage=storage)
index.export(folder / "export", document="clock")
Index.create(folder / "other", key=KEY, storage=storage).close()
other = Index.open(folder / "other", key=KEYS, writable=True, storage=storage)
other.import_(folder / "export")
other.merge()
other.rotate(KEYS[1])
other.add([workload.step(7).actions[0]])
other.commit()
other.close()
index.close()
Path(sys.argv[2]).write_text("".join(f"{call}\\t{path}\\n" for call, path in log))
"""


def test_every_call_in_the_folder_of_an_index_is_announced(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    folder, log, trace = tmp_path / "folder", tmp_path / "log", tmp_path / "trace"
    folder.mkdir()
    command = ["strace", "-f", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={','.join(CALLS)}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", SCRIPT, str(folder), str(log)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not be used here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    announced = Counter(
        ("open" if call == "listdir" else call, path)
        for call, path in (line.split("\t") for line in log.read_text().splitlines())
        if path.startswith(str(folder)) and (call in CALLS.values() or call == "listdir")
    )
    seen = Counter(
        call for line in trace.read_text().splitlines() if (call := seen_in(line, str(folder)))
    )
    assert seen.total() > 200
    assert seen - announced == Counter(), "made and not announced"
    assert announced - seen == Counter(), "announced and not made"


def seen_in(line: str, folder: str) -> tuple[str, str] | None:
    """Call and path of a line of strace, if it is about the folder."""
    if not (found := re.match(r"\d+ +(\w+)\((.*)\) += ", line)):
        return None
    name, arguments = found.groups()
    # Of a descriptor strace shows the path in <>, of other arguments the string.
    path = next(
        (path for pair in re.findall(r'\d<([^>]*)>|"([^"]*)"', arguments)
         for path in pair if path.startswith(folder)),
        None,
    )  # fmt: skip
    return path and (CALLS[name], path)
