"""What is done to a copy of a Python function so that it is not known again.

Takes a `Function`; gives copies by the name of the attack, each of which is valid code.
"""

import ast
import copy
import io
import random
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import black
import python_minifier

from .functions import KEPT_NAMES, Function, dedented, line_range, preorder, tokens_of

__all__ = [
    "CHAT",
    "Copy",
    "attempt",
    "black_of",
    "blocks_of",
    "copies",
    "dead_code",
    "edited",
    "for_as_while",
    "in_chat",
    "minified",
    "minified_of",
    "rename_all",
    "reorder",
    "swap_branches",
    "whole",
]

_BLOCKS = ("body", "orelse", "finalbody")

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


def minified(source: str, *, strong: bool) -> list[str] | None:
    """Every function of the module once python-minifier has renamed the module as a whole.

    Locals, arguments, globals and builtins that are used often get new names; attributes, names of
    methods and keywords of calls keep theirs. By `Function.number`; None if it fails or does not
    keep the number of functions.
    """
    try:
        text = _minify(source, _STRONG if strong else _RENAME)
        before = sum(1 for _ in preorder(ast.parse(source)))
        nodes = [node for node, _, _ in preorder(ast.parse(text))]
        if len(nodes) != before:
            return None
        lines, (_, inside) = list(io.StringIO(text)), tokens_of(text)
    except Exception:  # whatever it raises, the caller has another way
        return None
    return [dedented(lines, *line_range(node), inside) for node in nodes]


_minified_modules: dict[str, tuple[list[str] | None, list[str] | None]] = {}


def minified_of(function: Function, source: str) -> tuple[str | None, str | None]:
    """The function cut out of its module, renamed and strongly minified; None where that failed."""
    if function.document not in _minified_modules:
        _minified_modules.clear()  # functions come by document
        _minified_modules[function.document] = (
            minified(source, strong=False),
            minified(source, strong=True),
        )
    renamed, strong = _minified_modules[function.document]
    return renamed and renamed[function.number], strong and strong[function.number]


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
    alone = attempt(lambda: _minify(function.text, _RENAME))
    if renamed is None:
        renamed = alone
    if strong is None:
        strong = attempt(lambda: _minify(function.text, _STRONG))
    verbatim = function.text
    tidy = black_of(renamed)
    size = len(function.tokens)

    yield "as it is", whole(verbatim, size)
    yield "black", whole(black_of(verbatim), size)
    yield "renamed, minified layout", whole(renamed, size)
    yield "renamed, black", whole(tidy, size)
    yield "renamed alone, black", whole(black_of(alone), size)
    yield "strong minify, black", whole(black_of(strong), size)
    yield (
        "all names and attributes renamed, black",
        whole(black_of(edited(verbatim, rename_all, rng)), size),
    )
    for base, text in (("verbatim", verbatim), ("renamed", tidy)):
        yield f"{base}, a comment on each line", whole(attempt(_commented, text, rng), size)
        for period in (5, 2, 1):
            edit = dead_code(period, lambda rng: "_ = 0")
            yield f"{base}, `_ = 0` after {period} statements", whole(edited(text, edit, rng), size)
        edit = dead_code(2, _junk)
        yield f"{base}, varied dead code after 2", whole(edited(text, edit, rng), size)
        yield f"{base}, assignments reordered", whole(edited(text, reorder, rng), size)
        yield f"{base}, for as while", whole(edited(text, for_as_while, rng), size)
        yield f"{base}, if/else swapped", whole(edited(text, swap_branches, rng), size)
        yield f"{base}, first half in chat", in_chat(_lines(text, 0, 0.5), rng, size // 2)
        yield f"{base}, second half in chat", in_chat(_lines(text, 0.5, 1), rng, size // 2)
        yield f"{base}, both ends cut, in chat", in_chat(_characters(text), rng, size // 2)
        yield f"{base}, unfenced in chat", in_chat(text, rng, size)
        for tag in ("python", "", "text", "java"):
            fence = f"fenced as {tag}" if tag else "fenced without tag"
            yield f"{base}, {fence}", in_chat(text, rng, size, fence=tag)


def whole(text: str | None, tokens: int) -> Copy:
    return Copy(text, 0, len(text.encode()), tokens) if text else Copy(text)


def in_chat(text: str | None, rng: random.Random, tokens: int, fence: str | None = None) -> Copy:
    if not text:
        return Copy(text)
    before, after = rng.choice(((0, 1), (2, 3), (0, 3), (2, 1)))
    opening = CHAT[before] + "\n\n" + (f"```{fence}\n" if fence is not None else "")
    body = text.rstrip("\n") + "\n"
    closing = ("```\n" if fence is not None else "") + "\n" + CHAT[after] + "\n"
    begin = len(opening.encode())
    return Copy(opening + body + closing, begin, begin + len(body.encode()), tokens)


def attempt(make: Callable[..., str], *arguments: object) -> str | None:
    """What `make` gives if it is valid code, else None."""
    if None in arguments:
        return None
    try:
        text = make(*arguments)
        ast.parse(text)
    except Exception:
        return None
    return text


def black_of(text: str | None) -> str | None:
    return attempt(lambda code: black.format_str(code, mode=black.Mode()), text)


def edited(
    text: str | None, edit: Callable[[ast.Module, random.Random], bool], rng: random.Random
) -> str | None:
    """The code after `edit` of its tree, ``""`` if that found nothing to do."""
    if text is None:
        return None
    tree = ast.parse(text)
    if not edit(tree, rng):
        return ""
    return black_of(attempt(lambda: ast.unparse(ast.fix_missing_locations(tree))))


def rename_all(tree: ast.Module, rng: random.Random) -> bool:
    """Every name but keywords and builtins, attributes and keyword arguments as well."""
    names: dict[str, str] = {}

    def new(name: str) -> str:
        if name in KEPT_NAMES or name == "*":
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


def blocks_of(tree: ast.Module) -> list[list[ast.stmt]]:
    return [
        block
        for node in ast.walk(tree)
        for name in _BLOCKS
        if isinstance(block := getattr(node, name, None), list) and node is not tree
    ]


def dead_code(
    period: int, statement: Callable[[random.Random], str]
) -> Callable[[ast.Module, random.Random], bool]:
    def edit(tree: ast.Module, rng: random.Random) -> bool:
        seen = 0
        for block in blocks_of(tree):
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


def reorder(tree: ast.Module, rng: random.Random) -> bool:
    """Runs of assignments in a random order that keeps what each reads and writes."""
    has_changed = False
    for block in blocks_of(tree):
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


def for_as_while(tree: ast.Module, rng: random.Random) -> bool:
    has_changed = False
    blocks = blocks_of(tree)
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


def swap_branches(tree: ast.Module, rng: random.Random) -> bool:
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
