"""Which licence a text is under, as an SPDX expression; empty if the text does not say.

A file says it in an ``SPDX-License-Identifier:`` tag in its first 8 KiB, else in a notice in its
first 6 KiB: a short licence in full, or "licensed under the ...". Texts are compared as lower-case
words, so that wrapping, comment marks, punctuation and copyright lines do not matter. A licence is
known by a phrase or two that no other has; of several in a licence file the first counts, as texts
of third parties follow. Where a text leaves a choice open, the narrower licence is named, so that
a policy errs on the side of the author:

    the text of a GNU licence alone         ``-only``; ``-or-later`` if a notice above it says so
    a GNU licence without a version         every version: ``GPL-1.0-or-later``
    "BSD License"                           ``BSD-3-Clause``, whose terms include BSD-2-Clause
    a "BSD-style" or "MIT-like" licence     nothing: the licence file it points to decides
    two tags, or two notices                both, ``AND``, unless the words offer a choice
"""

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

__all__ = ["both", "either", "known", "normalise", "of_head", "of_licence_file", "spdx_tag"]

_TAG_CHARACTERS: Final = 8192
# The longest of the notices below, those of BSD-4-Clause after a few copyright lines, take 3 KiB.
_NOTICE_CHARACTERS: Final = 6144
# The decisive phrases of one licence lie this close, those of an appended one mostly do not.
_SPAN_CHARACTERS: Final = 4000
# One that begins later in a licence file is of a third party; Python's stands below its history.
_BEGINNING_CHARACTERS: Final = 4096
# More are a table of licences rather than a notice.
_MAX_IN_NOTICE: Final = 3
# Beyond it only an attacker writes an expression, and parsing takes long.
_EXPRESSION_CHARACTERS: Final = 300


# ---- expressions ---------------------------------------------------------------------------------


def normalise(expression: str) -> str:
    """The SPDX expression that a licence's name, classifier or expression means.

    Operands are in alphabetical order. What is not understood is given back, stripped: it may be
    a licence of one's own. Never raises.

    >>> normalise("apache 2.0 or MIT License")
    'Apache-2.0 OR MIT'
    >>> normalise("License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)")
    'GPL-3.0-or-later'
    """
    stripped = expression.strip()
    return known(stripped) or stripped


@lru_cache(maxsize=4096)
def known(expression: str) -> str:
    """The SPDX expression if all of its licences are known, else an empty string."""
    if not expression or len(expression) > _EXPRESSION_CHARACTERS:
        return ""
    expression = expression.rpartition("::")[2].strip()  # of a trove classifier
    if expression.casefold() == "unlicensed":  # npm's word for all rights reserved
        return ""
    if parsed := _parsed(expression):
        return parsed
    outside, inside = (
        re.sub(r"\([^()]*\)", " ", expression),
        re.findall(r"\(([^()]*)\)", expression),
    )
    for name in (expression, outside, *inside):
        if found := _named(_words(name)):
            return found
        if name != expression and (parsed := _parsed(name.strip())):
            return parsed
    for splitter, operator in ((r"\s+or\s+|/", " OR "), (r"\s+and\s+", " AND ")):
        parts = re.split(splitter, expression, flags=re.IGNORECASE)
        if len(parts) > 1 and all(ids := [known(part.strip(" ()")) for part in parts]):
            return _joined(ids, operator)
    return ""


def _parsed(expression: str) -> str:
    from license_expression import get_spdx_licensing  # type: ignore[import-untyped]

    try:
        licensing = _licensing(get_spdx_licensing)
        parsed = licensing.parse(expression)
        if parsed is None:
            return ""
        unknown = licensing.unknown_license_keys(parsed)
        if not all(
            re.fullmatch(r"(DocumentRef-[\w.-]+:)?LicenseRef-[\w.-]+", key) for key in unknown
        ):
            return ""
        return str(parsed.simplify())
    except Exception:  # the parser raises many kinds on text that is no expression
        return ""


@lru_cache(maxsize=1)
def _licensing(make: Callable[[], Any]) -> Any:
    return make()  # reads a table of 2,000 licences: 25 ms


def both(expressions: Collection[str]) -> str:
    """All of the licences at once; empty ones do not count."""
    return _joined(expressions, " AND ")


def either(expressions: Collection[str]) -> str:
    """The choice between licences; empty ones do not count."""
    return _joined(expressions, " OR ")


def _joined(expressions: Collection[str], operator: str) -> str:
    distinct = sorted({expression for expression in expressions if expression})
    if len(distinct) < 2:
        return "".join(distinct)
    joined = operator.join(f"({expression})" for expression in distinct)
    return _parsed(joined) or joined


# ---- names of licences in running text -----------------------------------------------------------

_GNU: Final = re.compile(
    r"(?:gnu )?(?:(?P<kind>library or lesser |lesser |library |affero )?general public license"
    r"|(?P<letter>[la]?)gpl)"
    r"(?: as published by the free software foundation(?: inc)?)?(?: either)?"
    r"(?: ?(?:version |v ?)?(?P<version>[1-3](?:\.[01])?)(?P<plus>\+|\b))?"
    r"(?: of the license)?"
    r"(?P<later> or (?:at your option )?(?:any )?(?:later|newer|above|greater)| plus)?"
    r"(?: versions?)?(?: only)?(?: license)?(?![a-z0-9])"
)

_VERSION: Final = r"(?: version| v|v| v\.)? ?"

# As words, with "license" for either spelling; the first that matches counts.
_NAMES: Final = [
    (re.compile(pattern + r"(?: license)?\b"), id)
    for pattern, id in [
        (rf"(?:asf )?apache(?: software)?(?: license)?{_VERSION}2(?:\.0)?", "Apache-2.0"),
        (r"asl 2(?:\.0)?", "Apache-2.0"),
        (rf"apache(?: software)?(?: license)?{_VERSION}1\.1", "Apache-1.1"),
        (r"(?:mit x11|mit|expat) license", "MIT"),
        (r"mit no attribution", "MIT-0"),
        (r"(?:bsd 3 clause|3 clause bsd|three clause bsd|new bsd|modified bsd|revised bsd|"
         r"bsd 3|bsd new|bsd license 3 clause)", "BSD-3-Clause"),
        (r"(?:bsd 2 clause|2 clause bsd|two clause bsd|simplified bsd|freebsd|bsd 2)",
         "BSD-2-Clause"),
        (r"(?:bsd 4 clause|4 clause bsd|four clause bsd|original bsd)", "BSD-4-Clause"),
        (r"(?:bsd zero clause|zero clause bsd|0bsd)", "0BSD"),
        (rf"(?:mozilla public license|mpl){_VERSION}2(?:\.0)?", "MPL-2.0"),
        (rf"(?:mozilla public license|mpl){_VERSION}1\.1", "MPL-1.1"),
        (rf"(?:eclipse public license|epl){_VERSION}2(?:\.0)?", "EPL-2.0"),
        (rf"(?:eclipse public license|epl){_VERSION}1(?:\.0)?", "EPL-1.0"),
        (rf"boost software license{_VERSION}1\.0", "BSL-1.0"),
        (r"isc license", "ISC"),
        (r"zlib(?: libpng)? license", "Zlib"),
        (r"unlicense", "Unlicense"),
        (r"(?:creative commons )?(?:cc0|cc zero|cc 0)(?: 1\.0)?(?: universal)?"
         r"(?: public domain dedication)?", "CC0-1.0"),
        (rf"artistic(?: license)?{_VERSION}2(?:\.0)?", "Artistic-2.0"),
        (r"(?:wtfpl|do what the fuck you want to public license)", "WTFPL"),
        (r"(?:python software foundation|psf)", "PSF-2.0"),
        (rf"(?:european union public license|eupl){_VERSION}1\.2", "EUPL-1.2"),
        (rf"business source license{_VERSION}1\.1", "BUSL-1.1"),
        (rf"elastic license{_VERSION}2(?:\.0)?", "Elastic-2.0"),
        (rf"sil open font license{_VERSION}1\.1", "OFL-1.1"),
        (r"postgresql", "PostgreSQL"),
    ]
]  # fmt: skip

_CREATIVE_COMMONS: Final = re.compile(
    r"(?:creative commons |cc )?(?:attribution|by\b)"
    r"(?P<terms>(?: ?(?:non ?commercial|share ?alike|no ?deriv(?:ative)?s?(?: works)?"
    r"|nc\b|sa\b|nd\b))*)"
    r"(?: license)? ?v?(?P<version>[1-4]\.[05])"
    r"(?: (?:international|unported|generic|universal))?(?: public)?(?: license)?\b"
)

# Names that say too little inside a sentence, but enough where nothing but a licence is expected.
_ALONE: Final = {
    "apache": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "expat": "MIT",
    "python software foundation license": "PSF-2.0",
    "boost": "BSL-1.0",
    "boost software license": "BSL-1.0",
    "mozilla public license": "MPL-2.0",
    "creative commons zero": "CC0-1.0",
}


def _named(words: str) -> str:
    """The licence whose name the words are, from the first to the last."""
    words = words.removeprefix("the ").removeprefix("gnu gnu ")
    if alone := _ALONE.get(words):
        return alone
    end, id = _name_at(words, 0)
    if id and end == len(words):
        return id
    unversioned = _GNU.fullmatch(words)
    return _gnu(unversioned) if unversioned else ""


def _name_at(words: str, start: int) -> tuple[int, str]:
    """The end of the name that begins there, and its licence; empty if none does."""
    if (match := _GNU.match(words, start)) and match["version"]:
        return match.end(), _gnu(match)
    if (match := _CREATIVE_COMMONS.match(words, start)) and (
        match[0].startswith(("c", "attribution"))
    ):
        return match.end(), _creative_commons(match)
    for pattern, id in _NAMES:
        if match := pattern.match(words, start):
            return match.end(), id
    return start, ""


def _gnu(match: re.Match[str]) -> str:
    kind = match["kind"] or {"l": "lesser ", "a": "affero "}.get(match["letter"] or "", "")
    family = {"": "GPL", "affero ": "AGPL"}.get(kind, "LGPL")
    version = match["version"]
    if version is None:
        first = {"GPL": "1.0", "AGPL": "1.0", "LGPL": "2.0"}[family]
        return f"{family}-{first}-or-later"
    number = version if "." in version else f"{version}.0"
    is_later = match["later"] or match["plus"] == "+"
    return _parsed(f"{family}-{number}-{'or-later' if is_later else 'only'}")


def _creative_commons(match: re.Match[str]) -> str:
    terms = match["terms"].replace(" ", "")
    parts = [
        "-NC" if re.search("noncommercial|nc", terms) else "",
        "-ND" if re.search("noderiv|nd", terms) else "",
        "-SA" if re.search("sharealike|sa", terms) else "",
    ]
    return _parsed(f"CC-BY{''.join(parts)}-{match['version']}")


def _words(text: str) -> str:
    """The text as lower-case words with single spaces between, without comment marks and tags."""
    lowered = text.lower().replace("licence", "license")
    if "<" in lowered:  # <br>, and the <LICENSE-MIT or https://...> of Rust headers
        lowered = re.sub(r"</?[a-z][^<>]{0,200}>", " ", lowered)
    if "&" in lowered:
        lowered = re.sub(r"&(?:[a-z]{2,6}|#\d{1,5});", " ", lowered)
    if "dnl" in lowered or "rem" in lowered:
        lowered = re.sub(r"(?m)^\s*(?:dnl|rem)\s", " ", lowered)
    return " ".join(re.findall(r"[a-z0-9]+(?:\.[0-9]+)*\+?", lowered))


# ---- what a file says of itself ------------------------------------------------------------------

# Quotes before the tag make it data of a program; three of them begin the docstring of a module.
_TAG: Final = re.compile(
    r"""(?:^|[^"'`\w]|\"{3}|'{3})SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+\-: ()]+)""",
    re.MULTILINE,
)
_UNDER: Final = re.compile(
    r"\b(?:under|subject to|governed by|covered by)"
    r"(?: (?:the|terms|and|conditions|of|a|an|either))* "
)
_MORE: Final = re.compile(r"(?: license)? (or|and)(?: (?:the|under|a))* ")
_CHOICE: Final = re.compile(r"\b(?:alternatively|dual licensed?|at your option(?! any))\b")
_FIELD: Final = re.compile(
    r"(?im)^(?:[ \t]*__license__\s*=\s*[\"']|\W{0,12}@licen[cs]e\b|[\s#*/;%:.-]{0,12}licen[cs]e:)"
    r"\s*([^\s\"'][^\"'\n]{0,80}?)[ \t\"'*/.>-]*$"
)


def of_head(text: str) -> str:
    """What the head of a file says of it: its SPDX tags, else its notice."""
    return spdx_tag(text) or _notice(text[:_NOTICE_CHARACTERS])


def spdx_tag(text: str) -> str:
    """The normalised expression of the ``SPDX-License-Identifier:`` tags in the first 8 KiB."""
    head = text[:_TAG_CHARACTERS]
    if "SPDX-License-Identifier:" not in head:
        return ""
    found = []
    for value in _TAG.findall(head):
        expression = value.strip(" -:.")
        while expression.endswith(")") and expression.count(")") > expression.count("("):
            expression = expression[:-1].rstrip(" -:.")
        normal = known(expression)
        # One unknown word may be a licence of one's own; a sentence is not.
        found += (
            [normal] if normal else [expression] if expression and " " not in expression else []
        )
    return both(found)


def _notice(head: str) -> str:
    lowered = head.lower()
    # Most files have no notice, and looking for a word takes a hundredth of the rest.
    if not any(hint in lowered for hint in ("licen", "gpl", "permi", "redistrib", "origin")):
        return ""
    fields = {known(value) for value in _FIELD.findall(head)} - {""}
    return _notice_in(_words(head)) or (both(fields) if len(fields) <= _MAX_IN_NOTICE else "")


def _notice_in(words: str) -> str:
    found = {id for _, id in _full_texts(words)}
    is_choice = _CHOICE.search(words) is not None
    for match in _UNDER.finditer(words):
        end, id = _name_at(words, match.end())
        while id:
            found.add(id)
            more = _MORE.match(words, end)
            if more is None:
                break
            end, id = _name_at(words, more.end())
            is_choice = is_choice or (bool(id) and more[1] == "or")
    # "version 2 or later ... see version 2 for details" is one licence.
    found -= {id.replace("-or-later", "-only") for id in found if id.endswith("-or-later")}
    if len(found) > _MAX_IN_NOTICE:
        return ""
    return _joined(found, " OR " if is_choice else " AND ")


# ---- licence files -------------------------------------------------------------------------------


class _Text(NamedTuple):
    """A text with the pattern ``opening``, and near it all of ``also``, is the licence ``id``."""

    id: str
    opening: str
    also: tuple[str, ...] = ()


_ANY_PERSON: Final = (
    "permission is hereby granted free of charge to any person obtaining a copy of this software"
)
_ANY_PURPOSE: Final = (
    r"permission to use copy modify and (?:or )?distribute this software for any purpose with or "
    "without fee is hereby granted"
)
_BSD: Final = (
    r"redistribution and use (?:of this software )?in source and binary forms "
    r"(?:with or without modification )?(?:is|are) permitted"
)
_BINARY: Final = "redistributions in binary form must reproduce"
_PYTHON: Final = "python software foundation license version 2"

# Of the texts with one opening the more special is named first.
_TEXTS: Final = [
    _Text("JSON", _ANY_PERSON, ("used for good not evil",)),
    _Text("NCSA", _ANY_PERSON, ("redistributions of source code must retain",)),
    _Text("X11", _ANY_PERSON, ("except as contained in this notice the name",)),
    _Text("MIT", _ANY_PERSON, ("this permission notice",)),
    _Text("MIT-0", _ANY_PERSON, ("without warranty of any kind",)),
    _Text(
        "BSL-1.0",
        "permission is hereby granted free of charge to any person or organization obtaining",
    ),
    _Text("curl", _ANY_PURPOSE, ("except as contained in this notice the name",)),
    _Text("ISC", _ANY_PURPOSE, ("above copyright notice",)),
    _Text("0BSD", _ANY_PURPOSE, ("the software is provided as is",)),
    _Text(
        "PostgreSQL",
        "permission to use copy modify and distribute this software and its documentation for any "
        "purpose without fee and without a written agreement",
    ),
    _Text(
        "MIT-CMU",
        "by obtaining using and or copying this software and or its associated documentation",
    ),
    _Text("Apache-1.1", _BSD, ("end user documentation included with the redistribution",)),
    _Text("BSD-4-Clause", _BSD, ("all advertising materials mentioning features or use",)),
    _Text("BSD-3-Clause-Clear", _BSD, (_BINARY, "licenses to any party s patent rights")),
    _Text("BSD-3-Clause", _BSD, (_BINARY, "endorse or promote products")),
    _Text("BSD-2-Clause", _BSD, (_BINARY,)),
    _Text("BSD-1-Clause", _BSD, ("redistributions of source code must retain",)),
    _Text(
        "Zlib", "origin of this software must not be misrepresented", ("altered source versions",)
    ),
    _Text("Apache-2.0", "apache license version 2.0 january 2004"),
    _Text("MPL-2.0", "mozilla public license version 2.0", ("covered software",)),
    _Text("MPL-1.1", "mozilla public license version 1.1", ("covered code",)),
    _Text("EPL-2.0", r"eclipse public license v(?:ersion)? ?2.0", ("accompanying program",)),
    _Text("EPL-1.0", r"eclipse public license v(?:ersion)? ?1.0", ("accompanying program",)),
    _Text("EUPL-1.2", r"european union public license v ?1\.2"),
    _Text("CDDL-1.0", "common development and distribution license (?:cddl )?version 1.0"),
    _Text("CDDL-1.1", "common development and distribution license (?:cddl )?version 1.1"),
    _Text("Unlicense", "this is free and unencumbered software released into the public domain"),
    _Text("CC0-1.0", "cc0 1.0 universal", ("affirmer",)),
    _Text("WTFPL", "do what the fuck you want to public license", ("terms and conditions",)),
    _Text("Python-2.0", _PYTHON, ("beopen", "cnri")),
    _Text("PSF-2.0", _PYTHON),
    _Text("Artistic-2.0", "the artistic license 2.0"),
    _Text(
        "Artistic-1.0-Perl",
        "the artistic license preamble",
        ("aggregation of this package with a commercial distribution",),
    ),
    _Text("OFL-1.1", "sil open font license version 1.1", ("reserved font name",)),
    _Text("BUSL-1.1", "business source license 1.1", ("change date",)),
    _Text("SSPL-1.0", "server side public license version 1"),
    _Text("Elastic-2.0", "elastic license 2.0", ("by using the software you agree",)),
    _Text("BlueOak-1.0.0", "blue oak model license version 1.0.0"),
    _Text("MulanPSL-2.0", "mulan permissive software license version 2"),
    _Text("MS-PL", "microsoft public license ms pl"),
]
_OPENINGS: Final = {opening: re.compile(opening) for opening in {text.opening for text in _TEXTS}}
# The clauses of these two are further apart than those of the others.
_LONG: Final = {"Python-2.0", "Artistic-1.0-Perl"}

_GNU_TITLE: Final = re.compile(
    r"gnu (?P<kind>lesser |library |affero |free documentation )?"
    r"(?:general public )?license version (?P<version>[1-3](?:\.[0-3])?) "
    r"(?:\d+ )?(?:february|march|june|november) \d{4}"
)


def of_licence_file(text: str) -> str:
    """Which licence a LICENSE, COPYING or UNLICENSE file holds, or refers to.

    Parameters
    ----------
    text : str
        The whole file, or its beginning: of several licences in it the first counts.
    """
    if tagged := spdx_tag(text):
        return tagged
    words = _words(text)
    nothing = (_BEGINNING_CHARACTERS, "")
    first = min([nothing, *_full_texts(words)])
    if (title := _gnu_title(words)) and title[0] <= first[0]:
        at, only = title
        later = only.replace("-only", "-or-later")
        return later if _notice_in(words[:at]) == later else only
    commons = _CREATIVE_COMMONS.search(words) if "creative commons" in words else None
    if commons and commons.start() < first[0]:
        return _creative_commons(commons)
    return first[1] or _notice(text[:_NOTICE_CHARACTERS]) or known(text.strip())


def _full_texts(words: str) -> Iterator[tuple[int, str]]:
    """The licences that stand there in full, each with the place where it begins."""
    found = [
        (match.start(), opening)
        for opening, pattern in _OPENINGS.items()
        if (match := pattern.search(words))
    ]
    places = sorted(place for place, _ in found)
    for place, opening in found:
        end = min([place + _SPAN_CHARACTERS, *(other for other in places if other > place)])
        near = words[place:end]
        for text in _TEXTS:
            if text.opening == opening:
                seen = words if text.id in _LONG else near
                if all(phrase in seen for phrase in text.also):
                    yield place, text.id
                    break


def _gnu_title(words: str) -> tuple[int, str] | None:
    match = _GNU_TITLE.search(words)
    if match is None:
        return None
    number = match["version"] if "." in match["version"] else f"{match['version']}.0"
    kinds = {None: "GPL", "affero ": "AGPL", "free documentation ": "GFDL"}
    return match.start(), _parsed(f"{kinds.get(match['kind'], 'LGPL')}-{number}-only")
