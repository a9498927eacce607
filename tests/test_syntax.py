"""Code as tokens of its tree: what renaming and reformatting leave, and what hostile text costs."""

import ctypes
import gc
import importlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup import syntax
from dedup.grammars import Grammar
from dedup.syntax import CLASS_NAMES, LANGUAGES, MIN_UNIT_NODES, Syntax, Tree, languages

DATA = Path(__file__).parent / "data" / "syntax"
FIXED, NAME, MEMBER, LABEL, STRING, NUMBER = range(6)

# Installed with dedup; the others come with an extra and are tested where they are.
CORE = ("python", "javascript", "typescript", "tsx", "java", "c", "cpp", "go", "rust")

# The sample of each language, and its units: name, kind, first and last line.
SAMPLES: dict[str, tuple[str, list[tuple[str, str, int, int]]]] = {
    "python": (
        "heap.py",
        [
            ("Heap", "class", 4, 13),
            ("Heap.push", "method", 7, 13),
            ("drain", "function", 16, 23),
        ],
    ),
    "javascript": (
        "heap.js",
        [
            ("Heap", "class", 1, 10),
            ("Heap.push", "method", 2, 9),
            ("drain", "function", 12, 21),
            ("exports.fill", "function", 23, 28),
        ],
    ),
    "typescript": (
        "heap.ts",
        [
            ("Ordered", "class", 1, 4),
            ("Heap", "class", 6, 16),
            ("Heap.push", "method", 9, 15),
            ("drain", "function", 18, 24),
        ],
    ),
    "tsx": ("heap.tsx", [("List", "function", 1, 10)]),
    "java": (
        "Heap.java",
        [
            ("Heap", "class", 3, 25),
            ("Heap.push", "method", 6, 14),
            ("Heap.drain", "method", 16, 24),
        ],
    ),
    "c": ("heap.c", [("heap", "class", 1, 8), ("push", "function", 10, 18)]),
    "cpp": (
        "heap.cpp",
        [
            ("Heap", "class", 4, 14),
            ("Heap.push", "method", 6, 13),
            ("Heap.top", "method", 17, 23),
        ],
    ),
    "go": ("heap.go", [("Heap.Push", "method", 10, 18), ("Drain", "function", 20, 28)]),
    "rust": (
        "heap.rs",
        [
            ("Heap", "class", 5, 15),
            ("Heap.push", "method", 6, 14),
            ("drain", "function", 17, 26),
        ],
    ),
    "c_sharp": (
        "Heap.cs",
        [
            ("Heap", "class", 2, 23),
            ("Heap.Push", "method", 5, 12),
            ("Heap.Drain", "method", 14, 22),
        ],
    ),
    "ruby": (
        "heap.rb",
        [
            ("Store", "class", 1, 23),
            ("Store.Heap", "class", 2, 22),
            ("Store.Heap.push", "method", 5, 12),
            ("Store.Heap.drain", "method", 14, 21),
        ],
    ),
    "php": (
        "heap.php",
        [
            ("Heap", "class", 2, 13),
            ("Heap.push", "method", 5, 12),
            ("drain", "function", 15, 23),
        ],
    ),
    "kotlin": (
        "Heap.kt",
        [
            ("Heap", "class", 1, 12),
            ("Heap.push", "method", 4, 11),
            ("drain", "function", 14, 25),
        ],
    ),
    "swift": (
        "heap.swift",
        [
            ("Heap", "class", 1, 12),
            ("Heap.push", "method", 4, 11),
            ("drain", "function", 14, 23),
        ],
    ),
    "scala": (
        "Heap.scala",
        [
            ("Heap", "class", 1, 12),
            ("Heap.push", "method", 4, 11),
            ("Heap", "class", 14, 27),
            ("Heap.drain", "method", 15, 26),
        ],
    ),
    "bash": ("heap.sh", [("push", "function", 1, 10)]),
    "sql": ("heap.sql", [("drain", "function", 1, 9)]),
    "lua": ("heap.lua", [("Heap.push", "method", 3, 10), ("Heap.drain", "function", 12, 20)]),
}

# Named terminals with one spelling, or none that a renaming changes: tokens under their own name.
FIXED_TERMINALS = {
    "python": "ellipsis false none true",
    "javascript": "false null super this true undefined",
    "typescript": "false null super this this_type true undefined",
    "tsx": "false null super this this_type true undefined",
    "java": "boolean_type false null_literal super this true underscore_pattern void_type",
    "c": """false true primitive_type preproc_arg preproc_directive ms_restrict_modifier
        ms_signed_ptr_modifier ms_unsigned_ptr_modifier""",
    "cpp": """auto false true this primitive_type preproc_arg preproc_directive simple_requirement
        ms_restrict_modifier ms_signed_ptr_modifier ms_unsigned_ptr_modifier""",
    "go": "false iota nil true type_constraint",
    "rust": "crate let_chain mutable_specifier primitive_type self super",
    "c_sharp": """element_binding_expression implicit_parameter null_literal predefined_type
        preproc_arg""",
    "ruby": "destructured_parameter encoding false file line self super true",
    "php": "bottom_type operation sentinel_error var_modifier",
    "kotlin": "reification_modifier",
    "swift": """_expression catch_keyword default_keyword else fully_open_range nil_literal
        protocol_function_declaration throw_keyword where_keyword wildcard_pattern""",
    "scala": """capture_variable consume_modifier erased_modifier error_sentinel given_conditional
        infix_modifier inline_modifier into_modifier null_literal opaque_modifier open_modifier
        refinement tracked_modifier transparent_modifier update_modifier xml_cdata xml_name
        xml_processing_instruction xml_string xml_text""",
    "bash": "",
    "sql": "bang op_other op_unary_other parameter",
    "lua": "break_statement false nil true vararg_expression",
}

HASH_COMMENTS = ("python", "ruby", "bash")
BRACES = ("javascript", "typescript", "java", "c", "cpp", "rust", "c_sharp", "php")


@pytest.fixture(scope="module")
def patient() -> Iterator[Syntax]:
    """A Syntax that a busy machine does not make fail."""
    with Syntax(timeout_s=20) as made:
        yield made


@pytest.fixture(params=list(SAMPLES))
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in CORE:
        pytest.importorskip(LANGUAGES[name].module)
    return name


def sample(language: str) -> bytes:
    return (DATA / SAMPLES[language][0]).read_bytes()


def parse(made: Syntax, text: str | bytes, language: str) -> Tree:
    tree = made.parse(text.encode() if isinstance(text, str) else text, language)
    assert tree is not None, made.counts
    return tree


def pairs(tree: Tree) -> list[tuple[int, int]]:
    return list(zip(tree.classes.tolist(), tree.symbols.tolist(), strict=True))


def texts(tree: Tree, text: bytes) -> list[tuple[int, str]]:
    """Class and bytes of the tokens that have bytes."""
    spans = zip(tree.classes.tolist(), tree.starts.tolist(), tree.ends.tolist(), strict=True)
    return [(token, text[start:end].decode()) for token, start, end in spans if end > start]


def of_class(tree: Tree, text: str, token: int) -> set[str]:
    return {word for kind, word in texts(tree, text.encode()) if kind == token}


def test_core_grammars_are_installed_and_every_language_has_a_sample() -> None:
    assert set(CORE) <= set(languages()) <= set(LANGUAGES)
    assert set(SAMPLES) == set(LANGUAGES) == set(FIXED_TERMINALS)


def test_units_of_the_sample_are_found_by_name_kind_and_lines(
    patient: Syntax, language: str
) -> None:
    tree = parse(patient, sample(language), language)
    found = [(unit.name, unit.kind, unit.first_line, unit.last_line) for unit in tree.units]
    assert found == SAMPLES[language][1]


def test_lines_bytes_and_tokens_of_a_unit_agree(patient: Syntax, language: str) -> None:
    text = sample(language)
    tree = parse(patient, text, language)
    for unit in tree.units:
        assert text[: unit.start].count(b"\n") + 1 == unit.first_line
        assert text[: unit.end - 1].count(b"\n") + 1 == unit.last_line
        assert unit.tokens >= MIN_UNIT_NODES
        inside = (tree.starts >= unit.start) & (tree.starts < unit.end)
        expected = np.flatnonzero(inside)
        assert expected[-1] == unit.first_token + unit.tokens - 1
        # A node around the unit may start at the same byte.
        assert expected[0] <= unit.first_token


def test_spans_never_overlap_and_never_decrease(patient: Syntax, language: str) -> None:
    assert_spans_in_order(parse(patient, sample(language), language), len(sample(language)))


def assert_spans_in_order(tree: Tree, size: int) -> None:
    starts, ends = tree.starts.astype(int), tree.ends.astype(int)
    assert (starts <= ends).all()
    assert (ends[:-1] <= starts[1:]).all()
    assert not len(ends) or ends[-1] <= size
    assert tree.classes.dtype == np.uint8
    assert tree.symbols.dtype == np.uint64
    assert tree.starts.dtype == tree.ends.dtype == np.uint32
    assert len({len(tree.classes), len(tree.symbols), len(starts), len(ends)}) == 1


def test_renaming_every_identifier_keeps_the_tokens(patient: Syntax, language: str) -> None:
    text = sample(language)
    tree = parse(patient, text, language)
    renamed = rename(text, tree, (NAME,) if language == "bash" else (NAME, MEMBER, LABEL))
    assert renamed != text
    assert pairs(parse(patient, renamed, language)) == pairs(tree)


def rename(text: bytes, tree: Tree, kinds: tuple[int, ...]) -> bytes:
    """The text with each word among tokens of those kinds replaced, wherever it stands."""
    names: dict[bytes, bytes] = {}
    parts, at = [], 0
    for kind, start, end in zip(tree.classes, tree.starts, tree.ends, strict=True):
        token = text[start:end]
        word = re.fullmatch(rb"([^\w]*)([A-Za-z]\w*)(\W*)", token)
        if kind not in kinds or not word or token in (b"null", b"this"):
            continue
        # Ruby's constants and Go's exports are told by their first letter.
        first = b"Q" if word[2][:1].isupper() else b"q"
        new = names.setdefault(word[2], first + b"_%d" % len(names))
        parts += [text[at:start], word[1], new, word[3]]
        at = int(end)
    return b"".join([*parts, text[at:]])


def test_reformatting_keeps_the_tokens(patient: Syntax, language: str) -> None:
    text = sample(language).decode()
    tree = parse(patient, text, language)
    mark = "#" if language in HASH_COMMENTS else "--" if language in ("sql", "lua") else "//"
    spread = "".join(
        re.sub(r"^[ \t]+", lambda found: found[0] * 2, line)
        + ("\n" if language == "tsx" or "<?php" in line else f"  {mark} note\n\n")
        for line in text.splitlines()
    )
    assert pairs(parse(patient, spread, language)) == pairs(tree)
    if language in BRACES:
        one_line = re.sub(r"\s*//.*", "", text)
        one_line = " ".join(line.strip() for line in one_line.splitlines())
        assert pairs(parse(patient, one_line, language)) == pairs(tree)


def test_every_named_terminal_of_the_grammar_is_accounted_for(language: str) -> None:
    grammar = LANGUAGES[language]
    known = set(syntax._description(grammar)["named"])
    unknown = named_terminals(grammar) - known - set(FIXED_TERMINALS[language].split())
    assert {kind for kind in unknown if not kind.startswith("keyword_")} == set()


def named_terminals(grammar: Grammar) -> set[str]:
    """Named kinds that are terminals or aliases, which may stand for terminals."""
    loaded, capsule = load(grammar)
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(capsule, b"tree_sitter.Language")
    # A TSLanguage begins with these; no call of the Python package gives them.
    counts = ctypes.cast(address, ctypes.POINTER(ctypes.c_uint32))
    abi, symbols, aliases, tokens = counts[0], counts[1], counts[2], counts[3]
    assert abi == loaded.abi_version
    assert symbols + aliases == loaded.node_kind_count
    ids = [*range(tokens), *range(symbols, symbols + aliases)]
    return {
        loaded.node_kind_for_id(id)
        for id in ids
        if loaded.node_kind_is_named(id) and loaded.node_kind_is_visible(id)
    }


def load(grammar: Grammar) -> tuple[Any, Any]:
    from tree_sitter import Language

    capsule = getattr(importlib.import_module(grammar.module), grammar.function)()
    return Language(capsule), capsule


def test_table_names_only_kinds_that_the_grammar_has(language: str) -> None:
    grammar = LANGUAGES[language]
    loaded, _ = load(grammar)
    kinds = {loaded.node_kind_for_id(id) for id in range(loaded.node_kind_count)}
    values = (getattr(grammar, field.name) for field in fields(grammar))
    named = " ".join(value for value in values if isinstance(value, str)).split()
    unknown = set(named) | set(grammar.same) | set(grammar.same.values())
    unknown -= {grammar.module, grammar.function}
    # javascript and the two of typescript share their lists
    assert unknown - kinds <= {"?.", "html_character_reference", "jsx_attribute"}


def test_symbols_are_hashes_of_the_names_of_kinds_and_classes(patient: Syntax) -> None:
    tree = parse(patient, "x = a.b + 1\n", "python")
    names = ["assignment", "NAME", "binary_operator", "attribute", "NAME", "MEMBER", "+", "NUMBER"]
    assert tree.symbols.tolist() == [xxhash.xxh3_64_intdigest(name.encode()) for name in names]
    assert [CLASS_NAMES[token] for token in tree.classes] == [
        name if name in CLASS_NAMES else "FIXED" for name in names
    ]


def test_nodes_have_empty_spans_and_leaves_their_bytes(patient: Syntax) -> None:
    tree = parse(patient, "x = a.b + 1\n", "python")
    assert tree.starts.tolist() == [0, 0, 4, 4, 4, 6, 8, 10]
    assert tree.ends.tolist() == [0, 1, 4, 4, 5, 7, 9, 11]


@pytest.mark.parametrize(
    ("language", "text", "members", "labels"),
    [
        ("python", "f(a.b.c, key=d, **e)", {"b", "c"}, {"key"}),
        ("python", "def f(a=1): pass", set(), set()),
        ("javascript", "a?.b.c({ key: d, e, 'f': g ? h : i })", {"b", "c"}, {"key"}),
        ("typescript", "class A { b: C = d!.e; }", {"b", "e"}, set()),
        ("java", "class A { int f() { return a.b(c) + D::e; } }", {"b", "e"}, set()),
        ("c", "int f(void) { return a->b.c + d; }", {"b", "c"}, set()),
        ("cpp", "int f() { return a::b(c->d, e); }", {"b", "d"}, set()),
        ("go", "package p\nvar x = a.B(C{Key: d})", {"B"}, {"Key"}),
        ("rust", "fn f() { a.b; C::d(E { key: g, h }); }", {"b", "d"}, {"key"}),
        ("c_sharp", "class A { int F() { return a.B(key: c, d ? e : g); } }", {"B"}, {"key"}),
        ("ruby", "a.b(c, key: d)", {"b"}, {"key"}),
        ("php", "<?php $a->b(key: $c, $d); E::f();", {"b", "f"}, {"key"}),
        ("kotlin", "val x = a.b(key = c, d)", {"b"}, {"key"}),
        ("lua", "x = a.b(c, { key = d, [e] = f })", {"b"}, {"key"}),
    ],
)
def test_members_follow_an_accessor_and_labels_name_an_argument_or_a_key(
    patient: Syntax, language: str, text: str, members: set[str], labels: set[str]
) -> None:
    if language not in CORE:
        pytest.importorskip(LANGUAGES[language].module)
    tree = parse(patient, text, language)
    assert of_class(tree, text, MEMBER) == members
    assert of_class(tree, text, LABEL) == labels


@pytest.mark.parametrize(
    ("language", "text", "strings", "numbers"),
    [
        ("python", "f('a', 1, 2.5, b'c')", {"'a'", "b'c'"}, {"1", "2.5"}),
        ("javascript", "f('a', /b/g, 1n, `c`)", {"'a'", "/b/g", "`c`"}, {"1n"}),
        ("java", "class A { Object b = f('a', \"b\", 0x1F); }", {"'a'", '"b"'}, {"0x1F"}),
        ("c", 'int a = f(\'a\', "b" "c", 1.5f);', {"'a'", '"b" "c"'}, {"1.5f"}),
        ("go", "package p\nvar x = f('a', `b`, 1i)", {"'a'", "`b`"}, {"1i"}),
        ("rust", "fn f() { g('a', r\"b\", 1u8) }", {"'a'", 'r"b"'}, {"1u8"}),
    ],
)
def test_literals_are_one_token_each(
    patient: Syntax, language: str, text: str, strings: set[str], numbers: set[str]
) -> None:
    tree = parse(patient, text, language)
    assert of_class(tree, text, STRING) == strings
    assert of_class(tree, text, NUMBER) == numbers


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "x = f'a {b + 1:>{c}} d {e[\"k\"]}'"),
        ("javascript", "x = `a ${b + 1} d ${e['k']}`"),
    ],
)
def test_code_inside_a_string_gives_tokens_after_the_string(
    patient: Syntax, language: str, text: str
) -> None:
    tree = parse(patient, text, language)
    assert {"b", "e"} <= of_class(tree, text, NAME)
    kinds = tree.classes.tolist()
    first = kinds.index(STRING)
    assert NAME in kinds[first + 1 :]
    assert_spans_in_order(tree, len(text))


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("python", "f(a, b)", "f(\n    a,\n    (b),\n)  # note"),
        ("python", "x = 'a'", 'x: str = """a"""'),
        ("python", "x = 'a' 'b'", "x = 'ab'"),
        ("python", "x = a, b", "x = (a, b)"),
        ("python", "if a:\n    b\n    c", "if (a): b; c"),
        (
            "python",
            "def f(a, b=1):\n    return a",
            'def f(a: int, b: list[str] = 1) -> str:\n    """What it does."""\n    return (a)',
        ),
        ("python", "class A:\n    x = 1", 'class A():\n    "Doc."\n    x = 1'),
        ("javascript", "if (a) b(); else c();", "if (a) { b() } else { c() }"),
        ("javascript", "f(x => x, 'a')", 'f((x) => (x), "a",);;'),
        ("javascript", "'use strict'; var a = 1", "const a = 1"),
        ("java", "class A { int f() { return (a); } }", "class A { int f() { return a; } }"),
        ("c", "int f(void) { if (a) return 1; }", "int f(void) { if ((a)) { return 1; } }"),
        ("go", "package p\nvar a = (b)", "package p\n\nvar a = b // note"),
        ("rust", "fn f() { a((b), c,) }", "fn f() { a(b, /* note */ c) }"),
        ("ruby", "f do |x| g(x) end", "f { |x| g x }"),
    ],
)
def test_spelling_that_formatters_and_minifiers_change_does_not_count(
    patient: Syntax, language: str, one: str, other: str
) -> None:
    if language not in CORE:
        pytest.importorskip(LANGUAGES[language].module)
    assert pairs(parse(patient, one, language)) == pairs(parse(patient, other, language))


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("python", "a and b", "a or b"),
        ("python", "a in b", "a not in b"),
        ("python", "a is b", "a is not b"),
        ("python", "a == b", "a != b"),
        ("python", "a += b", "a -= b"),
        ("python", "f(a, b)", "f(a, b=b)"),
        ("python", "f(a)", "f(1)"),
        ("python", "f('a')", "f(1)"),
        ("python", "f(None)", "f(True)"),
        ("python", "a.b", "a[b]"),
        ("python", "for a in b: c", "while a: c"),
        ("javascript", "a === b", "a == b"),
        ("javascript", "typeof a", "void a"),
        ("javascript", "for (a in b) c", "for (a of b) c"),
        ("java", "class A { int a; }", "class A { boolean a; }"),
        ("c", "int a = b & c;", "int a = b && c;"),
        ("cpp", "int a = b < c;", "int a = b <= c;"),
        ("go", "package p\nfunc f() { a++ }", "package p\nfunc f() { a-- }"),
        ("rust", "fn f() { a?; }", "fn f() { a; }"),
    ],
)
def test_what_code_does_counts(patient: Syntax, language: str, one: str, other: str) -> None:
    assert pairs(parse(patient, one, language)) != pairs(parse(patient, other, language))


def test_unnamed_functions_are_units_without_a_name(patient: Syntax) -> None:
    body = "x.a = b + 1; " * 12
    tree = parse(
        patient, f"run(function () {{ {body} function inner() {{ {body} }} }})", "javascript"
    )
    assert [(unit.name, unit.kind) for unit in tree.units] == [
        ("", "function"),
        ("inner", "function"),
    ]


@pytest.mark.parametrize(
    ("language", "text", "name"),
    [
        ("javascript", "const f = () => { BODY }", "f"),
        ("javascript", "a.b = function () { BODY }", "a.b"),
        ("javascript", "x = { f: async () => { BODY } }", "f"),
        ("javascript", "class A { f = () => { BODY } }", "A.f"),
        ("javascript", "class A { get [b.c]() { BODY } }", "A.[b.c]"),
        ("typescript", "class A { private f = (): void => { BODY } }", "A.f"),
        ("c", "static struct a **(*f(int b))(char c) { BODY }", "f"),
        ("cpp", "A<B<C>>::~A() { BODY }", "A.~A"),
        ("cpp", "bool operator<(A b, A c) { BODY }", "operator<"),
        ("cpp", "const int& a::b::f() { BODY }", "a.b.f"),
        ("cpp", "auto f = [&](int d) { BODY };", "f"),
        ("go", "package p\nfunc (s *A[T]) F() { BODY }", "A.F"),
        ("go", "package p\nvar f = func() { BODY }", "f"),
        ("rust", "fn f() { let g = |x| { BODY }; }", "f.g"),
        ("rust", "impl<T> A for B<T> { fn f() { BODY } }", "B.f"),
        ("java", "class A { A() { BODY } }", "A.A"),
    ],
)
def test_unit_is_named_by_its_declarator_its_owner_or_what_it_is_given_to(
    patient: Syntax, language: str, text: str, name: str
) -> None:
    text = text.replace("BODY", "x.a = b + 1; " * 12)
    assert parse(patient, text, language).units[-1].name == name


def test_code_cut_in_the_middle_still_gives_its_tokens(patient: Syntax, language: str) -> None:
    text = sample(language)
    whole = windows(parse(patient, text, language))
    half = windows(parse(patient, text[: len(text) * 2 // 3], language))
    assert len(half) > len(whole) / 3
    assert len(half & whole) > len(half) * 0.6


def windows(tree: Tree) -> set[tuple[int, ...]]:
    symbols = tree.symbols.tolist()
    return {tuple(symbols[at : at + 8]) for at in range(len(symbols) - 7)}


def test_leading_half_of_a_function_gives_the_rest_of_it(patient: Syntax) -> None:
    text = sample("python")
    tree = parse(patient, text[text.index(b"place = len") :], "python")
    assert [unit.name for unit in tree.units] == ["drain"]
    assert len(tree.classes) > 100


@pytest.mark.parametrize("language", ["python", "java", "go", "cpp"])
def test_long_file_gives_every_unit_of_every_copy(patient: Syntax, language: str) -> None:
    text = sample(language)
    copies = 300_000 // len(text)
    one = parse(patient, text, language)
    many = parse(patient, (text + b"\n\n") * copies, language)
    assert len(many.units) == copies * len(one.units)
    assert pairs(many) == pairs(one) * copies
    assert_spans_in_order(many, (len(text) + 2) * copies)
    lines = text.count(b"\n") + 2
    for index in (0, len(many.units) // 2, len(many.units) - 1):
        copy, unit = divmod(index, len(one.units))
        assert many.units[index].first_line == copy * lines + one.units[unit].first_line
        assert many.units[index].name == one.units[unit].name


def test_long_class_loses_no_method_where_it_is_cut(patient: Syntax) -> None:
    body = "    def f%d(self, a):\n        for x in a:\n            if x.y > 1:\n" + (
        "                self.z[x] = g(a, b + 2, 'c')\n        return [a, 1, 2]\n\n"
    )
    text = "class A:\n" + "".join(body % number for number in range(2000))
    tree = parse(patient, text, "python")
    names = {unit.name.removeprefix("A.") for unit in tree.units}
    assert {f"f{number}" for number in range(2000)} <= names


def test_one_line_of_minified_code_is_parsed_to_its_end(patient: Syntax) -> None:
    text = "var a=function(b,c){return b+c*2};" * 9000
    tree = parse(patient, text, "javascript")
    assert of_class(tree, text, NUMBER) == {"2"}
    assert int((tree.classes == NUMBER).sum()) == 9000
    assert tree.ends[-1] > len(text) - 5


def test_budget_bounds_the_whole_call() -> None:
    text = sample("python") * 4000
    with Syntax(timeout_s=5) as made:
        made.parse(b"", "python")
        begin = time.monotonic()
        tree = made.parse(text, "python", budget_s=0.2)
        assert time.monotonic() - begin < 2
        assert made.counts["budget"] == 1
        assert tree is None or 0 < tree.ends[-1] < len(text)
        assert made.parse(b"x = 1", "python") is not None


HOSTILE = [
    ("python", b"(" * 1_000_000),
    ("java", b"a<" * 10_000),
    ("c_sharp", b"a<" * 10_000),
    ("cpp", b"a<" * 60_000),
    ("python", b"else if x:\n" * 20_000),
    ("ruby", b"else if " * 20_000),
    ("javascript", b"else if " * 20_000),
    ("python", random.Random(1).randbytes(300_000)),
    ("rust", random.Random(2).randbytes(100_000)),
    ("python", b"x = '\xff\xfe\x80'\n" * 20_000),
    ("c", b"\0" * 200_000),
    ("javascript", b'"' * 1_000_000),
    ("python", b"[" * 50_000 + b"]" * 50_000),
    ("javascript", b"{" * 50_000 + b"}" * 50_000),
    ("typescript", b"`${" * 40_000),
    ("go", b"if x {\n" * 40_000),
    ("javascript", b"function a(){" * 4_000 + b"b + 1;" * 40 + b"}" * 4_000),
    ("javascript", b"(x=>" * 16_000),
    ("python", b"a\n" * 300_000),
    ("python", b"\n" * 1_000_000),
    ("javascript", b"a" * 1_000_000),
    ("python", "é".encode() * 300_000),
]


@pytest.mark.parametrize(
    ("language", "text"), HOSTILE, ids=[f"{name}-{text[:6]!r}" for name, text in HOSTILE]
)
def test_hostile_text_costs_a_bounded_time_and_the_next_parse_works(
    language: str, text: bytes
) -> None:
    if language not in CORE:
        pytest.importorskip(LANGUAGES[language].module)
    with Syntax() as made:
        made.parse(b"", language)
        begin = time.monotonic()
        tree = made.parse(text, language)
        pieces = len(text) // (32 << 10) + 1
        # Each piece has 250 ms and three may fail; then there is the restart of the helper.
        assert time.monotonic() - begin < 0.25 * pieces + 3
        if tree is not None:
            assert_spans_in_order(tree, len(text))
        assert eventually(lambda: made.parse(b"x", language) is not None)


def eventually(claim: Any, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.02)
    return False


def test_parse_that_takes_gigabytes_is_ended_by_the_memory_limit() -> None:
    with Syntax(timeout_s=60, memory_bytes=256 << 20) as made:
        assert made.parse(b"a<" * 10_000, "java") is None
        assert made.counts["memory"] == 1
        assert made.parse(b"class A {}", "java") is not None


@settings(max_examples=60)
@given(
    text=st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.sampled_from([*"(){}[]<>'\"`$#;:,.=+ \n", "def f", "if", "x", "1", "é", "\t"]),
            max_size=80,
        ).map(lambda parts: "".join(parts).encode()),
    ),
    language=st.sampled_from(CORE),
)
def test_any_bytes_parse_to_spans_in_order(patient: Syntax, text: bytes, language: str) -> None:
    assert_spans_in_order(parse(patient, text, language), len(text))


def test_empty_text_has_an_empty_tree(patient: Syntax) -> None:
    tree = parse(patient, b"", "python")
    assert len(tree.classes) == 0
    assert tree.units == ()


def test_unknown_language_and_absent_grammar_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LANGUAGES, "absent", Grammar("no_such_grammar", "a", "b", "c"))  # type: ignore[arg-type]
    assert "absent" not in languages()
    with Syntax(timeout_s=20) as made:
        assert made.parse(b"x", "klingon") is None
        assert made.parse(b"x", "absent") is None
        assert made.counts["no_grammar"] == 2
        assert made.parse(b"x", "python") is not None


def test_text_beyond_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "_MAX_TEXT_BYTES", 100)
    with Syntax() as made:
        assert made.parse(b"x" * 101, "python") is None
        assert made.counts["too_long"] == 1
        assert made._helper is None


@pytest.mark.parametrize("limits", [{"timeout_s": 0}, {"timeout_s": -1}, {"memory_bytes": 1000}])
def test_limits_that_allow_nothing_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Syntax(**limits)


def helper_pid(made: Syntax) -> int:
    assert made._helper is not None
    return made._helper._process.pid


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
def test_helper_killed_between_two_parses_is_replaced_unnoticed() -> None:
    with Syntax(timeout_s=20) as made:
        made.parse(b"x", "python")
        for _ in range(3):
            killed = helper_pid(made)
            os.kill(killed, signal.SIGKILL)
            assert made.parse(b"x = 1", "python") is not None
            assert helper_pid(made) != killed
            assert not exists(killed)
        assert made.counts["parsed"] == 4
        assert sum(made.counts.values()) == 4


@linux
def test_helper_that_hangs_is_killed_in_time() -> None:
    with Syntax(timeout_s=0.2) as made:
        made.parse(b"x", "python")
        hung = helper_pid(made)
        os.kill(hung, signal.SIGSTOP)
        begin = time.monotonic()
        assert made.parse(b"x = 1", "python") is None
        assert time.monotonic() - begin < 2
        assert made.counts["timeout"] == 1
        assert not exists(hung)
        assert eventually(lambda: made.parse(b"x = 1", "python") is not None)


def test_breaker_refuses_a_grammar_after_three_failures_and_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(syntax, "_BREAKER_OPEN_S", 1.5)
    with Syntax() as made:
        for _ in range(3):
            assert made.parse(b"a<" * 10_000, "java") is None
        assert made.parse(b"x", "java") is None
        assert made.counts["timeout"] + made.counts["memory"] == 3
        assert made.counts["breaker"] == 1
        assert made.parse(b"x", "python") is not None, "only that grammar"
        assert eventually(lambda: made.parse(b"x", "java") is not None)


def test_breaker_forgets_failures_that_a_success_or_a_minute_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(syntax.time, "monotonic", lambda: now[0])
    breaker = syntax._Breaker()
    for _ in range(2):
        breaker.failed("java")
    breaker.passed("java")
    breaker.failed("java")
    assert not breaker.is_open("java")
    now[0] += 61
    breaker.failed("java")
    breaker.failed("java")
    assert not breaker.is_open("java")
    breaker.failed("java")
    assert breaker.is_open("java")
    assert not breaker.is_open("go")
    now[0] += 30
    assert not breaker.is_open("java")


@linux
def test_closing_ends_the_helper_and_a_later_parse_starts_another() -> None:
    made = Syntax(timeout_s=20)
    made.parse(b"x", "python")
    pid = helper_pid(made)
    made.close()
    assert not exists(pid)
    made.close()
    assert made.parse(b"x", "python") is not None
    made.close()


@linux
def test_forgotten_syntax_takes_its_helper_along() -> None:
    made = Syntax(timeout_s=20)
    made.parse(b"x", "python")
    pid = helper_pid(made)
    del made
    gc.collect()
    assert not exists(pid)


@linux
def test_helper_is_small_and_holds_nothing_of_its_parent() -> None:
    with Syntax(timeout_s=20) as made, Path(__file__).open():
        made.parse(b"x", "python")
        folder = Path(f"/proc/{helper_pid(made)}")
        assert sorted(os.listdir(folder / "fd")) == ["0", "1", "2"]  # noqa: PTH208
        maps = (folder / "maps").read_text()
        assert "tree_sitter" in maps
        assert "numpy" not in maps
        assert "dedup/_core" not in maps
        resident = re.search(r"VmRSS:\s*(\d+) kB", (folder / "status").read_text())
        assert resident is not None
        assert int(resident[1]) < 40_000


START = """
import os, sys
from dedup.syntax import Syntax
made = Syntax(timeout_s=20)
tree = made.parse(b"x = 1", "python")
assert tree is not None
"""


def run(code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", START + code],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


@linux
@pytest.mark.parametrize(
    "end", ["", "os.kill(os.getpid(), 9)", "os._exit(3)", "raise SystemExit(1)"]
)
def test_no_helper_outlives_its_parent(end: str) -> None:
    done = run(f"print(made._helper._process.pid, flush=True)\n{end}")
    assert done.stderr == ""
    assert eventually(lambda: not is_running(int(done.stdout)))


@linux
def test_no_helper_outlives_a_parent_killed_while_it_parses() -> None:
    code = """
import threading, time
print(made._helper._process.pid, flush=True)
threading.Thread(target=made.parse, args=(b"a<" * 3000, "java"), daemon=True).start()
time.sleep(0.05)
os.kill(os.getpid(), 9)
"""
    done = run(code)
    assert eventually(lambda: not is_running(int(done.stdout)), 30)


@linux
def test_parses_in_a_process_without_standard_streams(tmp_path: Path) -> None:
    code = f"""
import pathlib
made.close()
for descriptor in (0, 1, 2):
    os.close(descriptor)
tree = made.parse(b"x = 1", "python")
pathlib.Path({str(tmp_path / "out")!r}).write_text(str(len(tree.classes)))
"""
    run(code)
    assert (tmp_path / "out").read_text() == "3"


@linux
def test_forked_child_starts_its_own_helper_and_leaves_its_parents() -> None:
    code = """
pid = made._helper._process.pid
child = os.fork()
if child == 0:
    tree = made.parse(b"x = 1", "python")
    ok = tree is not None and made._helper._process.pid != pid
    made.close()
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
assert status == 0
assert made.parse(b"x = 1", "python") is not None
assert made._helper._process.pid == pid
print("fine")
"""
    done = run(code)
    assert (done.stdout, done.stderr) == ("fine\n", "")


@linux
def test_helper_runs_no_code_of_the_working_folder(tmp_path: Path) -> None:
    for name in ("json.py", "struct.py", "tree_sitter.py", "sitecustomize.py", "source.py"):
        (tmp_path / name).write_text("raise SystemExit(7)")
    code = f"""
import os
os.chdir({str(tmp_path)!r})
made.close()
assert made.parse(b"x = 1", "python") is not None
print("fine")
"""
    assert run(code).stdout == "fine\n"


def test_threads_share_one_helper_and_get_their_own_trees() -> None:
    expected = {
        name: pairs(parse(patient_once, sample(name), name))
        for patient_once in [Syntax(timeout_s=20)]
        for name in CORE
    }
    wrong: list[str] = []
    with Syntax(timeout_s=20) as made:

        def work(names: list[str]) -> None:
            for name in names * 5:
                tree = made.parse(sample(name), name)
                if tree is None or pairs(tree) != expected[name]:
                    wrong.append(name)

        threads = [
            threading.Thread(target=work, args=(random.Random(seed).sample(CORE, 9),))
            for seed in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made.counts["parsed"] == 4 * 9 * 5
    assert wrong == []


def test_reply_that_cannot_be_right_is_a_crash_and_not_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replies = [b"", b"\1\0\0\0\0\0\0\0", b"\xff" * 40, b"\1\0\0\0\0\0\0\0\xff\xff" + bytes(8)]
    with Syntax(timeout_s=20) as made:
        monkeypatch.setattr(syntax._Helper, "parse", lambda *_: replies.pop())
        assert made.parse(b"x", "python") is None
        assert made.parse(b"x", "go") is None
        assert made.parse(b"x", "java") is None
        assert made.parse(b"x", "rust") is None
        assert made.counts["crash"] == 4


def test_a_parse_of_too_many_steps_is_refused_however_fast_it_is() -> None:
    text = b"x = (1, 2)\n" * 80_000
    with Syntax(step_bytes=1 << 30, timeout_s=60, piece_bytes=1 << 20) as made:
        assert made.parse(text, "python") is None
        assert made.counts["steps"] == 1
        assert made.parse(b"x = 1\n", "python") is not None
    with Syntax(timeout_s=60, piece_bytes=1 << 20) as made:
        assert made.parse(text, "python") is not None
