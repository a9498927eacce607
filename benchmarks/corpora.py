"""Two gigabytes of real text and code, from Debian's packages and PyPI's wheels.

    python benchmarks/corpora.py FOLDER [--megabytes 1050]

makes in FOLDER:

    packages/       what was downloaded, with its versions in the names
    text.jsonl      manuals, books, man pages, changelogs: {"id", "text", "licence"}, a document a
                    row; HTML without its tags; many languages
    code.jsonl      sources in C, C++, Go, Rust, Java, Python and ten languages more
    SOURCES.tsv     package, version, licence, and what of it is in the two

Documents of all packages are mixed in an order that depends on their ids alone, so that every
beginning of a file is a smaller corpus of the same kind. `plant.py` makes folders, archives and
tables of them. Needs apt-get and dpkg-deb of Debian 12 with network, pip, and 5 GB of disk.
"""

import argparse
import gzip
import hashlib
import html
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal

from dedup.encoding import is_binary

Kind = Literal["text", "code"]


@dataclass(frozen=True)
class Package:
    """A package of Debian (``deb``: binary, ``dsc``: source) or PyPI (``whl``).

    ``version`` is what the published figures were made with. PyPI keeps it; Debian's mirrors keep
    the latest alone, which is taken where it is gone.
    """

    origin: Literal["deb", "dsc", "whl"]
    name: str
    version: str
    licence: str


# Licences are as the copyright file of the package, or its metadata, says of the bulk of it.
SOURCES: Final = (
    Package("deb", "linux-source-6.1", "6.1.192-2", "GPL-2.0-only"),
    Package("deb", "golang-1.19-src", "1.19.8-2", "BSD-3-Clause"),
    Package("deb", "rust-src", "1.63.0+dfsg1-2", "MIT OR Apache-2.0"),
    Package("deb", "openjdk-17-source", "17.0.21.1+2-1~deb12u1", "GPL-2.0-only"),
    Package("deb", "libboost1.74-dev", "1.74.0+ds1-21", "BSL-1.0"),
    Package("deb", "emacs-el", "1:28.2+1-15+deb12u4", "GPL-3.0-or-later"),
    Package("dsc", "postgresql-15", "15.18-0+deb12u1", "PostgreSQL"),
    Package("dsc", "git", "1:2.39.5-0+deb12u3", "GPL-2.0-only"),
    Package("dsc", "ruby3.1", "3.1.2-7+deb12u1", "Ruby"),
    Package("dsc", "symfony", "5.4.53+dfsg-0+deb12u1", "MIT"),
    Package("dsc", "nodejs", "18.20.4+dfsg-1~deb12u2", "MIT"),
    Package("dsc", "mono", "6.8.0.105+dfsg-3.3+deb12u1", "MIT"),
    Package("dsc", "kotlin", "1.3.31+ds1-1", "Apache-2.0"),
    Package("whl", "ansible", "12.3.0", "GPL-3.0-or-later"),
    Package("whl", "astropy", "8.0.2", "BSD-3-Clause"),
    Package("whl", "bokeh", "3.9.2", "BSD-3-Clause"),
    Package("whl", "django", "5.2.19", "BSD-3-Clause"),
    Package("whl", "homeassistant", "2024.3.3", "Apache-2.0"),
    Package("whl", "matplotlib", "3.11.2", "PSF-2.0"),
    Package("whl", "networkx", "3.6.1", "BSD-3-Clause"),
    Package("whl", "nltk", "3.10.4", "Apache-2.0"),
    Package("whl", "pandas", "3.1.1", "BSD-3-Clause"),
    Package("whl", "scikit-learn", "1.9.1", "BSD-3-Clause"),
    Package("whl", "sphinx", "9.0.4", "BSD-2-Clause"),
    Package("whl", "sqlalchemy", "2.1.9", "MIT"),
    Package("whl", "sympy", "1.14.0", "BSD-3-Clause"),
    Package("whl", "transformers", "5.23.0", "Apache-2.0"),
    Package("whl", "twisted", "26.10.0", "MIT"),
)

# Of these no code is taken: it is what searches and styles their pages.
MANUALS: Final = (
    Package("deb", "cmake-doc", "3.25.1-1", "BSD-3-Clause"),
    Package("deb", "cppreference-doc-en-html", "20170409-2", "CC-BY-SA-3.0"),
    Package("deb", "debian-handbook", "11.20220922", "CC-BY-SA-3.0 OR GPL-2.0-or-later"),
    Package("deb", "debian-policy", "4.6.2.0", "GPL-2.0-or-later"),
    Package("deb", "debian-reference-de", "2.100", "GPL-2.0-or-later"),
    Package("deb", "debian-reference-en", "2.100", "GPL-2.0-or-later"),
    Package("deb", "debian-reference-fr", "2.100", "GPL-2.0-or-later"),
    Package("deb", "debian-reference-ja", "2.100", "GPL-2.0-or-later"),
    Package("deb", "developers-reference", "12.18", "GPL-2.0-or-later"),
    Package("deb", "erlang-doc", "1:25.2.3+dfsg-1+deb12u4", "Apache-2.0"),
    Package("deb", "exim4-doc-html", "4.96-1", "GPL-2.0-or-later"),
    Package("deb", "fortunes", "1:1.99.1-7.3", "BSD-3-Clause"),
    Package("deb", "freebsd-manpages", "12.2-1", "BSD-3-Clause"),
    Package("deb", "ghc-doc", "9.0.2-4", "BSD-3-Clause"),
    Package("deb", "git-doc", "1:2.39.5-0+deb12u3", "GPL-2.0-only"),
    Package("deb", "glibc-doc", "2.36-9+deb12u14", "LGPL-2.1-or-later"),
    Package("deb", "gimp-help-de", "2.10.34-2", "GFDL-1.2-or-later"),
    Package("deb", "gimp-help-en", "2.10.34-2", "GFDL-1.2-or-later"),
    Package("deb", "gimp-help-es", "2.10.34-2", "GFDL-1.2-or-later"),
    Package("deb", "gimp-help-fr", "2.10.34-2", "GFDL-1.2-or-later"),
    Package("deb", "gnucash-docs", "4.13-1", "GFDL-1.1-or-later"),
    Package("deb", "installation-guide-amd64", "20230508+deb12u1", "GPL-2.0-or-later"),
    Package("deb", "libboost1.74-doc", "1.74.0+ds1-21", "BSL-1.0"),
    Package("deb", "libreoffice-help-de", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-en-us", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-es", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-fr", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-hu", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-it", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-ja", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-nl", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-pl", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "libreoffice-help-ru", "4:7.4.7-1+deb12u14", "MPL-2.0"),
    Package("deb", "lilypond-doc-html", "2.24.1-2", "GFDL-1.3-or-later"),
    Package("deb", "linux-doc-6.1", "6.1.192-2", "GPL-2.0-only"),
    Package("deb", "manpages", "6.03-2", "GPL-2.0-or-later"),
    Package("deb", "manpages-de", "4.18.1-1", "GPL-3.0-or-later"),
    Package("deb", "manpages-dev", "6.03-2", "GPL-2.0-or-later"),
    Package("deb", "manpages-es", "4.18.1-1", "GPL-3.0-or-later"),
    Package("deb", "manpages-fr", "4.18.1-1", "GPL-3.0-or-later"),
    Package("deb", "manpages-ja", "0.5.0.0.20221215+dfsg-1", "GPL-2.0-or-later"),
    Package("deb", "manpages-pl", "1:4.18.1-1", "GPL-3.0-or-later"),
    Package("deb", "manpages-pt-br", "4.18.1-1", "GPL-3.0-or-later"),
    Package("deb", "manpages-ru", "4.18.1-1", "GPL-3.0-or-later"),
    Package("deb", "maxima-doc", "5.46.0-11", "GPL-2.0-or-later"),
    Package("deb", "miscfiles", "1.5+dfsg-4", "GPL-2.0-or-later"),
    Package("deb", "octave-doc", "7.3.0-2", "GPL-3.0-or-later"),
    Package("deb", "openjdk-17-doc", "17.0.21.1+2-1~deb12u1", "GPL-2.0-only"),
    Package("deb", "perl-doc", "5.36.0-7+deb12u4", "Artistic-1.0-Perl"),
    Package("deb", "pike8.0-doc", "8.0.1738-1", "GPL-2.0-or-later"),
    Package("deb", "postgresql-doc-15", "15.20-0+deb12u1", "PostgreSQL"),
    Package("deb", "python-django-doc", "3:3.2.25-0+deb12u7", "BSD-3-Clause"),
    Package("deb", "python-pandas-doc", "1.5.3+dfsg-2", "BSD-3-Clause"),
    Package("deb", "python-scipy-doc", "1.10.1-2", "BSD-3-Clause"),
    Package("deb", "python-sqlalchemy-doc", "1.4.46+ds1-1", "MIT"),
    Package("deb", "python-sympy-doc", "1.11.1-1", "BSD-3-Clause"),
    Package("deb", "python3.11-doc", "3.11.2-6+deb12u9", "PSF-2.0"),
    Package("deb", "qtbase5-doc-html", "5.15.8+dfsg-11+deb12u3", "GFDL-1.3-only"),
    Package("deb", "racket-doc", "8.7+dfsg1-1", "MIT OR Apache-2.0"),
    Package("deb", "rust-doc", "1.63.0+dfsg1-2", "MIT OR Apache-2.0"),
    Package("deb", "sagemath-doc", "9.5-6", "GPL-2.0-or-later"),
    Package("deb", "sqlite3-doc", "3.40.1-2+deb12u2", "blessing"),
    Package("deb", "vim-doc", "2:9.0.1378-2+deb12u2", "Vim"),
    Package("deb", "zsh-doc", "5.9-4", "MIT"),
)

PACKAGES: Final = SOURCES + MANUALS

_MIRROR: Final = "http://deb.debian.org/debian"

# No package is more than this part of a corpus.
_MOST_OF_ONE: Final = 0.15

# Longer ones are tables of registers and data, which are there all the same in parts.
_LONGEST_BYTES: Final = 4_000_000
_SHORTEST_BYTES: Final = 200

_CODE: Final = re.compile(
    r"\.(c|h|cc|cpp|cxx|hpp|hh|ipp|go|rs|java|pyx?|m?js|tsx?|el|rb|php|cs|kts?|p[lm]|sh|sql|lua"
    r"|scala|swift|mli?|hs)"
)
_TEXT: Final = re.compile(
    r"\.(txt|rst|md|texi?|info|adoc|pod|x?html?|news|changelog|[1-9])"  # [1-9]: man pages
)
_HTML: Final = (".html", ".htm", ".xhtml")
_TEXT_NAMES: Final = re.compile(r"(README|NEWS|ChangeLog|changelog|HISTORY|CHANGES)[^/]*")
_FORTUNES: Final = re.compile(r"usr/share/games/fortunes/[^/.]+")

_NO_TEXT: Final = re.compile(r"<(script|style|svg|head)\b.*?</\1\s*>|<!--.*?-->", re.S | re.I)
_BLOCK: Final = re.compile(
    r"<(?:/?(?:p|div|h\d|li|tr|table|ul|ol|pre|dd|dt|section)\b|br)[^>]*>", re.I
)
_TAG: Final = re.compile(r"<[^>]*>")
_BLANK: Final = re.compile(r"[ \t]*\n\s*\n\s*")


# ---- what is in a package ------------------------------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A document of a corpus."""

    id: str
    text: str
    licence: str

    def row(self) -> bytes:
        fields = {"id": self.id, "text": self.text, "licence": self.licence}
        return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def read_package(package: Package, files: Sequence[Path]) -> Iterator[tuple[Kind, Text]]:
    """The documents of a downloaded package, archives inside it opened too."""
    for file in files:
        if file.suffix == ".deb":
            command = ["dpkg-deb", "--fsys-tarfile", str(file)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                if process.stdout is None:
                    raise AssertionError
                yield from _read_tar(package, process.stdout, "")
        elif file.suffix == ".whl":
            yield from _read_zip(package, file, "")
        elif ".tar." in file.name and not file.name.endswith(".asc"):
            with file.open("rb") as opened:
                yield from _read_tar(package, opened, "")


def _read_tar(package: Package, file: IO[bytes], under: str) -> Iterator[tuple[Kind, Text]]:
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if not member.isfile() or not (opened := archive.extractfile(member)):
                continue
            if re.search(r"\.tar\.(xz|gz|bz2)$", path):
                yield from _read_tar(package, opened, f"{path}/")
            elif path.endswith("/src.zip"):
                yield from _read_zip(package, io.BytesIO(opened.read()), f"{path}/")
            elif member.size <= _LONGEST_BYTES:
                yield from _read_file(package, under + path, opened)


def _read_zip(package: Package, file: Path | IO[bytes], under: str) -> Iterator[tuple[Kind, Text]]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.is_dir() and member.file_size <= _LONGEST_BYTES:
                with archive.open(member) as opened:
                    yield from _read_file(package, under + member.filename, opened)


def _read_file(package: Package, path: str, file: IO[bytes]) -> Iterator[tuple[Kind, Text]]:
    inner = PurePosixPath(path.removesuffix(".gz"))
    suffix = inner.suffix.lower()
    if _CODE.fullmatch(suffix):
        kind: Kind = "code"
    elif (
        _TEXT.fullmatch(suffix)
        or _TEXT_NAMES.fullmatch(inner.name)
        or _FORTUNES.fullmatch(str(inner))
    ):
        kind = "text"
    else:
        return
    if any(part.startswith(".") for part in inner.parts):
        return  # of a folder these would be left out, of an archive not
    data = file.read()
    if path.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return
    if is_binary(data):
        return
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if suffix in _HTML:
        text, inner = without_tags(text), inner.with_name(f"{inner.name}.txt")
    if _SHORTEST_BYTES <= len(text) <= _LONGEST_BYTES:
        yield kind, Text(f"{package.name}/{inner}", text, package.licence)


def without_tags(page: str) -> str:
    """The words of a page of HTML."""
    page = _BLOCK.sub("\n", _NO_TEXT.sub(" ", page))
    return _BLANK.sub("\n\n", html.unescape(_TAG.sub("", page))).strip() + "\n"


# ---- getting packages ----------------------------------------------------------------------------


def download(packages: Sequence[Package], folder: Path) -> dict[Package, tuple[Path, ...]]:
    """The files of each, in a folder of its own; what is there already is not got again."""
    apt = _with_sources(folder.parent / "apt")
    got = {}
    for package in packages:
        place = folder / package.name
        if not (place / "COMPLETE").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            versions = (package.version, "")
            if not any(_download(package, version, place, apt) for version in versions):
                raise SystemExit(f"{package.name}: cannot be downloaded")
            (place / "COMPLETE").touch()
        got[package] = tuple(sorted(p for p in place.iterdir() if p.name != "COMPLETE"))
    return got


def _download(package: Package, version: str, place: Path, apt: Sequence[str]) -> bool:
    exact = f"{'==' if package.origin == 'whl' else '='}{version}" if version else ""
    get = {
        "deb": ["apt-get", "-q", "download"],
        "dsc": ["apt-get", "-q", *apt, "source", "--download-only"],
        "whl": [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--only-binary=:all:"],
    }[package.origin]
    command = [*get, package.name + exact]
    return subprocess.run(command, cwd=place, capture_output=True).returncode == 0


def _with_sources(folder: Path) -> list[str]:
    """Options under which apt knows of source packages, with nothing of the system changed."""
    lists = folder / "lists"
    options = [
        *("-o", f"Dir::Etc::sourcelist={folder / 'sources.list'}"),
        *("-o", "Dir::Etc::sourceparts=/dev/null"),
        *("-o", f"Dir::State::lists={lists}"),
    ]
    if not folder.exists():
        (lists / "partial").mkdir(parents=True)
        (folder / "sources.list").write_text(f"deb-src {_MIRROR} bookworm main\n")
        subprocess.run(["apt-get", *options, "-q", "update"], check=True, capture_output=True)
    return options


def version_of(package: Package, files: Sequence[Path]) -> str:
    """As the names of its files say."""
    file = next(f for f in files if f.suffix == f".{package.origin}")
    parts = file.stem.replace("-" if package.origin == "whl" else "_", "\0").split("\0")
    return parts[1].replace("%3a", ":")


# ---- corpora -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    order: bytes
    offset: int
    size: int
    package: str


def make(folder: Path, megabytes: int) -> None:
    files = download(PACKAGES, folder / "packages")
    limit, rows = megabytes * 10**6, {"text": list[_Row](), "code": list[_Row]()}
    parts = {kind: folder / f"{kind}.unordered" for kind in rows}
    written = {kind: part.open("wb") for kind, part in parts.items()}
    for package in PACKAGES:
        counts: Counter[str] = Counter()
        seen: set[str] = set()
        for kind, document in read_package(package, files[package]):
            if document.id in seen or (kind == "code" and package in MANUALS):
                continue
            seen.add(document.id)
            row, order = document.row(), hashlib.blake2b(document.id.encode()).digest()
            rows[kind].append(_Row(order, written[kind].tell(), len(row), package.name))
            written[kind].write(row)
            counts[kind] += len(row)
        print(package.name, *(f"{kind} {counts[kind] / 1e6:.1f} MB" for kind in rows), flush=True)
    shares: dict[str, Counter[str]] = {}
    for kind, part in parts.items():
        written[kind].close()
        shares[kind] = _put_in_order(part, rows[kind], limit, folder / f"{kind}.jsonl")
        part.unlink()
    with (folder / "SOURCES.tsv").open("w") as table:
        table.write("origin\tpackage\tversion\tlicence\ttext bytes\tcode bytes\n")
        for package in PACKAGES:
            fields = (package.origin, package.name, version_of(package, files[package]))
            sizes = (str(shares[kind][package.name]) for kind in shares)
            table.write("\t".join((*fields, package.licence, *sizes)) + "\n")


def _put_in_order(part: Path, rows: list[_Row], limit: int, target: Path) -> Counter[str]:
    """Write the rows by their order up to the limit; how much is of each package.

    Of a package that is too big only some rows are taken, by a second part of the hash, so that
    it is as frequent at the beginning as at the end.
    """
    total: Counter[str] = Counter()
    for row in rows:
        total[row.package] += row.size
    taken: Counter[str] = Counter()
    rows.sort(key=lambda row: row.order)
    with part.open("rb") as source, target.open("wb") as file:
        for row in rows:
            chance = int.from_bytes(row.order[-8:]) / 2**64
            if chance * total[row.package] > _MOST_OF_ONE * limit:
                continue
            source.seek(row.offset)
            file.write(source.read(row.size))
            taken[row.package] += row.size
            if taken.total() >= limit:
                break
    print(f"{target}: {taken.total() / 1e6:.0f} MB", flush=True)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=1050, help="of text, and of code")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    make(options.folder.resolve(), options.megabytes)


if __name__ == "__main__":
    main()
