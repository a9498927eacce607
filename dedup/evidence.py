"""What lies beside and above a file says of its licence, if the file itself does not.

The first of these that says counts:

    1. ``NAME.license`` beside the file, as REUSE has it
    2. in its folder, then in each folder above it up to the root:
       a licence file: LICENSE, COPYING and the like; if none of these says, what is left of
       UNLICENSE, LICENSE-MIT, COPYING.LESSER and the like, several being a choice;
       a ``LICENSES`` folder with one licence;
       the metadata of a package: pyproject.toml, setup.cfg, Cargo.toml, package.json,
       composer.json, or the METADATA of the only ``.dist-info``

The nearest counts, so that what a tree carries of others keeps its own licence; and above a folder
of packages of others (``node_modules``, ``vendor``) nothing is said of them. The text of a GNU
licence is ``-only`` unless the metadata beside it says ``-or-later`` of the same version.
"""

import configparser
import email.parser
import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from dedup.licence import both, either, known, normalise, of_licence_file, spdx_tag

__all__ = ["Licences", "is_evidence"]

# What lies in these was written elsewhere, whatever the licence of the whole.
_OF_OTHERS: Final = {
    *("site-packages", "dist-packages", "node_modules", "bower_components"),
    *("vendor", "_vendor", "third_party", "third-party", "thirdparty", "3rdparty"),
}

# Longer values are whole texts.
_EXPRESSION_CHARACTERS: Final = 300


# ---- metadata of packages ------------------------------------------------------------------------


def _pyproject(text: str) -> str:
    data = tomllib.loads(text)
    project = _table(data, "project")
    stated = project.get("license")
    if isinstance(stated, Mapping):
        stated = stated.get("text")
    poetry = _table(_table(data, "tool"), "poetry").get("license")
    return _stated(stated or poetry) or _classified(project.get("classifiers"))


def _cargo(text: str) -> str:
    data = tomllib.loads(text)
    stated = _table(data, "package").get("license")
    if isinstance(stated, Mapping) or stated is None:
        stated = _table(_table(data, "workspace"), "package").get("license")
    return _stated(stated)


def _package_json(text: str) -> str:
    data = json.loads(text)
    if not isinstance(data, Mapping):
        return ""
    stated = data.get("license") or data.get("licenses")
    choices = stated if isinstance(stated, list) else [stated]
    names = [choice.get("type") if isinstance(choice, Mapping) else choice for choice in choices]
    return either([_stated(name) for name in names])


def _setup_cfg(text: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    metadata = dict(parser["metadata"]) if parser.has_section("metadata") else {}
    return _stated(metadata.get("license")) or _classified(
        metadata.get("classifiers", metadata.get("classifier", "")).splitlines()
    )


def _core_metadata(text: str) -> str:
    fields = email.parser.HeaderParser().parsestr(text, headersonly=True)
    for name in ("License-Expression", "License"):
        if stated := _stated(fields.get(name)):
            return stated
    return _classified(fields.get_all("Classifier"))


def _stated(value: object) -> str:
    """The licence a field holds: an expression, a name or a whole text."""
    if not isinstance(value, str) or value.strip().casefold() in ("", "unknown"):
        return ""
    if "\n" in value.strip() or len(value) > _EXPRESSION_CHARACTERS:
        return of_licence_file(value)
    if re.match(r"(?i)\s*(?:see\b|file:|licen[cs]e(?:\.\w+)?\s*$)", value):
        return ""  # it points to the licence file, which was looked at
    return normalise(value)


def _classified(classifiers: object) -> str:
    """The licences of trove classifiers; several are a choice, as nothing else is said of them."""
    if not isinstance(classifiers, list):
        return ""
    names = [name.strip() for name in classifiers if isinstance(name, str)]
    return either([known(name) for name in names if name.startswith("License ::")])


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = data.get(key)
    return table if isinstance(table, Mapping) else {}


_METADATA: Final[dict[str, Callable[[str], str]]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "Cargo.toml": _cargo,
    "package.json": _package_json,
    "composer.json": _package_json,
    "METADATA": _core_metadata,
    "PKG-INFO": _core_metadata,
}


# ---- trees ---------------------------------------------------------------------------------------

_LICENCE_FILE: Final = re.compile(r"(?i)(?:licen[cs]e|copying)(?:\.(?:txt|md|rst|html?))?")
_ONE_OF_SEVERAL: Final = re.compile(
    r"(?i)(?:unlicense|(?:licen[cs]es?|copying)[-_]?\d?[-_]?\w*|\w+[-_]licen[cs]e|"
    r"(?:licen[cs]e|copying\d?)\.(?:lesser|lib|[al]?gpl|[al]?gplv\d|apache2?|bsd|mit|mpl|isc|cc0|psf))"
    r"(?:\.(?:txt|md|rst|html?))?"
)


def is_evidence(name: str) -> bool:
    """Whether a file or folder of this name may say which licence those around it are under."""
    return (
        name in _METADATA
        or name == "LICENSES"
        or name.endswith((".license", ".dist-info", ".egg-info"))
        or _LICENCE_FILE.fullmatch(name) is not None
        or _ONE_OF_SEVERAL.fullmatch(name) is not None
    )


class Licences:
    """The licence of each file of a tree, by what lies beside and above it.

    Parameters
    ----------
    names_in : function
        The names of files and folders in a folder, empty for none. Folders are relative to the
        root, ``/`` between, the root itself empty. Names for which ``is_evidence`` is false may
        be left out.
    read : function
        The beginning of a file's text, empty if it cannot be read.

    Notes
    -----
    A folder is looked at once, when first asked for.
    """

    def __init__(
        self, names_in: Callable[[str], Collection[str]], read: Callable[[str], str]
    ) -> None:
        self._names_in = names_in
        self._read = read
        self._names: dict[str, Collection[str]] = {}
        self._found: dict[str, str] = {}

    def of(self, path: str) -> str:
        """The licence of the file at the path, as an SPDX expression; empty if nothing says."""
        folder, _, name = path.rpartition("/")
        beside = f"{name}.license"
        if beside in self._names_of(folder) and (tagged := spdx_tag(self._read(f"{path}.license"))):
            return tagged
        # Not recursion: paths can be nested deeper than Python's calls.
        passed = []
        while (found := self._found.get(folder)) is None:
            passed.append(folder)
            found = self._in_folder(folder)
            parent, _, own = folder.rpartition("/")
            if found or not folder or own in _OF_OTHERS:
                break
            folder = parent
        self._found.update(dict.fromkeys(passed, found))
        return found

    def _names_of(self, folder: str) -> Collection[str]:
        if folder not in self._names:
            self._names[folder] = {name for name in self._names_in(folder) if is_evidence(name)}
        return self._names[folder]

    def _in_folder(self, folder: str) -> str:
        names = sorted(self._names_of(folder))
        prefix = f"{folder}/" if folder else ""
        by_file = self._by_files(prefix, names)
        if by_file and not by_file.endswith("-only"):
            return by_file
        by_metadata = self._by_metadata(prefix, names)
        if by_file:
            later = by_file.replace("-only", "-or-later")
            return later if by_metadata == later else by_file
        return self._by_reuse(prefix, names) or by_metadata

    def _by_files(self, prefix: str, names: list[str]) -> str:
        main, others = (
            {
                of_licence_file(self._read(prefix + name))
                for name in names
                if pattern.fullmatch(name)
            }
            for pattern in (_LICENCE_FILE, _ONE_OF_SEVERAL)
        )
        lesser = {id for id in main | others if id.startswith("LGPL")}
        if lesser and any(id.startswith("GPL") for id in main):
            main = lesser  # terms added to the GPL, whose text lies beside them
        return both(main) or either(others)

    def _by_reuse(self, prefix: str, names: list[str]) -> str:
        if "LICENSES" not in names:
            return ""
        stems = {re.sub(r"\.(?:txt|md)$", "", name) for name in self._names_in(f"{prefix}LICENSES")}
        return known(stems.pop()) if len(stems) == 1 else ""

    def _by_metadata(self, prefix: str, names: list[str]) -> str:
        files = [name for name in _METADATA if name in names]
        packages = [name for name in names if name.endswith((".dist-info", ".egg-info"))]
        if len(packages) == 1:  # several: a folder of installed packages, with a licence each
            inside = self._names_of(prefix + packages[0])
            files += [
                f"{packages[0]}/{name}" for name in ("METADATA", "PKG-INFO") if name in inside
            ]
        for file in files:
            try:
                found = _METADATA[file.rpartition("/")[2]](self._read(prefix + file))
            except (ValueError, RecursionError, configparser.Error):
                continue  # of another's making and damaged: it says nothing
            if found:
                return found
        return ""
