"""The order of the house: imports point one way, and what is public says so."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dedup

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dedup"

# A file imports only from files above it; integrations stand on all of them.
ORDER = [
    "errors",
    "_core",
    "key",
    "expiry",
    "document",
    "encoding",
    "packing",
    "licence",
    "evidence",
    "repository",
    "remote",
    "gitignore",
    "reading",
    "tree",
    "walk",
    "item",
    "rows",
    "delimited",
    "columns",
    "notebook",
    "archive",
    "forms",
    "partition",
    "source",
    "batch",
    "engine_worker",
    "engine",
    "ray_engine",
    "grammars",
    "parse_worker",
    "syntax",
    "language",
    "lines",
    "markup",
    "units",
    "views",
    "fingerprint",
    "match",
    "selection",
    "contents",
    "tombstones",
    "manifest",
    "lock",
    "parsers",
    "snapshot",
    "diff",
    "exchange",
    "merging",
    "draft",
    "builder",
    "writer",
    "index",
    "policy",
    "excerpt",
    "passage",
    "baseline",
    "stream",
    "filter",
    "scanning.row",
    "scanning.scanner",
    "scanning.tally",
    "scanning.work",
    "scanning.portable",
    "scanning.checkpoint",
    "scanning.outputs",
    "scan",
    "arrow",
    "repeats.settings",
    "repeats.work",
    "repeats.blocks",
    "repeats.prints",
    "repeats.clusters",
    "repeats.windows",
    "repeats.passages",
    "repeats.rows",
    "repeats.finding",
    "calibration",
    "facts",
    "background",
    "serve.settings",
    "serve.failure",
    "serve.log",
    "serve.wire",
    "serve.sse",
    "serve.arguments",
    "serve.fields",
    "serve.annotation",
    "serve.channel",
    "serve.logprobs",
    "serve.gate",
    "serve.unknown",
    "serve.row",
    "serve.choice",
    "serve.choices",
    "serve.items",
    "serve.responses",
    "serve.protocol",
    "serve.upstream",
    "serve.tokens",
    "serve.metrics",
    "serve.audit",
    "serve.service",
    "serve.body",
    "serve.proxy",
    "serve.openapi",
    "serve.check",
    "serve.litellm",
    "serve.app",
    "serve.workers",
    "serve.admin",
    "report",
    "originals",
    "reports.finding",
    "reports.tally",
    "reports.compare",
    "reports.card",
    "reports.html",
    "reports.sarif",
    "reports.github",
    "explanation",
    "terminal",
    "cli_options",
    "cli_add",
    "cli_index",
    "cli_scan",
    "cli_repeats",
    "cli_calibrate",
    "cli_background",
    "cli_serve",
    "cli_check",
    "cli",
    "__main__",
]

MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)

PACKAGES = {module.partition(".")[0] for module in MODULES if "." in module}


def test_every_module_has_its_place_in_the_house() -> None:
    top = {module for module in MODULES if not module.startswith("integrations.")}
    assert top - set(ORDER) == set()


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_above_itself(module: str) -> None:
    place = ORDER.index(module) if module in ORDER else len(ORDER)
    below = [name for name in imported(module) if ORDER.index(name) >= place]
    assert below == []


def imported(module: str) -> Iterator[str]:
    """The modules of the package that a module imports, wherever in it."""
    tree = ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: import by full names"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "dedup" and rest != "__version__":
                first, _, rest = rest.partition(".")
                yield f"{first}.{rest.partition('.')[0]}" if first in PACKAGES else first


@pytest.mark.parametrize("module", MODULES)
def test_all_names_what_the_module_defines_in_order(module: str) -> None:
    if module.startswith("integrations."):  # what it adapts to may be missing here
        loaded = pytest.importorskip(f"dedup.{module}", exc_type=ImportError)
    else:
        loaded = importlib.import_module(f"dedup.{module}")
    assert list(loaded.__all__) == sorted(loaded.__all__, key=isort_key)
    for name in loaded.__all__:
        thing = getattr(loaded, name)
        if callable(thing) and getattr(thing, "__module__", "") == loaded.__name__:
            assert thing.__doc__, f"{module}.{name} has no docstring"


def isort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: as ruff sorts ``__all__``."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_package_gives_public_names_of_its_modules_and_no_others() -> None:
    names = set(dedup.__all__)
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imports = {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names == imports.keys() | {"__version__"}
    for name, module in imports.items():
        assert name in importlib.import_module(module).__all__


def test_importing_dedup_loads_nothing_that_takes_long() -> None:
    heavy = {"typer", "rich", "msgspec", "datasketch", "ray", "starlette", "tree_sitter"}
    heavy |= {"aiohttp", "uvicorn", "prometheus_client"}
    code = f"import sys, dedup; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_version_is_said_once_more_in_the_metadata_and_agrees() -> None:
    metadata = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{dedup.__version__}"' in metadata


def test_only_the_bindings_know_python() -> None:
    for path in (ROOT / "csrc").iterdir():
        if path.name != "bindings.cpp":
            assert not re.search(r"#include\s*[<\"](pybind11|Python\.h)", path.read_text()), path


# What reads or writes files without a Storage, by which faults are put in: modules and calls.
FILE_MODULES = {"fcntl", "io", "mmap", "os", "shutil", "tempfile"}
FILE_CALLS = {
    *("exists", "glob", "is_dir", "is_file", "iterdir", "lstat", "mkdir", "open", "read_bytes"),
    *("read_text", "rename", "rglob", "rmdir", "stat", "touch", "unlink", "write_bytes"),
    "write_text",
}


@pytest.mark.parametrize(
    "module", ["draft", "exchange", "index", "manifest", "merging", "snapshot", "writer"]
)
def test_files_of_an_index_are_touched_through_its_storage_only(module: str) -> None:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & FILE_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in FILE_MODULES
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            receiver, _, name = called.rpartition(".")
            assert name not in FILE_CALLS or receiver.endswith("storage"), called
