"""Further edits of the statements of a Python function: rows C1, C2, C5-C7, C9 and C10."""

import ast
import io
import json
import random
import tokenize
from collections.abc import Callable, Iterator, Sequence

import python_minifier

from .functions import Function
from .python_attacks import (
    Copy,
    attempt,
    black_of,
    blocks_of,
    dead_code,
    edited,
    for_as_while,
    in_chat,
    rename_all,
    reorder,
    swap_branches,
    whole,
)

__all__ = ["further_copies"]

_TreeEdit = Callable[[ast.Module, random.Random], bool]
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}
# Statements that moving into a function of their own would break.
_BOUND = (ast.Return, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom, ast.Await, ast.Nonlocal)


def further_copies(
    function: Function, siblings: Sequence[Function], rng: random.Random
) -> Iterator[tuple[str, float, str, Copy]]:
    """Row, strength and name of each attack with its copy, as ``python_attacks.copies`` does.

    `siblings` are the functions of the module, in its order.
    """
    text, size = function.text, len(function.tokens)

    def tree(edit: _TreeEdit) -> Copy:
        return whole(edited(text, edit, rng), size)

    yield "C1", 1, "comments and docstrings out", tree(_without_docstrings)
    yield "C1", 1, "a docstring and blank lines put in", whole(_documented(text), size)
    yield "C2", 1, "numbers and strings changed", tree(_other_literals)
    yield "C3", 1, "python-minifier, names kept", whole(attempt(_minified_layout, text), size)
    yield "C5", 1, "between its neighbours, shuffled", _among(function, siblings, rng)
    yield "C6", 1, "comparisons mirrored, += written out", tree(_written_out)
    yield "C7", 1, "strings split", tree(_strings_split)
    yield "C7", 1, "a part made a function", tree(_extracted)
    for period in (200, 50, 20):
        yield "C9", period, "a token lost of every n", whole(_broken(text, period, rng), size)
    quoted = "".join(f"> {line}" for line in text.splitlines(keepends=True))
    yield "C9", 1, "quoted in chat", in_chat(quoted, rng, size)
    yield "C9", 1, "as a JSON string in chat", in_chat(json.dumps({"code": text}), rng, size)
    for number in (2, 3):
        yield "C10", number, "edits at random, n", whole(_several(text, number, rng), size)


def _without_docstrings(tree: ast.Module, rng: random.Random) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return True


def _documented(text: str) -> str | None:
    def edit(tree: ast.Module, rng: random.Random) -> bool:
        _without_docstrings(tree, rng)
        words = "Does what its name says and returns what the caller asked for, or raises."
        tree.body[0].body.insert(0, ast.Expr(ast.Constant(words)))  # type: ignore[attr-defined]
        return True

    made = edited(text, edit, random.Random(0))
    return made and made.replace("\n", "\n\n")


def _other_literals(tree: ast.Module, rng: random.Random) -> bool:
    has_changed = False
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            continue
        if isinstance(node, ast.Constant) and type(node.value) in (int, str):
            number = rng.randrange(10, 10_000)
            node.value = number if isinstance(node.value, int) else f"text{number}"
            has_changed = True
    return has_changed


def _minified_layout(text: str) -> str:
    return python_minifier.minify(text, rename_locals=False, hoist_literals=False)


def _among(function: Function, siblings: Sequence[Function], rng: random.Random) -> Copy:
    at = siblings.index(function)
    others = [other.text for other in siblings[max(0, at - 2) : at + 3] if other is not function]
    rng.shuffle(others)
    place = rng.randrange(len(others) + 1)
    before = "".join(text.rstrip("\n") + "\n\n\n" for text in others[:place])
    after = "".join("\n\n" + text for text in others[place:])
    begin = len(before.encode())
    end = begin + len(function.text.encode())
    return Copy(before + function.text + after, begin, end, len(function.tokens))


def _written_out(tree: ast.Module, rng: random.Random) -> bool:
    has_changed = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _MIRRORED:
            node.left, node.comparators = node.comparators[0], [node.left]
            node.ops = [_MIRRORED[type(node.ops[0])]()]
            has_changed = True
    for block in blocks_of(tree):
        for place, statement in enumerate(block):
            if isinstance(statement, ast.AugAssign):
                target = ast.parse(ast.unparse(statement.target), mode="eval").body
                value = ast.BinOp(target, statement.op, statement.value)
                block[place] = ast.Assign([statement.target], value)
                has_changed = True
    return has_changed


class _Splitter(ast.NodeTransformer):
    """Strings of four characters or more, but docstrings, as the sum of two."""

    has_changed = False

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_docstring = isinstance(node.value, ast.Constant)
        return node if is_docstring else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str) or len(node.value) < 4:
            return node
        self.has_changed = True
        half = len(node.value) // 2
        left, right = ast.Constant(node.value[:half]), ast.Constant(node.value[half:])
        return ast.BinOp(left, ast.Add(), right)


def _strings_split(tree: ast.Module, rng: random.Random) -> bool:
    splitter = _Splitter()
    splitter.visit(tree)
    return splitter.has_changed


def _extracted(tree: ast.Module, rng: random.Random) -> bool:
    """Two to four statements in the middle of the body become a function before it."""
    body = tree.body[0].body  # type: ignore[attr-defined]
    if len(body) < 4:
        return False
    size = min(4, len(body) // 2)
    at = (len(body) - size) // 2
    part = body[at : at + size]
    if any(isinstance(node, _BOUND) for one in part for node in ast.walk(one)):
        return False
    names = sorted({n.id for one in part for n in ast.walk(one) if isinstance(n, ast.Name)})
    call = ast.parse(f"{', '.join(names) or '_'} = _step({', '.join(names)})").body
    helper = ast.parse(f"def _step({', '.join(names)}):\n    return {', '.join(names) or '0'}").body
    helper[0].body[:0] = part  # type: ignore[attr-defined]
    body[at : at + size] = call
    tree.body[:0] = helper
    return True


def _broken(text: str, period: int, rng: random.Random) -> str | None:
    """One token at random out of every so many."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    spots = [t for t in tokens if t.type in (tokenize.OP, tokenize.NAME, tokenize.NUMBER)]
    lost = [
        rng.choice(spots[at : at + period]) for at in range(0, len(spots), min(period, len(spots)))
    ]
    lines = text.splitlines(keepends=True)
    for token in reversed(lost):
        (row, start), (_, end) = token.start, token.end
        lines[row - 1] = lines[row - 1][:start] + lines[row - 1][end:]
    return "".join(lines)


def _several(text: str, number: int, rng: random.Random) -> str | None:
    """Different edits at random, one upon the other; those that find nothing to do don't count."""
    edits: list[_TreeEdit] = [
        rename_all,
        dead_code(3, lambda rng: "_ = 0"),
        reorder,
        swap_branches,
        for_as_while,
        _other_literals,
        _strings_split,
        _written_out,
        _without_docstrings,
    ]
    rng.shuffle(edits)
    for edit in edits:
        made = edited(text, edit, rng)
        if made:
            text, number = made, number - 1
        if number == 0:
            return black_of(text)
    return ""
