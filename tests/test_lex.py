"""The lexemes of code: what counts, what does not, and that the text's cutting does not matter."""

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedup import _core

FIXED, NAME, MEMBER, LABEL, STRING, NUMBER = range(6)


def shape(code: str, language: str = "") -> list[str]:
    """What each lexeme is: itself if fixed, else its class with how many names back it stood."""
    lexemes = _core.lex(code, language)
    encoded = code.encode()
    last: dict[tuple[int, int], int] = {}
    counts = [0] * 6
    shapes = []
    rows = zip(lexemes.classes, lexemes.raws, lexemes.starts, lexemes.ends, strict=True)
    for kind, raw, start, end in rows:
        if kind == FIXED:
            shapes.append(encoded[start:end].decode())
        elif kind in (STRING, NUMBER):
            shapes.append("STRING" if kind == STRING else "NUMBER")
        else:
            number = counts[kind]
            counts[kind] += 1
            back = number - last.get((kind, raw), number)
            last[kind, raw] = number
            shapes.append(f"{['', 'name', 'member', 'label'][kind]}{back or ''}")
    return shapes


def written(code: str, language: str = "") -> list[str]:
    lexemes = _core.lex(code, language)
    encoded = code.encode()
    spans = zip(lexemes.starts, lexemes.ends, strict=True)
    return [encoded[start:end].decode() for start, end in spans]


def same(one: str, other: str, language: str = "") -> bool:
    a, b = _core.lex(one, language), _core.lex(other, language)
    return np.array_equal(a.classes, b.classes) and np.array_equal(a.symbols, b.symbols)


# ---- what is left out ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("if (a) { return b; }", "if (a)\n  return b"),
        ("f(a, b,)", "f(a,\n  b,\n)"),
        ("x = (a + b)", "x = a + b"),
        ("return (a, b)", "return a, b"),
        ("(x) => x", "x => x"),
        ("a === b", "a == b"),
        ("p->next", "p.next"),
        ("s = 'a' 'b'", 's = "ab"'),
        ("a = 1 # one\nb = 2", "a = 1\nb = 2"),
        ("a = 1; // one\nb = 2;", "a = 1;\nb = 2;"),
        ("a = 1 /* one\n two */ + 2", "a = 1 + 2"),
        ("<!-- note -->\na = 1", "a = 1"),
        ("def f(x):\n    'what it does'\n    return x", "def f(x):\n    return x"),
        ('def f(x):\n    """what\n\n    it does"""\n    return x', "def f(x):\n    return x"),
        ("12: x = y\n13: z = x", "x = y\nz = x"),
        ("> x = y\n> z = x", "x = y\nz = x"),
        ("+ x = y\n- z = x", "x = y\nz = x"),
        (">>> x = y\n... z = x", "x = y\nz = x"),
        ("```python\nx = y\n```", "x = y"),
        ("~~~\nx = y\n~~~\n", "x = y"),
        ("x\u200b = \ufeffy", "x = y"),
        ("x \\\n  = y", "x = y"),
    ],
)
def test_what_changes_nothing_is_left_out(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("code", "shapes"),
    [
        ("total = total + 1", ["name", "=", "name1", "+", "NUMBER"]),
        ("self.total += n", ["name", "member", "+=", "name"]),
        ("f(key=key)", ["name", "(", "label", "=", "name"]),
        ("{key: value}", ["label", ":", "name"]),
        ("a, b = b, a", ["name", ",", "name", "=", "name1", ",", "name3"]),
        ("x = y[1]['k']", ["name", "=", "name", "[", "NUMBER", "[", "STRING"]),
        ("std::vector<int> v;", ["name", "member", "<", "int", ">", "name"]),
        ("let r = /a\\/[/]b/gi.test(s)", ["let", "name", "=", "STRING", "member", "(", "name"]),
        ("a / b / c", ["name", "/", "name", "/", "name"]),
        (
            "fn f<'a>(x: &'a str)",
            ["fn", "name", "<", "name", ">", "name", ":", "&", "name2", "name"],
        ),
        ("1.5e-3 + 0x1F + 1_000 + 1'000", ["NUMBER", "+", "NUMBER", "+", "NUMBER", "+", "NUMBER"]),
        ("1..n", ["NUMBER", "..", "name"]),
        ("x = `${a} b`", ["name", "=", "STRING"]),
        ('rb\'x\' + f"{y}" + R"q(a)" )q"', ["STRING", "+", "STRING", "+", "STRING"]),
        ("return'x'", ["return", "STRING"]),
        ("#include <a.h>", ["#", "name", "<", "name", "member", ">"]),
    ],
)
def test_lexemes_are_classed(code: str, shapes: list[str]) -> None:
    assert shape(code) == shapes


def test_language_says_what_opens_a_comment() -> None:
    assert written("a // b", "python") == ["a", "//", "b"]
    assert written("a // b", "java") == ["a"]
    assert written("a -- b", "sql") == ["a"]
    assert written("a -- b", "c") == ["a", "--", "b"]
    assert written("x #b", "bash") == ["x"]
    assert written("#b { }", "css") == ["#", "b"]


def test_unnamed_code_tells_by_its_words_what_opens_a_comment() -> None:
    python = "def f(x):\n    if x is None: pass\n"
    assert written(python + "y = a // b\n")[-3:] == ["a", "//", "b"]
    assert written(python + "y = a #b\n")[-1] == "a"
    assert written("function f() { var x = null; }\ny = a // b\n")[-1] == "a"


@pytest.mark.parametrize("mark", ['"', "'", "`", '"""', "'''", "/*", "<!--", 'r#"', 'R"x('])
def test_mark_that_is_never_closed_hides_nothing(mark: str) -> None:
    code = "def f(a, b):\n    return a.join(b) + [c for c in a if c != b]\n" * 3
    plain, marked = written(code), written(f"say {mark} now\n{code}")
    assert marked[-len(plain) :] == plain


@pytest.mark.parametrize(("opens", "closes"), [("/*", "*/"), ('"""', '"""'), ("<!--", "-->")])
def test_program_in_a_comment_or_string_is_lexed(opens: str, closes: str) -> None:
    code = "def f(a, b):\n    return a.join(b) + [c for c in a if c != b]\n" * 6
    assert written(code)[2:-2] == written(f"{opens}\n{code}{closes}")[2:-2]
    prose = "This text explains at some length what the function below is for. " * 6
    assert written(f"{opens}\n{prose}{closes}\nx = 1")[-3:] == ["x", "=", "1"]


@pytest.mark.parametrize("mark", ["# ", "// ", "## ", "    # "])
def test_program_in_a_row_of_line_comments_is_lexed(mark: str) -> None:
    code = "def f(a, b):\n    return a.join(b) + [c for c in a if c != b]\n" * 6
    commented = "".join(f"{mark}{line}\n" for line in code.splitlines())
    assert written(commented) == written(code)
    prose = "This text explains at some length what the function below is for.\n" * 6
    commented = "".join(f"{mark}{line}\n" for line in prose.splitlines())
    assert written(f"{commented}x = 1")[-3:] == ["x", "=", "1"]
    assert len(written(f"{commented}x = 1")) == 3


def test_consistent_renaming_keeps_the_shape() -> None:
    code = "def area(w, h, scale=1):\n    total = w * h\n    return total * scale + self.area\n"
    renamed = code.replace("w", "q").replace("total", "sum_").replace("scale", "k")
    assert same(code, renamed)
    assert shape(code) == shape(renamed)
    assert shape(code) != shape(code.replace("w * h", "h * w"))


def test_member_and_plain_name_are_numbered_apart() -> None:
    # self.size = size: renaming the parameter leaves the member.
    assert shape("self.size = size") == shape("self.size = n")


# ---- any bytes -----------------------------------------------------------------------------------

MARKS = '" \' ` """ \'\'\' /* */ // # \\ <!-- --> r# R"( )" / [ ] ( ) { } , ; : = “ ” é \u200b \0'
SNIPPETS = [
    "def f(a):\n",
    "  x = a.b('s')\n",
    "```py\n",
    "# f(x)\n" * 40,
    "> ",
    "12: ",
    ">>> ",
    "don't",
    "..",
    "1e",
]
snippets = st.sampled_from([*SNIPPETS, *MARKS.split(), "\n", " ", "\t"])
texts = st.lists(st.one_of(snippets, st.text(max_size=4)), max_size=40).map("".join)


@settings(max_examples=400, deadline=None)
@given(texts, st.randoms(use_true_random=False), st.sampled_from(["", "python", "c", "sql"]))
@example("x = /a/g", random.Random(0), "")
@example("“a”b", random.Random(1), "")
@example("`def f(a):\n\\`", random.Random(1), "")
def test_cutting_a_text_anywhere_changes_nothing(
    text: str, rng: random.Random, language: str
) -> None:
    data = text.encode()
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(12)))
    chunks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    whole = _core.lex(data, language)
    for cut in (chunks, [data[i : i + 1] for i in range(len(data))]):
        pieces = _core.lex_chunks(cut, language)
        for field in ("classes", "symbols", "raws", "starts", "ends"):
            assert np.array_equal(getattr(whole, field), getattr(pieces, field)), field


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_have_spans_in_order(data: bytes) -> None:
    lexemes = _core.lex(data)
    assert np.all(lexemes.starts < lexemes.ends)
    assert np.all(lexemes.starts[1:] >= lexemes.ends[:-1])
    assert len(lexemes) == 0 or lexemes.ends[-1] <= len(data)


def test_long_literal_fed_byte_by_byte_is_one_lexeme() -> None:
    data = b'x = "' + b"a b " * 1500 + b'"'
    assert len(_core.lex(data)) == 3
    assert len(_core.lex_chunks([data[i : i + 1] for i in range(len(data))])) == 3
