"""What is shown of markup, escapes and overrides, where it stands in the text, and what is none."""

import html
import html.entities
import importlib.util
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import _core

WORDS = _core.Vocabulary([])
TEXT = (
    "It was the best of times, it was the worst of times; it was the age of wisdom, "
    "it wasn't an age of foolishness."
)
SOURCE = Path(__file__).parent.parent / "csrc"


def rendered(text: str | bytes) -> str | None:
    reading = _core.read_as("rendered", text, WORDS)
    return reading[0] if reading else None


def tokens(text: str) -> list[str]:
    return _core.normalised_tokens(text)


def original(runs: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Where bytes [start, end) of a reading come from, by its runs."""
    spans = []
    for at, size, first, last, copied in runs.tolist():
        if at + size <= start or at >= end:
            continue
        if copied:
            first, last = first + max(start - at, 0), first + min(end - at, size)
        spans.append((first, last))
    return min(first for first, _ in spans), max(last for _, last in spans)


def pieces(text: str) -> dict[str, tuple[int, int]]:
    """Of each word of the reading of a text: what it was made of."""
    reading = _core.read_as("rendered", text, WORDS)
    assert reading is not None
    shown, runs = reading
    _, starts, ends = _core.tokenize(shown)
    found = {}
    for token, start, end in zip(tokens(shown), starts.tolist(), ends.tolist(), strict=True):
        found[token] = original(runs, start, end)
    return found


def halved(form: str) -> Callable[[str], str]:
    """The form with the halves of each word."""
    return lambda text: " ".join(
        form.format(word[: len(word) // 2], word[len(word) // 2 :]) for word in text.split()
    )


def each_word(form: str, between: str = " ") -> Callable[[str], str]:
    return lambda text: between.join(map(form.format, text.split()))


def each_letter(write: Callable[[int], str]) -> Callable[[str], str]:
    return lambda text: "".join(write(ord(c)) if c.isalpha() else c for c in text)


def times(count: int, write: Callable[[str], str]) -> Callable[[str], str]:
    def repeated(text: str) -> str:
        for _ in range(count):
            text = write(text)
        return text

    return repeated


RLO, LRO, RLE, PDF, RLI, PDI = "\u202e\u202d\u202b\u202c\u2067\u2069"

DEVICES: dict[str, Callable[[str], str]] = {
    # HTML and XML
    "decimal entities": each_letter("&#{};".format),
    "hexadecimal entities without semicolons": lambda text: " ".join(
        "".join(f"&#X{ord(c):x}" for c in word) for word in text.split()
    ),
    "padded entities": each_letter("&#{:020};".format),
    "named entities between words": lambda text: text.replace(" ", "&nbsp;"),
    "named entities within words": halved("{}&shy;{}"),
    "entities of entities": lambda text: html.escape(
        html.escape(each_letter("&#{};".format)(text))
    ),
    "inline tags": halved("{}<b>{}</b>"),
    "capital tags": halved("<EM>{}</EM>{}"),
    "tags with attributes": halved('{}<span class="a > b" id=x>{}</span>'),
    "long tags": halved('{}<font style="' + "margin:0;" * 60 + '">{}</font>'),
    "unknown tags, closed": halved("<zz>{}</zz>{}"),
    "unknown tags within words": halved("{}<z-z>{}"),
    "void tags": halved("{}<wbr/>{}"),
    "comments": halved("{}<!-- > x -->{}"),
    "empty comments": halved("{}<!---->{}"),
    "a tag a letter": lambda text: re.sub("[a-zA-Z]", r"<i>\g<0></i>", text),
    "a block a word": each_word("<p>{}</p>", ""),
    "an element a word": each_word("<w>{}</w>", ""),
    "what is not displayed": halved('{}<span style="display:none">no</span>{}'),
    "hidden elements": halved("{}<i hidden>no</i>{}"),
    "style sheets": halved("{}<style>p {{ color: red }}</style>{}"),
    # strings
    "\\u": each_letter("\\u{:04x}".format),
    "\\u{}": each_letter("\\u{{{:x}}}".format),
    "\\U": each_letter("\\U{:08x}".format),
    "\\x": each_letter("\\x{:02x}".format),
    "octal": each_letter("\\{:03o}".format),
    "lines of a string": lambda text: text.replace(" ", "\\n"),
    "tabs of a string": lambda text: text.replace(" ", "\\t"),
    "JSON": lambda text: json.dumps(text.replace(" ", "\n")),
    "JSON in JSON": times(2, lambda text: json.dumps(text.replace(" ", "\n"))),
    "JSON in JSON in JSON": times(3, lambda text: json.dumps(text.replace(" ", "\n"))),
    "escaped apostrophes": halved("{}\\'{}"),
    # URLs, mail
    "percent": each_letter("%{:02x}".format),
    "quote()": quote,
    "quote(quote())": times(2, quote),
    "%u": each_letter("%u{:04X}".format),
    "quoted-printable": lambda text: "".join(f"={ord(c):02X}" for c in text),
    "soft ends of lines": halved("{}=\r\n{}"),
    # Markdown
    "strong": halved("**{}**{}"),
    "strong at the end": halved("{}**{}**"),
    "emphasis": halved("{}*{}*"),
    "both": halved("***{}***{}"),
    "strong with underscores": halved("__{}__{}"),
    "struck": halved("~~{}~~{}"),
    "code": halved("``{}``{}"),
    "links": halved("[{}](http://a.b/c_(d)?e=f){}"),
    "links of nothing": halved("{}[](x){}"),
    "images": halved("{}![](x.png){}"),
    "footnotes": each_word("{}[^1]"),
    # BBCode
    "BBCode": halved("[b]{}[/b]{}"),
    "BBCode with values": halved("{}[color=red]{}[/color]"),
    # TeX
    "bold": halved("\\textbf{{{}}}{}"),
    "emphasised": halved("{}\\emph{{{}}}"),
    "declared": halved("{{\\bf {}}}{}"),
    "unknown commands": halved("\\foo{{{}}}{}"),
    "coloured": halved("\\textcolor{{red}}{{{}}}{}"),
    "labelled": halved("{}\\label{{here}}{}"),
    "empty groups": halved("{}{{}}{}"),
    "possible hyphens": halved("{}\\-{}"),
    # direction
    "overridden": lambda text: f"{RLO}{text[::-1]}{PDF}",
    "overridden to the end": lambda text: RLO + text[::-1],
    "overridden word by word": lambda t: " ".join(RLO + word[::-1] + PDF for word in t.split()),
    "overridden twice": lambda text: f"{RLO}{RLO}{text[::-1]}{PDF}{PDF}",
    "overridden back": lambda t: RLO + t[40:][::-1] + LRO + t[:40] + PDF + PDF,
    "isolated": lambda text: f"{RLI}{RLO}{text[::-1]}{PDI}{PDF}",
    "overridden by an entity": lambda text: "".join(f"&#{ord(c)};" for c in RLO + text[::-1]),
}


@pytest.mark.parametrize("device", DEVICES)
def test_what_hides_words_is_undone(device: str) -> None:
    hidden = DEVICES[device](TEXT)
    assert tokens(hidden) != tokens(TEXT)
    shown = rendered(hidden)
    assert shown is not None
    assert tokens(shown) == tokens(TEXT)


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("&eacute;&Eacute;&#xe9;&#233 &eacute", "éÉéé é"),
        ("d&eacutej&agrave;&nbsp vu&#146;s", "déjà\xa0 vu’s"),
        ("&nLt;&nGt;a&fjlig;b&fjlig;&ouml;&auml;", "≪⃒≫⃒afjbfjöä"),
        ("&#0;a&#xD800;b&#x110000;c&#99999999999;", "\ufffda\ufffdb\ufffdc\ufffd"),
        ("\\ud83d\\ude00a\\u00e9b\\u{1F600}\\U0001f600c\\u0064", "😀aéb😀😀cd"),
        ("\\xc3\\xa9a\\xe9b\\303\\251\\x41\\x42", "éaébéAB"),
        ("%C3%A9%E2%82%ACa%e9b%41%42", "é€aébAB"),
        ("=C3=A9=E2=82=ACa=41=42", "é€aAB"),
        ("na\\\"ive caf\\'e, se\\~nor, \\c{c}a fa\\c{c}ade", "naive caf'e, senor, ca facade"),
        ("<p>one<br>two</p><div>three</div><hr/>four", "\none\ntwo\n\nthree\n\nfour"),
        ("<?xml version='1'?><!DOCTYPE a><![CDATA[a]]> b<b>c</b>", "a]]> bc"),
        ("a<script>if (a<b) {}</script>b<b>c</b>d<i>e</i>", "abcde"),
    ],
)
def test_forms_are_read_as_their_standards_say(hidden: str, shown: str) -> None:
    assert rendered(hidden) == shown


@pytest.mark.parametrize(
    "hidden",
    [
        *("\\ud83d", "\\ud83dx", "\\ude00", "\\u00g0", "\\U00110000", "\\u{110000}", "\\u{}"),
        *("\\xg0", "\\18", "%81", "%g1", "%01", "=c3", "&nosuch;", "&;", "&#;", "&#x;"),
        *("<b", "<b a", "< b>", "<1>", "</", "<!-- a", "[b]", "[a](b", "{}", "**"),
    ],
)
def test_what_is_no_escape_or_tag_stays(hidden: str) -> None:
    edits = "w<b>o</b>r<i>d</i> " * 3
    assert rendered(f"{edits} {hidden} ") == f"{'word ' * 3} {hidden} "


def test_parts_of_a_reading_are_mapped_to_what_they_were_made_of() -> None:
    text = "é wo<b>rd</b> &#97;b \\u0063d **e**f <!--x-->g [h](i)j"
    encoded = text.encode()
    assert {word: encoded[a:b].decode() for word, (a, b) in pieces(text).items()} == {
        "e": "é",
        "word": "wo<b>rd",
        "ab": "&#97;b",
        "cd": "\\u0063d",
        "ef": "e**f",
        "g": "g",
        "hj": "h](i)j",
    }


def test_turned_parts_are_mapped_letter_by_letter() -> None:
    text = f"é {RLO}dlrow olléh{PDF}"
    encoded = text.encode()
    found = pieces(text)
    assert encoded[slice(*found["hello"])].decode() == "olléh"
    assert encoded[slice(*found["world"])].decode() == "dlrow"


@pytest.mark.parametrize(
    "device", [d for d in DEVICES if "overridden" not in d and d != "isolated"]
)
def test_spans_follow_each_other_where_no_direction_is_turned(device: str) -> None:
    hidden = DEVICES[device](TEXT)
    reading = _core.read_as("rendered", hidden, WORDS)
    assert reading is not None
    shown, runs = reading
    at, size, start, end, copied = runs.T.astype(np.int64)
    assert (at[1:] == at[:-1] + size[:-1]).all() and at[-1] + size[-1] == len(shown.encode())
    assert (start[1:] >= end[:-1]).all() and (start <= end).all()
    assert end[-1] <= len(hidden.encode())
    for i in np.flatnonzero(copied):
        part = hidden.encode()[start[i] : end[i]]
        assert shown.encode()[at[i] : at[i] + size[i]] == part


# ---- direction


@pytest.mark.parametrize(
    "text",
    [
        f"{RLO}שלום עולם{PDF} and more",
        f"{RLE}hello world{PDF}",
        f"{RLI}hello world{PDI}",
        f"{LRO}hello world{PDF}",
        f"hello {PDF}{PDI} world{RLO}",
        "مرحبا بالعالم, שלום עולם",
    ],
)
def test_text_that_is_read_as_it_stands_is_not_turned(text: str) -> None:
    assert rendered(text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a {RLO}cb\nd", "a bc\nd"),
        (f"{RLO}fed {LRO}abc{PDF}{PDF} g", "abc def g"),
        (f"{RLO}e\u0301dcba{PDF}", "abcde\u0301"),
        (f"{LRO}םולש{PDF}", "שלום"),
        (f"{RLO}d {RLE}b c{PDF} a{PDF}", "a b c d"),
        (f"{RLO * 40}dcba{PDF * 40} e", "abcd e"),
    ],
)
def test_overrides_nest_and_end_with_their_line(text: str, shown: str) -> None:
    assert rendered(text) == shown


# ---- tables


def by_column(columns: int) -> list[list[str]]:
    words = TEXT.replace(";", "").split()
    height = -(-len(words) // columns)
    return [words[row::height] for row in range(height)]


@pytest.mark.parametrize("columns", [2, 3, 5, 7])
@pytest.mark.parametrize(
    ("form", "bar"), [("| {} |", " | "), ("{}", "|"), ("{}", "\t"), ("{}", ";"), ('"{}"', '","')]
)
def test_tables_are_read_by_row_and_by_column(columns: int, form: str, bar: str) -> None:
    lines = [form.format(bar.join(row)) for row in by_column(columns)]
    if form.startswith("|"):
        lines.insert(1, "|---" * columns + "|")
    text = "Before.\n" + "\n".join(lines) + "\nAfter: this."
    shown = rendered(text)
    assert shown is not None
    rows = [word for row in by_column(columns) for word in row]
    assert tokens(shown) == tokens(" ".join(["Before", *rows, TEXT, "After this"]))


def test_cells_of_html_are_those_of_a_table() -> None:
    rows = "".join(
        "<tr>\n" + "".join(f'<td class="a">{word}</td>\n' for word in row) + "</tr>\n"
        for row in by_column(4)
    )
    shown = rendered(f"<table>\n{rows}</table>\n")
    assert shown is not None and " ".join(tokens(TEXT)) in " ".join(tokens(shown))


@pytest.mark.parametrize(
    "text",
    [
        "| Name | Size |\n|---|---|\n| one | 1 |\n| two | 2 |",
        "2024-01-01,3.5,7\n" * 20,
        "He came, he saw, and then he went away, as they all do.\n" * 20,
        "    foo(a, b)\n    bar = baz, qux\n" * 20,
    ],
)
def test_small_tables_numbers_and_sentences_are_not_turned(text: str) -> None:
    assert rendered(text) is None


# ---- what is no device

ORDINARY = {
    "prose": TEXT * 20,
    "French": "L'été, c'est « l'œuvre » d'un élève - à 50 % près ; voilà ! " * 20,
    "Russian": "Мой дядя самых честных правил, когда не в шутку занемог. " * 20,
    "Greek": "Μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος οὐλομένην, ἣ μυρί᾽. " * 20,
    "Arabic": "بسم الله الرحمن الرحيم، الحمد لله رب العالمين. " * 20,
    "Hebrew": "בראשית ברא אלהים את השמים ואת הארץ. " * 20,
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता। " * 20,
    "Chinese": "道可道，非常道。名可名，非常名。**无名**天地之始。\n" * 20,
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน " * 20,
    "emoji": "👩‍👩‍👧 fine ❤️ 🇫🇷 ok " * 20,
    "Markdown": "## A head\n\n* **whole words** and *others*, `code` and ~~no~~.\n" * 20,
    "names": "snake_case and __init__ of self.__dict__, *args, **kwargs, a_b_c\n" * 20,
    "powers": "x = a**2 + b**2 * c*d - e*f\n" * 20,
    "types": "Map<String, List<int>> m = new HashMap<String, List<int>>(); if (a < b && c > d)\n"
    * 20,
    "brackets before brackets": "he said [so] (and [b](was heard by all) of them [c](at last)\n"
    * 20,
    "templates": "template <typename T> std::vector<T> f(Set<T> a) { return Vec<u8>{}; }\n" * 20,
    "includes": "#include <vector>\n#include <map>\n#include <stdio.h>\n" * 20,
    "C strings": 'printf("%d items\\n", n);\nputs("done\\t.\\n");\n' * 20,
    "formats": '"%20s %30d %-10.3f" % (a, b, c); f"{a}b{c}"\n' * 20,
    "queries": "https://x.y/z?page=10&size=20&copy=3&lt=4&amplitude=5\n" * 20,
    "assignments": "x=10; y=20; width=50; SIZE=3F\n" * 20,
    "patterns": r"re.compile(r'\d{3}\.\w+(\s|\b)[^a-z]+ (?P<name>\S)')" + "\n" * 2,
    "indices": "a[i] = b[j]; c[k](x) if s[len] else t[0]\n",
    "formulae": r"$\nabla \theta \times \rho \cdot \tau \neq \alpha_{i}$" * 20,
    "doc comments": "@param[in] a\n@param[out] b\n" * 20,
    "lambdas": "auto f = [](int i) { return i; };\n" * 20,
    "addresses of": "f(&copy, &amp); a = b &c; d &&e; g(&current, &region);\n" * 20,
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_text_has_no_other_reading(kind: str) -> None:
    assert rendered(ORDINARY[kind]) is None


def test_what_stands_alone_is_left_alone() -> None:
    lone = "He said &quot;no&quot;, and so th<b>e</b>y went. "
    assert rendered(lone + TEXT) is not None
    assert rendered(f"He said &quot;no&quot;. {TEXT} wo**rd** " + TEXT * 3) is None
    text = lone + TEXT * 10 + " One w**or**d. " + TEXT * 10
    shown = rendered(text)
    assert shown is not None
    assert "they went" in shown and "w**or**d" in shown


# ---- any text

FRAGMENTS = [
    *("&amp;", "&lt;", "&#60;", "&#x5c;", "&#37;", "&", ";", "#", "<", ">", "/", "!--", "-->"),
    *("<b>", "</b>", "<p>", "<td>", "</td>", "<tr>", "<zz>", "</zz>", "<i hidden>", "<style>"),
    *("\\", "\\\\", "u0041", "\\u005c", "\\u0026", "x41", "n", "\\n", "\\textbf{", "{\\bf ", "}"),
    *("{}", "{", "%41", "%25", "%3C", "=41", "=3D", "=\n", "*", "**", "__", "~~", "``", "[", "]"),
    *("[](x)", "](y)", "[b]", "[/b]", "[^1]", RLO, LRO, RLE, PDF, RLI, PDI, "\u202a", "é", "中"),
    *("a", "bc", " ", "\n", "|", ",", "a|b\n", "| c | d |\n", "\t", ";", "1", "ש", "'", '"'),
]
marked = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=60).map("".join)
texts = marked | st.tuples(marked, st.integers(2, 6)).map(lambda pair: pair[0] * pair[1])


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@settings(max_examples=400, deadline=None)
@given(texts)
def test_a_reading_has_no_other_reading(text: str) -> None:
    once = rendered(utf8(text))
    if once is not None:
        assert rendered(once) is None


@settings(max_examples=400, deadline=None)
@given(texts)
def test_runs_cover_the_reading_and_lie_in_the_text(text: str) -> None:
    encoded = utf8(text)
    reading = _core.read_as("rendered", encoded, WORDS)
    if reading is None:
        return
    shown, runs = reading
    assert len(shown.encode()) <= 4 * len(encoded)
    place = 0
    for at, size, start, end, copied in runs.tolist():
        assert at == place and size > 0 and 0 <= start <= end <= len(encoded)
        if copied:
            assert shown.encode()[at : at + size] == encoded[start:end]
        place += size
    assert place == len(shown.encode())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["P", "S", "Cf", "Cs", "Cc"])))
def test_text_without_marks_has_no_other_reading(text: str) -> None:
    assert rendered(text) is None


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(DEVICES)), st.integers(0, 60), st.integers(0, 60))
def test_devices_are_undone_wherever_the_text_is_cut(device: str, left: int, right: int) -> None:
    hidden = DEVICES[device](TEXT).encode()
    part = hidden[left : len(hidden) - right].decode(errors="ignore")
    once = rendered(part)
    if once is not None:
        assert rendered(once) is None


HOSTILE = [
    *("&", "<", "(", "\\", "%", "=", "*", "_", "~", "`", "[", "{", "}", "|", "\n", "\t", ",", "é"),
    *("a*", "**a**b ", "<b>", "<b ", "<b x='", "<b '\"", "<z>", "</z>", "<i hidden>", "<style>"),
    *("<!--", "<![CDATA[", "<?xml", "<!a", "[a", "[a](", "[a](b", "[](x)", "[z]", "[^a]", "[/a]"),
    *("&#0", "&amp;", "&nLt;", "\\u0041", "\\n", "\\\\n", "\\textbf{", "{\\bf ", "\\'{e}", "\\c{"),
    *("%C3", "\\xc3", "=C3", "=41", "a=\n", "a|b\n", "a,b,c\n", '"a,', "| a "),
    *(RLO, RLO + "a", RLO + LRO, RLI, f"a{RLO}b{PDF}", PDF, RLI + RLO + "a" + PDI),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long_or_grows(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece.encode()) + 1)).encode()
    start = time.process_time()
    reading = _core.read_as("rendered", text, WORDS)
    assert (
        time.process_time() - start < 20
    )  # .02 s, more under sanitizers; a square of the size: minutes
    if reading is not None:
        assert len(reading[0].encode()) <= 4 * len(text)


def test_entities_are_what_the_generator_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SOURCE))
    spec = importlib.util.spec_from_file_location("generate", SOURCE / "generate_entities.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.render() == (SOURCE / "entities.h").read_text()


def test_every_named_entity_is_the_character_that_html_names() -> None:
    for name, character in html.entities.html5.items():
        if name.endswith(";"):
            assert rendered(f"a&{name}" * 4) == f"a{character}" * 4
