"""Lists of facts that everybody has, as people write them down: countries, errors, months.

Takes nothing, gives ``Facts``: rows of a few fields, in the order of their source, and ``written``
them in each form whose words differ. Punctuation is no word, so names one a line are also an array,
a comma list and bullets, and a code before its name is a dictionary, a table and a CSV file.

From the standard library, and as far as they are installed pycountry (ISO 3166, 4217, 15924),
iso639-lang, babel (CLDR: the same and the calendar in many languages), tzdata, webcolors and
periodictable.
"""

import builtins
import calendar
import encodings.aliases
import errno
import html.entities
import http
import json
import keyword
import locale
import mimetypes
import os
import signal
import sys
import unicodedata
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module, resources
from itertools import permutations
from typing import Any, Final, NamedTuple

__all__ = ["Facts", "facts", "written"]

Row = tuple[str, ...]

# Languages that most is written in; of others lists in English are what is met.
_LANGUAGES: Final = (
    *("ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi"),
    *("hr", "hu", "id", "it", "ja", "ko", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sr", "sv"),
    *("th", "tr", "uk", "vi", "zh", "zh_Hant"),
)
# Scripts and signs of which tables are made: Latin, Greek, Cyrillic; punctuation to arrows, maths,
# boxes and dingbats; emoji.
_BLOCKS: Final = ((0x20, 0x250), (0x370, 0x530), (0x2010, 0x2C00), (0x1F300, 0x1FB00))
_CHARSETS: Final = (
    *(f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
    *(f"cp{page}" for page in (437, 850, 852, 866, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257)),
    *("koi8_r", "koi8_u", "mac_roman", "cp1258"),
)


class Facts(NamedTuple):
    """A list: what it is of, what its fields are, a value of each in a row; names come last.

    Of one that `is_plain`, only codes and names are written: few write others as records.
    """

    name: str
    fields: tuple[str, ...]
    rows: Sequence[Row]
    is_plain: bool = False


def facts() -> Iterator[Facts]:
    """Every list; none of a package that is not installed."""
    yield from _python()
    yield from _system()
    yield from _web()
    yield from _characters()
    yield from _zones()
    for package, make in _PACKAGES.items():
        try:
            module = import_module(package)
        except ImportError:
            continue
        yield from make(module)


def written(table: Facts) -> Iterator[tuple[str, str]]:
    """Name and text of each form, in the order of the source and by name."""
    by_name = sorted(table.rows, key=lambda row: row[-1].casefold())
    for order, rows in (("", table.rows), (", by name", by_name)):
        if order and rows == list(table.rows):
            return
        for form, lines in _forms(table, rows):
            yield f"{form}{order}", "\n".join(lines) + "\n"


def _forms(table: Facts, rows: Sequence[Row]) -> Iterator[tuple[str, Iterable[str]]]:
    for at, field in enumerate(table.fields):
        yield field, (row[at] for row in rows)
    if not table.is_plain:
        yield "numbered", (f"{n}. {row[-1]}" for n, row in enumerate(rows, 1))
    if len(table.fields) == 1:
        return
    if len(table.fields) > 2:
        yield "rows", ("\t".join(row) for row in rows)
    for at, field in enumerate(table.fields[:-1]):
        pairs = [(row[at], row[-1]) for row in rows]
        yield f"{field} name", (f"{code}\t{name}" for code, name in pairs)
        yield f"name {field}", (f"{name}\t{code}" for code, name in pairs)
        if not table.is_plain:
            yield f"{field}, options", (f'<option value="{c}">{n}</option>' for c, n in pairs)
    if table.is_plain:
        return
    yield (
        "records",
        (json.dumps(dict(zip(table.fields, row, strict=True)), ensure_ascii=False) for row in rows),
    )
    head = f"INSERT INTO {table.name.replace(' ', '_')} ({', '.join(table.fields)})"
    yield "inserts", (f"{head} VALUES {_quoted(row)};" for row in rows)


def _quoted(row: Row) -> str:
    values = (value.replace("'", "''") for value in row)
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


# ---- the standard library


def _python() -> Iterator[Facts]:
    yield _names("keywords", keyword.kwlist)
    names = [name for name in dir(builtins) if not name.startswith("_")]
    errors = [name for name in names if name.endswith(("Error", "Exception"))]
    yield _names("exceptions", [name for name in names if name[0].isupper()])
    yield _names("errors of Python", errors)
    yield _names("functions", [name for name in names if name[0].islower()])
    yield _names("modules", sorted(sys.stdlib_module_names))
    yield Facts("encodings", ("alias", "name"), sorted(encodings.aliases.aliases.items()))
    yield Facts("locales", ("alias", "name"), sorted(locale.locale_alias.items()))
    languages = ((f"{code:04x}", name) for code, name in sorted(locale.windows_locale.items()))
    yield Facts("Windows locales", ("code", "name"), list(languages))
    months = [list(names)[1:] for names in (calendar.month_name, calendar.month_abbr)]
    days = [list(calendar.day_name), list(calendar.day_abbr)]
    yield _calendar("calendar", months, days)
    for name, (whole, short) in (("months", months), ("days", days)):
        rows = [(str(n), *names) for n, names in enumerate(zip(short, whole, strict=True), 1)]
        yield Facts(name, ("number", "short", "name"), rows)


def _system() -> Iterator[Facts]:
    errors = [(str(n), errno.errorcode[n], os.strerror(n)) for n in sorted(errno.errorcode)]
    yield Facts("errors", ("number", "constant", "text"), errors)
    signals = [
        (str(int(one)), one.name, text) for one in signal.Signals if (text := signal.strsignal(one))
    ]
    yield Facts("signals", ("number", "constant", "text"), signals)


def _web() -> Iterator[Facts]:
    statuses = list(http.HTTPStatus)
    yield Facts("statuses", ("code", "phrase"), [(str(s.value), s.phrase) for s in statuses])
    constants = [(str(s.value), s.name) for s in statuses]
    yield Facts("status constants", ("code", "constant"), constants)
    described = [(str(s.value), s.phrase, s.description) for s in statuses]
    yield Facts("statuses described", ("code", "phrase", "description"), described)
    types = mimetypes.MimeTypes(filenames=()).types_map[True]
    yield Facts("media types", ("extension", "type"), sorted(types.items()))
    points = html.entities.name2codepoint.items()
    entities = sorted((f"{point}", f"{point:x}", chr(point), name) for name, point in points)
    yield Facts("entities", ("number", "hexadecimal", "character", "entity"), entities)


def _characters() -> Iterator[Facts]:
    for first, end in _BLOCKS:
        rows = [
            (f"{point:04X}", chr(point), name)
            for point in range(first, end)
            if (name := unicodedata.name(chr(point), ""))
        ]
        yield Facts(f"characters from {first:04X}", ("code", "character", "name"), rows, True)
    for charset in _CHARSETS:
        upper = [bytes([byte]).decode(charset, "ignore") for byte in range(0x80, 0x100)]
        signs = [
            (f"{byte:o}", str(byte), f"{byte:02X}", character, name)
            for byte, character in enumerate(upper, 0x80)
            if character and (name := unicodedata.name(character, ""))
        ]
        fields = ("octal", "decimal", "hexadecimal", "character", "name")
        yield Facts(charset, fields, signs, True)


def _zones() -> Iterator[Facts]:
    yield _names("time zones", sorted(zoneinfo.available_timezones()))
    for name in ("zone1970.tab", "zone.tab", "iso3166.tab"):
        try:
            text = resources.files("tzdata").joinpath("zoneinfo", name).read_text("utf-8")
        except (ImportError, FileNotFoundError):
            continue
        lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
        rows = [(line[0], line[2] if len(line) > 2 else line[1]) for line in lines]
        yield Facts(name.removesuffix(".tab"), ("country", "name"), rows)


def _calendar(name: str, months: Sequence[Sequence[str]], days: Sequence[Sequence[str]]) -> Facts:
    """The names of a calendar, whole and short, in every order of the four and of the week."""
    rows: list[Row] = []
    for week in (days, [[*names[-1:], *names[:-1]] for names in days]):
        for parts in permutations([*months, *week]):
            rows += ((word,) for part in parts for word in part)
    return Facts(name, ("name",), rows)


def _names(name: str, names: Iterable[str]) -> Facts:
    return Facts(name, ("name",), [(one,) for one in names])


# ---- packages


def _pycountry(pycountry: Any) -> Iterator[Facts]:
    countries = list(pycountry.countries)
    fields = ("alpha_2", "alpha_3", "numeric", "name")
    yield Facts("countries", fields, [tuple(getattr(c, f) for f in fields) for c in countries])
    official = [(c.alpha_2, getattr(c, "official_name", c.name)) for c in countries]
    yield Facts("countries officially", ("alpha_2", "name"), official)
    flags = [(c.flag, c.alpha_2, c.name) for c in countries]
    yield Facts("flags", ("flag", "alpha_2", "name"), flags)
    former = [(c.alpha_4, c.name) for c in pycountry.historic_countries]
    yield Facts("former countries", ("alpha_4", "name"), former)
    currencies = [(c.alpha_3, c.numeric, c.name) for c in pycountry.currencies]
    yield Facts("currencies", ("code", "numeric", "name"), currencies)
    scripts = [(s.alpha_4, s.numeric, s.name) for s in pycountry.scripts]
    yield Facts("scripts", ("code", "numeric", "name"), scripts)
    families = [(family.alpha_3, family.name) for family in pycountry.language_families]
    yield Facts("language families", ("code", "name"), families)
    languages = [(one.alpha_3, one.name) for one in pycountry.languages]
    yield Facts("languages", ("alpha_3", "name"), languages, True)
    by_country: dict[str, list[Row]] = {}
    for part in pycountry.subdivisions:
        by_country.setdefault(part.country_code, []).append(
            (part.code, part.code.partition("-")[2], part.name)
        )
    for country, rows in sorted(by_country.items()):
        yield Facts(f"subdivisions of {country}", ("code", "short", "name"), sorted(rows))


def _iso639(iso639: Any) -> Iterator[Facts]:
    languages = list(iso639.iter_langs())
    for part in ("pt1", "pt2b", "pt2t", "pt5"):
        rows = sorted((code, one.name) for one in languages if (code := getattr(one, part)))
        yield Facts(f"languages by {part}", ("code", "name"), rows)


def _babel(babel: Any) -> Iterator[Facts]:
    for language in _LANGUAGES:
        found = babel.Locale.parse(language)
        for kind in ("territories", "languages", "currencies", "scripts"):
            rows = sorted((code, name) for code, name in getattr(found, kind).items())
            is_plain = language != "en"
            yield Facts(f"{kind} in {language}", ("code", "name"), rows, is_plain)
        months = [list(found.months["format"][width].values()) for width in ("wide", "abbreviated")]
        days = [list(found.days["format"][width].values()) for width in ("wide", "abbreviated")]
        yield _calendar(f"calendar in {language}", months, days)


def _webcolors(webcolors: Any) -> Iterator[Facts]:
    names = webcolors.names("css3")
    values = [(*map(str, webcolors.name_to_rgb(n)), webcolors.name_to_hex(n), n) for n in names]
    yield Facts("colours", ("red", "green", "blue", "value", "name"), values)


def _elements(periodictable: Any) -> Iterator[Facts]:
    rows = [(str(one.number), one.symbol, one.name) for one in periodictable.elements]
    yield Facts("elements", ("number", "symbol", "name"), rows)


_PACKAGES: Final[dict[str, Callable[[Any], Iterator[Facts]]]] = {
    "pycountry": _pycountry,
    "iso639": _iso639,
    "babel": _babel,
    "webcolors": _webcolors,
    "periodictable": _elements,
}
