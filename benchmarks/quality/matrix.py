"""The evasion matrix: its rows, what is wanted of each, and the attacks on prose that try it.

Rows 18 to 20 are about how a copy is delivered and not how it is changed: see ``leaks`` and
``trials``. Row 22, translation and paraphrase, is out of reach of what compares words; ``cases``
has the figures. Rows of code are tried by ``code``.
"""

import html
from dataclasses import dataclass

from .attack import Attack
from .encodings import (
    as_ascii85,
    as_base32,
    as_base64,
    as_base64_backwards,
    as_base64_of_urls,
    as_base85,
    as_binary,
    as_codes,
    as_hex,
    as_hex_bytes,
    as_morse,
    as_pig_latin,
    as_quoted_printable,
    as_rot13,
    as_rot47,
    as_shifted,
    as_spelled,
    as_uu,
    as_wrapped_base64,
    as_zlib,
    by_atbash,
    by_own_cipher,
)
from .layout import (
    bulleted,
    commented,
    csv_cells,
    each_letter,
    each_word,
    hyphenated,
    in_html_table,
    in_json,
    in_json_array,
    in_strings,
    in_table,
    in_table_by_column,
    inside_words,
    numbered,
    prefixed,
    rewrapped,
    url_encoded,
    white_space,
)
from .letters import (
    LEET,
    LOOKALIKES_CYRILLIC,
    LOOKALIKES_OTHER,
    alternating,
    between_letters,
    capitals,
    curly,
    dashed,
    fullwidth,
    humped,
    in_alphabet,
    isolated,
    joined,
    ligatures,
    marked,
    mirrored,
    overridden,
    punctuated,
    random_case,
    reversed_text,
    reversed_words,
    small_capitals,
    spaced,
    stripped,
    swapped_case,
    through,
    typos,
    upside_down,
    without_vowels,
)
from .words import (
    delete,
    every,
    every_nth_is_it,
    filler,
    fillers,
    insert,
    insert_every,
    interleaved,
    of_words,
    omitted,
    sentences_shuffled,
    shuffle,
    substitute,
)

__all__ = ["ATTACKS", "CODE_MEDIUM", "ROWS", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix.

    Attributes
    ----------
    title : str
    first, trusted : float or None
        Share to be found at medium strength in a first release, and to be trusted; None where
        nothing is promised.
    """

    title: str
    first: float | None
    trusted: float | None


ROWS = {
    "1": Row("case", 0.98, 0.995),
    "2": Row("white space, wrapping, hyphenation", 0.98, 0.995),
    "3": Row("line numbers, quote marks, prefixes", 0.98, 0.995),
    "4": Row("punctuation", 0.98, 0.995),
    "5": Row("invisible characters", 0.98, 0.995),
    "6": Row("compatibility forms", 0.98, 0.995),
    "7": Row("diacritics", 0.98, 0.995),
    "8": Row("homoglyphs", 0.98, 0.995),
    "9": Row("direction", 0.95, 0.95),
    "10": Row("leet", 0.90, 0.90),
    "11": Row("letters spaced, words joined", 0.95, 0.95),
    "12": Row("filler", 0.85, 0.95),
    "13": Row("words changed", 0.85, 0.95),
    "14": Row("order, omission", 0.85, 0.95),
    "15": Row("markup", 0.98, 0.995),
    "16": Row("encodings", 0.98, 0.98),
    "17": Row("compression", None, None),
    "18": Row("dripped in a stream", 0.98, 0.995),
    "19": Row("split over fields of one answer", 0.98, 0.995),
    "20": Row("split over requests", None, None),
    "21": Row("every n-th word, interleaved", 0.50, 0.50),
    "22": Row("translation, paraphrase", None, None),
    "23": Row("typing errors", 0.90, 0.90),
    "C1": Row("comments", 0.98, 0.995),
    "C2": Row("names, literals", 0.85, 0.95),
    "C3": Row("layout", 0.98, 0.995),
    "C4": Row("dead code", 0.85, 0.95),
    "C5": Row("order of statements and functions", 0.85, 0.95),
    "C6": Row("forms of loops and branches", 0.80, 0.80),
    "C7": Row("strings split, code drawn out", 0.60, 0.98),
    "C9": Row("cut, broken, wrongly fenced", 0.98, 0.98),
    "C10": Row("two or three of these", 0.65, 0.80),
}

_LETTERS = "of letters"
_WORDS = "of words"
_RATES = (0.1, 0.3, 1.0)
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_VARIATION = "\ufe00\ufe0f\U000e0100\U000e0041\U000e0061"
_FORMAT = "\u00ad\u034f\u200e\u200f\u061c\u2061\u2064\u180e"
_BLANKS = "\u3164\u115f\u1160\uffa0\u2800"
_LINE = (12.0, 8.0, 4.0)
_LINE_UNIT = "words a line"

ATTACKS = [
    Attack("0", "as it is", lambda text, strength, dice: text),
    # ---- case
    Attack("1", "capitals", capitals),
    Attack("1", "case swapped", swapped_case),
    Attack("1", "cases taking turns", alternating),
    Attack("1", "random case", random_case, (0.1, 0.5), 0.5, _LETTERS),
    # ---- white space
    Attack("2", "wrapped", rewrapped, (72, 40, 20), 40, "characters a line"),
    Attack("2", "hyphenated", hyphenated, (72, 40, 20), 40, "characters a line"),
    Attack("2", "tabs, line ends, rare spaces", white_space),
    # ---- prefixes
    Attack("3", "quoted", prefixed("> "), _LINE, 8, _LINE_UNIT),
    Attack("3", "quoted three times", prefixed("> > > "), _LINE, 8, _LINE_UNIT),
    Attack("3", "as a diff", prefixed("+"), _LINE, 8, _LINE_UNIT),
    Attack("3", "as comments", prefixed("// "), _LINE, 8, _LINE_UNIT),
    Attack("3", "at a prompt", prefixed(">>> "), _LINE, 8, _LINE_UNIT),
    Attack("3", "in a shell", prefixed("$ "), _LINE, 8, _LINE_UNIT),
    Attack("3", "line numbers", numbered("{:6}\t"), _LINE, 8, _LINE_UNIT),
    Attack("3", "list numbers", numbered("{}. "), _LINE, 8, _LINE_UNIT),
    Attack("3", "as output of grep", numbered("book.txt:{}:"), _LINE, 8, _LINE_UNIT),
    Attack("3", "time stamps", numbered("[2024-05-01 10:00:{:02}] INFO "), _LINE, 8, _LINE_UNIT),
    # ---- punctuation
    Attack("4", "none", stripped),
    Attack("4", "more", punctuated, _RATES, 0.3, _WORDS),
    Attack("4", "dashes for spaces", dashed, _RATES, 0.3, "of spaces"),
    Attack("4", "curly and CJK", curly),
    # ---- invisible
    Attack("5", "zero width", between_letters(_ZERO_WIDTH), _RATES, 0.3, _LETTERS),
    Attack("5", "variation and tags", between_letters(_VARIATION), _RATES, 0.3, _LETTERS),
    Attack("5", "soft hyphen, marks", between_letters(_FORMAT), _RATES, 0.3, _LETTERS),
    Attack("5", "fillers and blanks", between_letters(_BLANKS), _RATES, 0.3, _LETTERS),
    # ---- compatibility
    Attack("6", "full width", fullwidth, _RATES, 1, _LETTERS),
    Attack("6", "mathematical bold", in_alphabet(0x1D400, 0x1D41A), _RATES, 1, _LETTERS),
    Attack("6", "mathematical sans", in_alphabet(0x1D5A0, 0x1D5BA), _RATES, 1, _LETTERS),
    Attack("6", "mathematical monospace", in_alphabet(0x1D670, 0x1D68A), _RATES, 1, _LETTERS),
    Attack("6", "circled", in_alphabet(0x24B6, 0x24D0), _RATES, 1, _LETTERS),
    Attack("6", "ligatures", ligatures),
    # ---- diacritics
    Attack("7", "marks added", marked, _RATES, 1, _LETTERS),
    # ---- look-alikes
    Attack("8", "Cyrillic", through(LOOKALIKES_CYRILLIC), _RATES, 0.3, _LETTERS),
    Attack("8", "other scripts", through(LOOKALIKES_OTHER), _RATES, 0.3, _LETTERS),
    Attack("8", "small capitals", small_capitals, _RATES, 1, _LETTERS),
    Attack("8", "squared", in_alphabet(0x1F130, 0x1F130), _RATES, 1, _LETTERS),
    Attack("8", "regional signs", in_alphabet(0x1F1E6, 0x1F1E6), _RATES, 1, _LETTERS),
    # ---- direction
    Attack("9", "overridden, whole", overridden),
    Attack("9", "overridden, by word", mirrored),
    Attack("9", "overridden, by line in isolates", isolated),
    Attack("9", "backwards", reversed_text, tier="flag"),
    Attack("9", "words backwards", reversed_words, tier="flag"),
    Attack("9", "upside down", upside_down, tier="flag"),
    # ---- leet
    Attack("10", "leet", through(LEET), (0.1, 0.2, 0.5, 1.0), 0.5, "of such letters"),
    # ---- spaces
    Attack("11", "letters spaced", spaced(" ", " "), _RATES, 1, _WORDS),
    Attack("11", "letters spaced, words wider", spaced(" ", "   "), _RATES, 1, _WORDS),
    Attack("11", "letters dotted", spaced(".", " "), _RATES, 1, _WORDS),
    Attack("11", "letters hyphenated", spaced("-", " "), _RATES, 1, _WORDS),
    Attack("11", "letters underscored", spaced("_", " "), _RATES, 1, _WORDS),
    Attack("11", "words joined, capitals", humped, (4, 12), 4, "words"),
    Attack("11", "words joined", joined, (2, 4, 0), 0, "words, 0 for all"),
    # ---- filler
    Attack("12", "one sign", of_words(filler("\U0001f34c")), (5, 3, 2, 1), 1, "after every n-th"),
    Attack("12", "one word", of_words(filler("banana")), (10, 5, 3, 2, 1), 1, "after every n-th"),
    Attack("12", "a word in brackets", of_words(filler("[banana]")), (5, 1), 1, "after every n-th"),
    Attack("12", "a star between letters", spaced("*", " "), _RATES, 1, _WORDS),
    Attack("12", "a word after n", of_words(insert_every), (10, 5, 3, 2, 1), 5, "after every n-th"),
    Attack("12", "words put in", of_words(insert), (0.1, 0.2, 0.3, 0.5), 0.2, "a word"),
    Attack("12", "words between any two", of_words(fillers), (1, 2), 1, "at most", tier="flag"),
    # ---- words
    Attack("13", "replaced", of_words(substitute), (0.05, 0.1, 0.2, 0.3, 0.4), 0.2, _WORDS),
    Attack("13", "left out", of_words(delete), (0.1, 0.2, 0.3), 0.2, _WORDS),
    Attack("13", "every n-th replaced", of_words(every), (5, 4, 3, 2), 4, "n"),
    # ---- order
    Attack("14", "chunks shuffled", of_words(shuffle), (24, 12, 6, 4), 12, "words at most"),
    Attack("14", "sentences shuffled", sentences_shuffled),
    Attack("14", "stretches left out", omitted, (0.1, 0.3, 0.5), 0.3, _WORDS),
    # ---- markup
    Attack("15", "bold words", each_word("**{}**"), _RATES, 1, _WORDS),
    Attack("15", "bold in words", inside_words("**{}**"), _RATES, 1, _WORDS),
    Attack("15", "spans in words", inside_words("<span>{}</span>"), _RATES, 1, _WORDS),
    Attack("15", "spans around words", each_word('<span class="w">{}</span>'), _RATES, 1, _WORDS),
    Attack("15", "HTML comments in words", commented, _RATES, 1, _WORDS),
    Attack("15", "links", each_word("[{}](https://e.com/)"), _RATES, 1, _WORDS),
    Attack("15", "decimal entities", each_letter(lambda c: f"&#{ord(c)};"), _RATES, 1, _LETTERS),
    Attack(
        "15",
        "hexadecimal entities",
        each_letter(lambda c: f"&#x{ord(c):x};"),
        _RATES,
        1,
        _LETTERS,
    ),
    Attack(
        "15", "entities of entities", each_letter(lambda c: f"&amp;#{ord(c)};"), _RATES, 1, _LETTERS
    ),
    Attack("15", "named entities", lambda text, strength, dice: html.escape(text)),
    Attack("15", "\\u escapes", each_letter(lambda c: f"\\u{ord(c):04x}"), _RATES, 1, _LETTERS),
    Attack("15", "\\x escapes", each_letter(lambda c: f"\\x{ord(c):02x}"), _RATES, 1, _LETTERS),
    Attack(
        "15", "octal escapes", each_letter(lambda c: f"\\{ord(c):03o}"), _RATES, 1, _LETTERS, "none"
    ),
    Attack("15", "URL, spaces", url_encoded),
    Attack(
        "15", "URL, letters", each_letter(lambda c: f"%{ord(c) % 256:02X}"), _RATES, 1, _LETTERS
    ),
    Attack("15", "LaTeX in words", inside_words(r"\textbf{{{}}}"), _RATES, 1, _WORDS),
    Attack("15", "JSON", in_json, (1, 2), 2, "times"),
    Attack("15", "JSON array of words", in_json_array),
    Attack("15", "strings put together", in_strings, (40, 10, 3), 10, "characters", "none"),
    Attack("15", "BBCode in words", inside_words("[b]{}[/b]"), _RATES, 1, _WORDS, "none"),
    Attack("15", "quoted printable", as_quoted_printable, tier="none"),
    Attack("15", "HTML table", in_html_table, (3, 6), 6, "columns"),
    Attack("15", "CSV cells", csv_cells),
    Attack("15", "bullets", bulleted, (8, 3, 1), 1, _LINE_UNIT),
    Attack("15", "table", in_table, (3, 6), 6, "columns"),
    Attack("15", "table by column", in_table_by_column, (2, 3, 6), 3, "columns"),
    # ---- encodings
    Attack("16", "base64", as_base64, (1, 2), 1, "times"),
    Attack("16", "base64, wrapped", as_wrapped_base64, (76, 40), 76, "characters a line"),
    Attack("16", "base64 of URLs", as_base64_of_urls),
    Attack("16", "base64, backwards", as_base64_backwards, tier="none"),
    Attack("16", "base32", as_base32),
    Attack("16", "base85", as_base85),
    Attack("16", "Ascii85", as_ascii85),
    Attack("16", "uuencode", as_uu, tier="none"),
    Attack("16", "hex, by byte", as_hex_bytes),
    Attack("16", "numbers of characters", as_codes, tier="none"),
    Attack("16", "hex", as_hex),
    Attack("16", "rot13", as_rot13),
    Attack("16", "shifted", as_shifted, (3, 7), 7, "letters"),
    Attack("16", "Morse", as_morse),
    Attack("16", "binary", as_binary),
    Attack("16", "pig latin", as_pig_latin, tier="flag"),
    Attack("16", "NATO spelling", as_spelled, tier="flag"),
    Attack("16", "Atbash", by_atbash, tier="none"),
    Attack("16", "rot47", as_rot47, tier="none"),
    Attack("16", "a cipher of one's own", by_own_cipher, tier="none"),
    Attack("17", "zlib in base64", as_zlib, tier="none"),
    # ---- slices
    Attack("21", "every n-th word", of_words(every_nth_is_it), (2, 3, 5), 3, "n", tier="flag"),
    Attack(
        "21", "interleaved", of_words(interleaved), (8, 4, 2, 1), 2, "words in turn", tier="flag"
    ),
    # ---- noise
    Attack("23", "vowels left out", without_vowels, tier="none"),
    Attack("23", "typing errors", typos, (0.1, 0.2, 0.3, 0.5), 0.1, _WORDS),
]

# Of attacks on code that come in several strengths; other attacks have one.
CODE_MEDIUM = {
    "verbatim, `_ = 0` after every n-th": 2,
    "renamed, `_ = 0` after every n-th": 2,
    "a token lost of every n": 200,
    "edits at random, n": 3,
}
