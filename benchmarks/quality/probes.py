"""Functions of packages that have nothing to do with each other, so that none may be blocked."""

import random
import re
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from .functions import Function, functions_in

__all__ = [
    "NO_PROBE",
    "PROBES",
    "PROBE_TOKENS",
    "TRUE_COPY_TOKENS",
    "functions_of_wheels",
    "shingles_of",
    "split_copies",
    "spread",
]

# A probe is as long as the shortest code a balanced policy may block.
PROBE_TOKENS = 65
# An unrelated function that shares so many tokens with the standard library was copied from it.
TRUE_COPY_TOKENS = 40
# Pure Python as written by hand, without lineage to the standard library.
PROBES = [
    "aiohttp==3.14.5",
    "attrs==26.1.0",
    "celery==5.7.0",
    "click==8.5.1",
    "docutils==0.23",
    "fastapi==0.165.0",
    "flask==3.1.3",
    "httpx==0.28.1",
    "jinja2==3.1.6",
    "markdown==3.11.3",
    "marshmallow==4.4.0",
    "networkx==3.6.1",
    "pygments==2.21.0",
    "requests==2.34.2",
    "rich==15.0.0",
    "scrapy==2.19.0",
    "sqlalchemy==2.1.9",
    "starlette==1.10.0",
    "sympy==1.14.0",
    "tornado==6.6.1",
    "trio==0.35.0",
    "werkzeug==3.1.9",
]
NO_PROBE = re.compile(r"vendor|backport|compat|extern|(^|/)_?tests?/|conftest", re.IGNORECASE)


def functions_of_wheels(folder: Path) -> list[Function]:
    """Different functions of the `PROBES`, whose wheels pip downloads into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [probe.partition("==")[0] for probe in PROBES]
    present = {path.name.split("-")[0].lower() for path in folder.glob("*.whl")}
    missing = [probe for probe, name in zip(PROBES, names, strict=True) if name not in present]
    if missing:
        command = ["pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d"]
        subprocess.run([sys.executable, "-m", *command, str(folder), *missing], check=True)
    wheels = [path for path in sorted(folder.glob("*.whl")) if path.name.split("-")[0] in names]
    functions: dict[tuple[str, ...], Function] = {}
    for path in wheels:
        with zipfile.ZipFile(path) as wheel:
            documents = {
                f"{path.name.split('-')[0]}/{name}": wheel.read(name).decode(errors="replace")
                for name in wheel.namelist()
                if name.endswith(".py") and not NO_PROBE.search(name)
            }
        for function in functions_in(documents):
            if len(function.tokens) >= PROBE_TOKENS:
                functions.setdefault(function.tokens, function)
    return list(functions.values())


def spread(functions: list[Function], number: int, rng: random.Random) -> list[Function]:
    """Random ones, of every package as many where it has them: one large package is one style."""
    packages: dict[str, list[Function]] = defaultdict(list)
    for function in functions:
        packages[function.document.split("/")[0]].append(function)
    for package in packages.values():
        rng.shuffle(package)
    chosen: list[Function] = []
    while len(chosen) < number and any(packages.values()):
        for package in packages.values():
            if package and len(chosen) < number:
                chosen.append(package.pop())
    return chosen


def split_copies(
    functions: list[Function], shingles: np.ndarray
) -> tuple[list[Function], list[Function]]:
    """Those that share no `TRUE_COPY_TOKENS` in a row with the library, and those that do."""
    unrelated: list[Function] = []
    copied: list[Function] = []
    for function in functions:
        mine = shingles_of([function.tokens])
        at = np.minimum(np.searchsorted(shingles, mine), len(shingles) - 1)
        (copied if (shingles[at] == mine).any() else unrelated).append(function)
    return unrelated, copied


def shingles_of(texts: list[tuple[str, ...]]) -> np.ndarray:
    """Sorted hashes of every `TRUE_COPY_TOKENS` tokens in a row; names and literals as they are."""
    parts = []
    for tokens in texts:
        if len(tokens) < TRUE_COPY_TOKENS:
            continue
        values = np.array([hash(token) for token in tokens], dtype=np.int64).view(np.uint64)
        length = len(values) - TRUE_COPY_TOKENS + 1
        total = np.zeros(length, dtype=np.uint64)
        for offset in range(TRUE_COPY_TOKENS):
            total = total * np.uint64(0x9E3779B97F4A7C15) + values[offset : offset + length]
        parts.append(total)
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.uint64)
