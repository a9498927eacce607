"""Python functions, and the standard library as a protected corpus.

A token here is one of the tokenize module, without comments, docstrings, newlines and indentation.
"""

import ast
import builtins
import io
import keyword
import sys
import sysconfig
import tokenize
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "KEPT_NAMES",
    "Documents",
    "Function",
    "Place",
    "alpha_key",
    "dedented",
    "functions_in",
    "functions_of",
    "line_range",
    "places_of",
    "preorder",
    "standard_library",
    "tokens_of",
]

_LAYOUT = frozenset(
    (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_NO_STDLIB = {"test", "tests", "idle_test", "site-packages", "dist-packages"}

KEPT_NAMES = frozenset(keyword.kwlist) | frozenset(dir(builtins))

Documents = dict[str, str]


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method that is not inside another function.

    Attributes
    ----------
    document, qualname : str
        The document it is in; its name with those of its classes, as in ``Heap.push``.
    text : str
        Its source with decorators, dedented.
    span : (int, int)
        Byte range of its lines in the document.
    number : int
        Its place among the functions of the document, nested ones counted too.
    tokens : tuple of str
        See the module's text.
    """

    document: str
    qualname: str
    text: str
    span: tuple[int, int]
    number: int
    tokens: tuple[str, ...]


class Place(NamedTuple):
    """Where a function stands."""

    document: str
    qualname: str
    span: tuple[int, int]


def functions_of(document: str, source: str) -> list[Function]:
    """Functions and methods of a module in the order of its text.

    Raises
    ------
    SyntaxError, tokenize.TokenError
        If it is no Python of this version.
    """
    tree = ast.parse(source)
    lines = list(io.StringIO(source))
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    tokens, inside = tokens_of(source)
    token_lines = [line for line, _ in tokens]
    functions = []
    for number, (node, qualname, is_nested) in enumerate(preorder(tree)):
        if is_nested:
            continue
        first, last = line_range(node)
        low, high = bisect_left(token_lines, first), bisect_left(token_lines, last + 1)
        functions.append(
            Function(
                document=document,
                qualname=qualname,
                text=dedented(lines, first, last, inside),
                span=(starts[first - 1], starts[last]),
                number=number,
                tokens=tuple(text for _, text in tokens[low:high]),
            )
        )
    return functions


def alpha_key(tokens: tuple[str, ...]) -> tuple[str | int, ...]:
    """Equal for functions that a consistent renaming and new literals turn into each other."""
    numbers: dict[str, int] = {}
    key: list[str | int] = []
    for token in tokens:
        if token.isidentifier() and token not in KEPT_NAMES:
            key.append(numbers.setdefault(token, len(numbers)))
        elif token[0].isdigit() or token[0] in "'\"" or token[-1] in "'\"":
            key.append("literal")
        else:
            key.append(token)
    return tuple(key)


def preorder(tree: ast.Module) -> Iterator[tuple[ast.AST, str, bool]]:
    """Each function with its qualified name and whether it is inside another function."""

    def visit(
        node: ast.AST, names: tuple[str, ...], is_nested: bool
    ) -> Iterator[tuple[ast.AST, str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _FUNCTION):
                yield child, ".".join((*names, child.name)), is_nested
                yield from visit(child, (*names, child.name), True)
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, (*names, child.name), is_nested)
            else:
                yield from visit(child, names, is_nested)

    return visit(tree, (), False)


def line_range(node: ast.AST) -> tuple[int, int]:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.end_lineno


def tokens_of(source: str) -> tuple[list[tuple[int, str]], frozenset[int]]:
    """Line and text of each token; lines that begin inside a string, so keep their indentation."""
    found = []
    inside: set[int] = set()
    is_start = True  # of a logical line
    pending: tuple[int, str] | None = None  # a string that may prove to be a whole line
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _LAYOUT:
            if token.type == tokenize.NEWLINE:
                pending, is_start = None, True
            continue
        if pending:
            found.append(pending)
            pending = None
        if token.type == tokenize.STRING:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        if token.type == tokenize.STRING and is_start:
            pending = (token.start[0], token.string)
        else:
            found.append((token.start[0], token.string))
        is_start = False
    return found, frozenset(inside)


def dedented(lines: list[str], first: int, last: int, inside: frozenset[int]) -> str:
    head = lines[first - 1]
    indent = head[: len(head) - len(head.lstrip())]
    return "".join(
        line if number in inside else line.removeprefix(indent)
        for number, line in enumerate(lines[first - 1 : last], first)
    )


def places_of(functions: list[Function]) -> dict[tuple[str | int, ...], tuple[Place, ...]]:
    """Where the same function stands, by its tokens and by its `alpha_key`."""
    places: dict[tuple[str | int, ...], tuple[Place, ...]] = defaultdict(tuple)
    for function in functions:
        place = Place(function.document, function.qualname, function.span)
        places[function.tokens] += (place,)
        places[alpha_key(function.tokens)] += (place,)
    return places


def standard_library() -> Documents:
    """Every module of this Python but its tests, by ``stdlib/<path>``."""
    root = Path(sysconfig.get_path("stdlib"))
    documents = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not _NO_STDLIB.intersection(parts):
            documents["stdlib/" + "/".join(parts)] = path.read_bytes().decode()
    return documents


def functions_in(documents: Documents) -> list[Function]:
    """Their functions; documents that are no Python of this version are said and left out."""
    found = []
    for name, text in documents.items():
        try:
            found += functions_of(name, text)
        except (SyntaxError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
    return found
