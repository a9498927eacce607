"""A process that parses code with tree-sitter and sends back flat arrays.

Run as a script by `dedup.syntax`, which imports only the constants: a grammar can take gigabytes
or crash on hostile text, and here that costs one small process and not the server. It knows no
grammar by itself and imports nothing of the package; what each kind of node becomes arrives with
the request that loads the grammar. Standard input is one end of a socket that carries both ways:

    request     u8 operation, u8 slot, u16 0, f32 seconds, u32 size, then `size` bytes
    reply       u8 status, 3 x u8 0, u32 size, then `size` bytes
    LOAD        JSON: module, function, path (to import from), named and anonymous (actions by
                kind), operators (characters of which other anonymous kinds are kept), namers,
                inner_names
                -> JSON: the name of every kind, by kind id
    PARSE       a text, for the grammar in the slot
                -> u32 tokens, u32 units, codes u16, starts u32, ends u32, then eight u32 a unit:
                   kind, start, end, first token, span of the name, span of the name's owner

A code below the number of kinds is that kind; the number of kinds plus c is class c of
`dedup.syntax`. Everything is little-endian. It ends when its input does, when its parent is gone,
or when a parse outlives several times its seconds.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import struct
import sys
from array import array
from collections.abc import Mapping
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

__all__ = [
    "ACCESSOR",
    "CLASS",
    "DROP",
    "FAILED",
    "FUNCTION",
    "INTERPOLATION",
    "LABEL",
    "LABELLED",
    "LABELLED_NODE",
    "LATE",
    "LOAD",
    "MEMBER",
    "MEMORY",
    "METHOD",
    "NAME",
    "NODE",
    "NO_GRAMMAR",
    "NUMBER",
    "OK",
    "PARSE",
    "PASS",
    "REPLY",
    "REQUEST",
    "SEPARATOR",
    "SIZES",
    "STATEMENT",
    "STRING",
    "TEMPLATE",
    "TOKEN",
    "TOO_HARD",
    "UNIT_FIELDS",
    "Loaded",
    "TooHard",
    "main",
]

LOAD, PARSE = range(2)
OK, LATE, MEMORY, FAILED, NO_GRAMMAR, TOO_HARD = range(6)
REQUEST = struct.Struct("<BBHfII")
REPLY = struct.Struct("<B3xI")
SIZES = struct.Struct("<II")
UNIT_FIELDS = 8

# What becomes of a kind of node. The first six are the bulk of any tree and are tested first.
DROP = 0  # nothing, nor of anything inside
NODE = 1  # one token, then what is inside
NAME = 2  # an identifier
TOKEN = 3  # an operator, kept as itself
PASS = 4  # nothing itself, but what is inside
STRING = 5
NUMBER = 6
MEMBER = 7  # an identifier that is a member wherever it stands
LABEL = 8
ACCESSOR = 9  # makes the next identifier a member
SEPARATOR = 10  # makes the identifier before it a label, if that began a LABELLED node
LABELLED = 11  # as PASS
LABELLED_NODE = 12  # as NODE
TEMPLATE = 13  # a string that may hold INTERPOLATIONs
INTERPOLATION = 14
STATEMENT = 15  # as PASS, but a string alone in it is no code
FUNCTION = 16  # from here on as NODE, and a unit
METHOD = 17
CLASS = 18

_ERROR = 0xFFFF  # kind id of what did not parse
_CHUNK_BYTES = 1 << 16
_PARENT_CHECK_S = 5.0
_NAME_DEPTH = 16
_GIVING_FIELDS = ("name", "left", "key", "property", "declarator", "pattern")


class TooHard(Exception):
    """A text takes the parser more steps than it is worth."""


class Loaded:
    """One grammar, with what each of its kinds becomes."""

    def __init__(self, language: "Language", description: Mapping[str, Any]) -> None:
        named, anonymous = description["named"], description["anonymous"]
        operators = frozenset(description["operators"])
        self.language = language
        self.namers = frozenset(description["namers"])
        self.inner_names = frozenset(description["inner_names"])
        self.kinds = [language.node_kind_for_id(i) or "" for i in range(language.node_kind_count)]
        actions = bytearray(_ERROR + 1)
        actions[_ERROR] = PASS
        for kind_id, kind in enumerate(self.kinds):
            if language.node_kind_is_named(kind_id):
                actions[kind_id] = named.get(kind, NODE)
            else:
                default = TOKEN if kind and operators.issuperset(kind) else DROP
                actions[kind_id] = anonymous.get(kind, default)
        self.actions = bytes(actions)

    def parse(self, text: bytes, seconds: float, steps: int) -> bytes | None:
        """The reply for a text, or None if it took longer than `seconds`.

        Raises
        ------
        TooHard
            If it took more than so many steps, each of a hundred operations of the parser.
        """
        from tree_sitter import Parser

        end = monotonic() + seconds
        taken = 0

        def is_over(*_: object) -> bool:
            nonlocal taken
            taken += 1
            return taken > steps or monotonic() > end

        parser = Parser(self.language)
        try:
            tree = parser.parse(
                lambda at, _: text[at : at + _CHUNK_BYTES],
                progress_callback=is_over,
            )
        except ValueError:  # stopped by the callback
            if taken > steps:
                raise TooHard from None
            return None
        codes, starts, ends, units = self.walk(tree)
        return b"".join(
            (
                SIZES.pack(len(codes), len(units) // UNIT_FIELDS),
                _packed("H", codes),
                _packed("I", starts),
                _packed("I", ends),
                _packed("I", units),
            )
        )

    def walk(self, tree: "Tree") -> tuple[list[int], list[int], list[int], list[int]]:
        """Codes, starts and ends of a tree's tokens in pre-order, and the fields of its units.

        About 0.3 us a node. A token of a node with children has an empty span. A leaf of no bytes
        is dropped: the parser made it up.
        """
        actions = self.actions
        first = len(self.kinds)
        # NAME, MEMBER, ... of dedup.syntax, where 0 is what keeps its kind
        name, member, label, string, number = range(first + 1, first + 6)
        cursor = tree.walk()
        down, right, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
        codes: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        units: list[int] = []
        add_code, add_start, add_end = codes.append, starts.append, ends.append
        next_name = name
        label_at = -2
        while True:
            node: Any = cursor.node
            kind = node.kind_id
            action = actions[kind]
            if action == NODE:
                next_name = name
                start = node.start_byte
                if down():
                    add_code(kind)
                    add_start(start)
                    add_end(start)
                    continue
                end = node.end_byte
                if end > start:
                    add_code(kind)
                    add_start(start)
                    add_end(end)
            elif action == DROP:
                pass
            elif action == NAME:
                start, end = node.start_byte, node.end_byte
                if end > start:
                    add_code(next_name)
                    add_start(start)
                    add_end(end)
                next_name = name
            elif action == PASS:
                if down():
                    continue
            elif action <= LABEL:
                next_name = name
                start, end = node.start_byte, node.end_byte
                if end > start:
                    if action == TOKEN:
                        add_code(kind)
                    elif action == STRING:
                        add_code(string)
                    elif action == NUMBER:
                        add_code(number)
                    else:
                        add_code(member if action == MEMBER else label)
                    add_start(start)
                    add_end(end)
            elif action == ACCESSOR:
                next_name = member
            elif action == SEPARATOR:
                if label_at == len(codes) - 1 and codes[-1] in (name, member):
                    before = node.prev_sibling
                    if before is not None and actions[before.kind_id] != DROP:  # not `[key] =`
                        codes[-1] = label
            elif action == TEMPLATE:
                next_name = name
                start, end = node.start_byte, node.end_byte
                # Else it is part of a literal that is already there.
                if end > start and not (ends and start < ends[-1]):
                    add_code(string)
                    add_start(start)
                    add_end(end)
                if down():
                    continue
            elif action == INTERPOLATION:
                next_name = name
                if ends:
                    ends[-1] = min(ends[-1], max(starts[-1], node.start_byte))
                if down():
                    continue
            elif action == LABELLED:
                label_at = len(codes)
                if down():
                    continue
            elif action == LABELLED_NODE:
                next_name = name
                start = node.start_byte
                add_code(kind)
                add_start(start)
                add_end(start)
                label_at = len(codes)
                if down():
                    continue
            elif action == STATEMENT:
                alone = node.child(0) if node.named_child_count == 1 else None
                is_text = alone is not None and actions[alone.kind_id] in (STRING, TEMPLATE)
                if not is_text and down():
                    continue
            else:
                next_name = name
                start, end = node.start_byte, node.end_byte
                spans = self._name(node)
                units += (action, start, end, len(codes), *spans)
                add_code(kind)
                add_start(start)
                add_end(start)
                if down():
                    continue
            while not right():
                if not up():
                    return codes, starts, ends, units

    def _name(self, node: "Node") -> tuple[int, int, int, int]:
        """Spans of a unit's name and of the type it is a method of, empty where it has none."""
        found = node.child_by_field_name("name")
        if found is None:
            found = (
                self._held(node)
                or self._given(node)
                or _declared(node)
                or node.child_by_field_name("type")
            )
        receiver = node.child_by_field_name("receiver")
        declared = receiver.named_child(0) if receiver and receiver.named_child_count else None
        owner = declared.child_by_field_name("type") if declared else None
        return (*_span(found), *_span(owner))

    def _held(self, node: "Node") -> "Node | None":
        """The name in a grammar that has no field for it."""
        if not self.inner_names:
            return None
        return next((child for child in node.children if child.type in self.inner_names), None)

    def _given(self, node: "Node") -> "Node | None":
        """The name that an expression or a type gets from what it is part of."""
        holder = node.parent
        if holder is not None and holder.type == "expression_list":
            holder = holder.parent
        if holder is None or holder.type not in self.namers:
            return None
        for field in _GIVING_FIELDS:
            name = holder.child_by_field_name(field)
            if name is not None:
                break
        else:
            name = holder.named_child(0)
        is_apart = name.end_byte <= node.start_byte or name.start_byte >= node.end_byte
        return name if is_apart else None


def main(memory_bytes: int) -> None:
    """Answer requests on file descriptor 0 until it ends or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _limit(memory_bytes)
    gc.disable()  # nothing here makes a cycle, and collecting costs a tenth of the walk
    grammars: dict[int, Loaded] = {}
    parent = os.getppid()
    while True:
        while not select.select([0], [], [], _PARENT_CHECK_S)[0]:
            if os.getppid() != parent:
                return
        head = _read(REQUEST.size)
        if head is None:
            return
        operation, slot, _, seconds, steps, size = REQUEST.unpack(head)
        body = _read(size)
        if body is None:
            return
        status, reply = OK, b""
        try:
            if operation == LOAD:
                grammars[slot] = _load(json.loads(body))
                reply = json.dumps(grammars[slot].kinds).encode()
            else:
                # The parent kills sooner; this is for a parent that is gone or stopped.
                signal.setitimer(signal.ITIMER_REAL, 1.0 + 8 * seconds)
                parsed = grammars[slot].parse(body, seconds, steps)
                signal.setitimer(signal.ITIMER_REAL, 0.0)
                status, reply = (LATE, b"") if parsed is None else (OK, parsed)
        except MemoryError:
            status = MEMORY
        except TooHard:
            status = TOO_HARD
        except (ImportError, AttributeError):
            status = NO_GRAMMAR if operation == LOAD else FAILED
        except Exception:
            status = FAILED
        try:
            _write(REPLY.pack(status, len(reply)) + reply)
        except OSError:
            return


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        memory_bytes = min(memory_bytes, most)
    with contextlib.suppress(ValueError):  # macOS has no such limit; the parent's timer remains
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _load(description: Mapping[str, Any]) -> Loaded:
    sys.path[:] = description["path"]
    from tree_sitter import Language

    module = import_module(description["module"])
    return Loaded(Language(getattr(module, description["function"])()), description)


def _packed(kind: str, values: list[int]) -> bytes:
    numbers = array(kind, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _declared(node: "Node") -> "Node | None":
    """What a C declarator declares: `f` of ``*(*f(int))[3]``."""
    inner = node.child_by_field_name("declarator")
    for _ in range(_NAME_DEPTH):
        if inner is None or not inner.type.endswith("declarator"):
            break
        within = inner.child_by_field_name("declarator")
        if within is None and inner.named_child_count:
            within = inner.named_child(inner.named_child_count - 1)
        inner = within
    return inner


def _span(node: "Node | None") -> tuple[int, int]:
    return (node.start_byte, node.end_byte) if node is not None else (0, 0)


def _read(size: int) -> bytes | None:
    """Exactly `size` bytes, or None if the input ended before."""
    parts = []
    while size > 0:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(0, view) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))
