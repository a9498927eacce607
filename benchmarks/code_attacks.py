"""Python functions and what is done to a copy of one so that it is not known again.

Takes Python source; gives `Function` values and attacks by name, each of which leaves valid code. A
token here is one of the tokenize module, without comments, docstrings, newlines and indentation.
"""

import ast
import builtins
import copy
import io
import keyword
import random
import re
import tokenize
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import black
import python_minifier

__all__ = ["CHAT", "Copy", "Function", "alpha_key", "copies", "functions_of", "minified"]

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
_BLOCKS = ("body", "orelse", "finalbody")
_KEPT_NAMES = frozenset(keyword.kwlist) | frozenset(dir(builtins))

# Only names change and docstrings go: what the acceptance run asks for.
_RENAME = {
    "remove_annotations": False,
    "remove_pass": False,
    "remove_literal_statements": True,
    "combine_imports": False,
    "hoist_literals": False,
    "rename_locals": True,
    "rename_globals": True,
    "remove_object_base": False,
    "convert_posargs_to_args": True,  # undoes what `_renamable` did
    "remove_explicit_return_none": False,
    "remove_builtin_exception_brackets": False,
    "constant_folding": False,
    "remove_dead_branches": False,
}
_STRONG = {
    "remove_literal_statements": True,
    "rename_locals": True,
    "rename_globals": True,
    "remove_asserts": True,
    "remove_debug": True,
}

# Where it finds one of these python-minifier renames nothing in the module, or less.
_STANDINS = {
    name: f"kept_{number}"
    for number, name in enumerate(
        ("exec", "eval", "locals", "globals", "vars", "timeit", "*", "__all__")
    )
}

CHAT = (
    "Sure! Here is one way to do it. The idea is to walk over the data once, keep what is needed "
    "along the way, and handle the unusual cases early so that the rest stays simple to follow.",
    "That should cover what you asked for. If your input is very large you may want to measure it "
    "first, and please add a few tests around the empty case before you ship it to anyone.",
    "Happy to help. I wrote the function below from scratch; it depends on nothing but what you "
    "already have in your project, and I kept the interface small on purpose.",
    "Let me know if you would rather have this split into smaller pieces, or if the error messages "
    "should say more. I can also explain how it behaves when it is called twice in a row.",
)
_WORDS = [
    "value",
    "item",
    "total",
    "check",
    "next",
    "state",
    "result",
    "step",
    "guard",
    "entry",
    "limit",
    "first",
    "other",
    "until",
    "keep",
    "note",
    "buffer",
    "merge",
    "level",
    "update",
    "count",
    "final",
    "inner",
    "left",
    "right",
    "cache",
    "group",
    "ready",
    "build",
    "offset",
]


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


@dataclass(frozen=True, slots=True)
class Copy:
    """A query that holds a copy.

    Attributes
    ----------
    text : str or None
        None if the attack failed on this function, ``""`` if there was nothing for it to do.
    begin, end : int
        Byte range of the copy in the text.
    tokens : int
        How many tokens of the original went into it.
    """

    text: str | None
    begin: int = 0
    end: int = 0
    tokens: int = 0


# ---- functions


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
    tokens, inside = _tokens(source)
    token_lines = [line for line, _ in tokens]
    functions = []
    for number, (node, qualname, is_nested) in enumerate(_preorder(tree)):
        if is_nested:
            continue
        first, last = _line_range(node)
        low, high = bisect_left(token_lines, first), bisect_left(token_lines, last + 1)
        functions.append(
            Function(
                document=document,
                qualname=qualname,
                text=_dedent(lines, first, last, inside),
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
        if token.isidentifier() and token not in _KEPT_NAMES:
            key.append(numbers.setdefault(token, len(numbers)))
        elif token[0].isdigit() or token[0] in "'\"" or token[-1] in "'\"":
            key.append("literal")
        else:
            key.append(token)
    return tuple(key)


def _preorder(tree: ast.Module) -> Iterator[tuple[ast.AST, str, bool]]:
    """Each function with its qualified name and whether it is inside another function."""

    def visit(node: ast.AST, names: tuple[str, ...], is_nested: bool) -> Iterator:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _FUNCTION):
                yield child, ".".join((*names, child.name)), is_nested
                yield from visit(child, (*names, child.name), True)
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, (*names, child.name), is_nested)
            else:
                yield from visit(child, names, is_nested)

    return visit(tree, (), False)


def _line_range(node: ast.AST) -> tuple[int, int]:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.end_lineno


def _tokens(source: str) -> tuple[list[tuple[int, str]], frozenset[int]]:
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


def _dedent(lines: list[str], first: int, last: int, inside: frozenset[int]) -> str:
    head = lines[first - 1]
    indent = head[: len(head) - len(head.lstrip())]
    return "".join(
        line if number in inside else line.removeprefix(indent)
        for number, line in enumerate(lines[first - 1 : last], first)
    )


# ---- attacks


def minified(source: str, *, strong: bool) -> list[str] | None:
    """Every function of the module once python-minifier has renamed the module as a whole.

    Locals, arguments, globals and builtins that are used often get new names; attributes, names of
    methods and keywords of calls keep theirs. By `Function.number`; None if it fails or does not
    keep the number of functions.
    """
    try:
        text = _minify(source, _STRONG if strong else _RENAME)
        before = sum(1 for _ in _preorder(ast.parse(source)))
        nodes = [node for node, _, _ in _preorder(ast.parse(text))]
        if len(nodes) != before:
            return None
        lines, (_, inside) = list(io.StringIO(text)), _tokens(text)
    except Exception:  # whatever it raises, the caller has another way
        return None
    return [_dedent(lines, *_line_range(node), inside) for node in nodes]


def _minify(source: str, settings: dict[str, bool]) -> str:
    text = python_minifier.minify(
        _renamable(source),
        preserve_globals=list(_STANDINS.values()),
        preserve_locals=list(_STANDINS.values()),
        **settings,
    )
    for name, standin in _STANDINS.items():
        text = re.sub(rf"\b{standin}\b", name, text)
    return text


def _renamable(source: str) -> str:
    """The module with all that keeps python-minifier from renaming out of its way.

    It spares a module that may look names up by their text, and arguments that may be passed by
    keyword; who hides a copy renames those as well.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = _STANDINS.get(node.id, node.id)
        elif isinstance(node, ast.alias):
            node.name = _STANDINS.get(node.name, node.name)
        elif isinstance(node, ast.arguments):
            node.posonlyargs, node.args = node.posonlyargs + node.args, []
    return ast.unparse(tree)


def copies(
    function: Function, renamed: str | None, strong: str | None, rng: random.Random
) -> Iterator[tuple[str, Copy]]:
    """Attack by attack, the query that holds the attacked copy.

    `renamed` and `strong` are the function as `minified` cut it out of its module, None to rename
    the function by itself instead.
    """
    alone = _try(lambda: _minify(function.text, _RENAME))
    if renamed is None:
        renamed = alone
    if strong is None:
        strong = _try(lambda: _minify(function.text, _STRONG))
    verbatim = function.text
    tidy = _black(renamed)
    size = len(function.tokens)

    yield "as it is", _whole(verbatim, size)
    yield "black", _whole(_black(verbatim), size)
    yield "renamed, minified layout", _whole(renamed, size)
    yield "renamed, black", _whole(tidy, size)
    yield "renamed alone, black", _whole(_black(alone), size)
    yield "strong minify, black", _whole(_black(strong), size)
    yield (
        "all names and attributes renamed, black",
        _whole(_black(_edit(verbatim, _rename_all, rng)), size),
    )
    for base, text in (("verbatim", verbatim), ("renamed", tidy)):
        yield f"{base}, a comment on each line", _whole(_try(_commented, text, rng), size)
        for period in (5, 2, 1):
            edit = _dead_code(period, lambda rng: "_ = 0")
            yield f"{base}, `_ = 0` after {period} statements", _whole(_edit(text, edit, rng), size)
        edit = _dead_code(2, _junk)
        yield f"{base}, varied dead code after 2", _whole(_edit(text, edit, rng), size)
        yield f"{base}, assignments reordered", _whole(_edit(text, _reorder, rng), size)
        yield f"{base}, for as while", _whole(_edit(text, _for_as_while, rng), size)
        yield f"{base}, if/else swapped", _whole(_edit(text, _swap_branches, rng), size)
        yield f"{base}, first half in chat", _in_chat(_lines(text, 0, 0.5), rng, size // 2)
        yield f"{base}, second half in chat", _in_chat(_lines(text, 0.5, 1), rng, size // 2)
        yield f"{base}, both ends cut, in chat", _in_chat(_characters(text), rng, size // 2)
        yield f"{base}, unfenced in chat", _in_chat(text, rng, size)
        for tag in ("python", "", "text", "java"):
            fence = f"fenced as {tag}" if tag else "fenced without tag"
            yield f"{base}, {fence}", _in_chat(text, rng, size, fence=tag)


def _whole(text: str | None, tokens: int) -> Copy:
    return Copy(text, 0, len(text.encode()), tokens) if text else Copy(text)


def _in_chat(text: str | None, rng: random.Random, tokens: int, fence: str | None = None) -> Copy:
    if not text:
        return Copy(text)
    before, after = rng.choice(((0, 1), (2, 3), (0, 3), (2, 1)))
    opening = CHAT[before] + "\n\n" + (f"```{fence}\n" if fence is not None else "")
    body = text.rstrip("\n") + "\n"
    closing = ("```\n" if fence is not None else "") + "\n" + CHAT[after] + "\n"
    begin = len(opening.encode())
    return Copy(opening + body + closing, begin, begin + len(body.encode()), tokens)


def _try(make: Callable[..., str], *arguments: object) -> str | None:
    """What `make` gives if it is valid code, else None."""
    if None in arguments:
        return None
    try:
        text = make(*arguments)
        ast.parse(text)
    except Exception:
        return None
    return text


def _black(text: str | None) -> str | None:
    return _try(lambda code: black.format_str(code, mode=black.Mode()), text)


def _edit(
    text: str | None, edit: Callable[[ast.Module, random.Random], bool], rng: random.Random
) -> str | None:
    """The code after `edit` of its tree, ``""`` if that found nothing to do."""
    if text is None:
        return None
    tree = ast.parse(text)
    if not edit(tree, rng):
        return ""
    return _black(_try(lambda: ast.unparse(ast.fix_missing_locations(tree))))


def _rename_all(tree: ast.Module, rng: random.Random) -> bool:
    """Every name but keywords and builtins, attributes and keyword arguments as well."""
    names: dict[str, str] = {}

    def new(name: str) -> str:
        if name in _KEPT_NAMES or name == "*":
            return name
        if name not in names:
            while (made := "_".join(rng.choices(_WORDS, k=2))) in names.values():
                pass
            names[name] = made
        return names[name]

    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if field in ("id", "attr", "arg", "name", "asname", "module", "rest") and isinstance(
                value, str
            ):
                setattr(node, field, ".".join(map(new, value.split("."))))
            elif field in ("names", "kwd_attrs") and value and isinstance(value[0], str):
                setattr(node, field, [new(name) for name in value])
    return True


def _commented(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NEWLINE, tokenize.NL):
            number = token.start[0] - 1
            lines[number] += "  # " + " ".join(rng.choices(_WORDS, k=rng.randint(2, 6)))
    return "\n".join(lines)


def _blocks(tree: ast.Module) -> list[list[ast.stmt]]:
    return [
        block
        for node in ast.walk(tree)
        for name in _BLOCKS
        if isinstance(block := getattr(node, name, None), list) and node is not tree
    ]


def _dead_code(
    period: int, statement: Callable[[random.Random], str]
) -> Callable[[ast.Module, random.Random], bool]:
    def edit(tree: ast.Module, rng: random.Random) -> bool:
        seen = 0
        for block in _blocks(tree):
            grown = []
            for old in block:
                grown.append(old)
                seen += 1
                if seen % period == 0:
                    grown += ast.parse(statement(rng)).body
            block[:] = grown
        return seen >= period

    return edit


def _junk(rng: random.Random) -> str:
    name, other = rng.sample(_WORDS, 2)
    return rng.choice(
        (
            f"{name} = {rng.randint(0, 99)}",
            f"{name} = len({other!r})",
            f"{name} = [{rng.randint(0, 9)}, {rng.randint(0, 9)}]",
            f"if {rng.randint(2, 9)} < 1:\n    {name} = {other!r}",
            f"{name} = {other!r}.upper()",
        )
    )


def _reorder(tree: ast.Module, rng: random.Random) -> bool:
    """Runs of assignments in a random order that keeps what each reads and writes."""
    has_changed = False
    for block in _blocks(tree):
        start = 0
        while start < len(block):
            end = start
            while end < len(block) and isinstance(block[end], ast.Assign | ast.AnnAssign):
                end += 1
            if end - start > 1:
                old = block[start:end]
                block[start:end] = new = _shuffled(old, rng)
                has_changed |= new != old
            start = max(end, start + 1)
    return has_changed


def _shuffled(statements: list[ast.stmt], rng: random.Random) -> list[ast.stmt]:
    effects = [_effects(statement) for statement in statements]
    left = list(range(len(statements)))
    order: list[int] = []
    while left:
        free = [
            item
            for item in left
            if not any(_depends(effects[item], effects[other]) for other in left if other < item)
        ]
        order.append(rng.choice(free))
        left.remove(order[-1])
    return [statements[item] for item in order]


def _effects(statement: ast.stmt) -> tuple[set[str], set[str], bool]:
    """Names read, names written, and whether anything is called; an attribute is its own text."""
    reads: set[str] = set()
    writes: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name | ast.Attribute):
            (writes if isinstance(node.ctx, ast.Store) else reads).add(ast.unparse(node))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            writes.add(ast.unparse(node.value))
    calls = any(
        isinstance(node, ast.Call | ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr)
        for node in ast.walk(statement)
    )
    return reads, writes, calls


def _depends(
    later: tuple[set[str], set[str], bool], earlier: tuple[set[str], set[str], bool]
) -> bool:
    return bool(
        later[0] & earlier[1]
        or later[1] & (earlier[0] | earlier[1])
        or (later[2] and earlier[2])  # calls may act on each other
    )


def _for_as_while(tree: ast.Module, rng: random.Random) -> bool:
    has_changed = False
    blocks = _blocks(tree)
    for number, block in reversed(list(enumerate(blocks))):  # inner loops first
        for place, loop in reversed(list(enumerate(block))):
            if not isinstance(loop, ast.For) or loop.orelse:
                continue
            source = f"rest_{number}_{place}"
            step = ast.parse(
                f"{source} = iter(_)\nwhile True:\n    try:\n        _ = next({source})\n"
                "    except StopIteration:\n        break"
            ).body
            step[0].value.args = [loop.iter]
            step[1].body[0].body[0].targets = [loop.target]
            step[1].body += loop.body
            block[place : place + 1] = step
            has_changed = True
    return has_changed


def _swap_branches(tree: ast.Module, rng: random.Random) -> bool:
    has_changed = False
    for node in ast.walk(tree):
        is_chain = isinstance(node, ast.If) and [type(n) for n in node.orelse] == [ast.If]
        if isinstance(node, ast.If) and node.orelse and not is_chain:
            node.test = ast.UnaryOp(ast.Not(), copy.deepcopy(node.test))
            node.body, node.orelse = node.orelse, node.body
            has_changed = True
    return has_changed


def _lines(text: str | None, begin: float, end: float) -> str | None:
    if text is None:
        return None
    lines = text.splitlines(keepends=True)
    return "".join(lines[round(begin * len(lines)) : round(end * len(lines))])


def _characters(text: str | None) -> str | None:
    """The middle half, cut inside of lines."""
    return text and text[len(text) // 4 : len(text) - len(text) // 4]
