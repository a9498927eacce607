"""Runs of lines that look like code, in text that nothing marks as code.

Takes bytes, gives the runs in order. Each line is judged by itself, by its first word, its last
character and the share of brackets and operators in it: no grammar, since a fragment without head
or tail has none. Then lines join: code draws in the comments, blank lines and strings between it
and the next code, and prose at the margin ends a run. What is too short to matter is dropped.
"""

import re
from dataclasses import dataclass

__all__ = ["QUOTE", "CodeRun", "code_runs"]

# Bytes that prose seldom has. Left out for what prose does with them: quotes, $ (prices), % , #
# (headings), * and ` and _ (Markdown), / and : and @ (addresses), - (dashes).
_CODE_BYTES = b"{}[]()=<>;\\|&+^~"

_LOOKED_AT = 300  # bytes of a line that a pattern sees

# The start of a line of code. A ``.`` is bounded and nothing is looked for behind it twice.
_STRONG = re.compile(
    rb"""
    [{}()\[\];,]++$
    | [rbuf]{0,2}(?:\"\"\"|\'\'\')
    | (?:def|fn|func|fun|function|sub|class|struct|enum|interface|trait|impl|module|namespace
       |object|protocol|extension|record|union|type)\s++[\w.$:~]++[!?]?\s*+
      (?:[({:<;=]|$|extends|implements)
    | (?:(?:public|private|protected|internal|static|final|abstract|override|virtual|async|export
       |default|pub|unsafe|inline|extern|sealed|open|suspend|data|case|declare|readonly
       |synchronized|mutating|fileprivate|constexpr|explicit|lazy|implicit)\s++)++
      [\w<>\[\],.*&?:]++(?:\s++\**+[\w.]++)*+\s*+[({=;:<]
    | (?:local|async|export|default)\s++(?:async\s++)?function\b | template\s*+<
    | (?:const|let|var|val|my|our|local|auto)\s++[\w.$@%({\[*&,\s]{1,60}[\])}]?\s*+
      (?::[^=]{0,80}+)?[=;]
    | (?:unsigned|signed|int|char|void|bool|boolean|float|double|long|short|string|String|size_t
       |u?int\d+_t|struct|typedef|template|vector|std::\w++|List|Map|Integer)\b
      [\w\s*&<>,.:\[\]?]{1,80}[=;({]
    | return\s++(?:not|await|new|lambda|None|self)\b
    | return\s++[-!*&]?[\w.\[\]'"]++(?:$|[(\[;]|\s[-+*/%<>=&|?])
    | (?:break|continue|pass|end|fi|done|esac|else|begin|yield|endif|endfunction|then|do)[;:)]?$
    | (?:raise|throw|assert|yield|await|delete|del|new|goto|defer|go|echo|print|puts|require
       |include)\b\s*+(?:[\w.:]++$|[\w.:]*+\(|[$'"])
    | (?:import|from|using|use|package|require|include)\s++(?:static\s++)?[\w.:\\*]++
      (?:\s++as\s++\w++)?;?$
    | from\s++[\w.]++\s++import\b
    | (?:import|export)\s++(?:type\s++)?(?:[(\{"'*]|\w++\s++from\s++['"])
    | \#\s*+(?:include\s*+[<"]|define\s|ifn?def\b|endif\b|pragma\b|if\s++[\w!(]|undef\s|elif\s)
    | \#!\[?/? | \#\[
    | @[A-Za-z_][\w.]*+(?:\(|$|\s++(?:var|let|func|static|private|public|final)\b)
    | [\w.$@\[\]'"*&>:,\s-]{0,80}[\w\])'"]\s*+
      (?:[-+*/%|&^.?~]|<<|>>|\*\*|\|\||&&|\?\?|//|:)?=(?![=\s]*+$)\s*+[^\s=]
    | \)?\.\w++[!?]?\(
    | ["'][\w.$-]++["']\s*+(?::|=>)
    | (?:SELECT|INSERT\s++INTO|DELETE\s++FROM|ALTER\s++TABLE|DROP\s++TABLE|GROUP\s++BY
       |ORDER\s++BY|(?:LEFT|RIGHT|INNER|OUTER|FULL|CROSS)\s++(?:OUTER\s++)?JOIN
       |CREATE\s++(?:OR|TABLE|INDEX|VIEW|UNIQUE|FUNCTION|DATABASE|TRIGGER|PROCEDURE))\b
    | UPDATE\s++\w++\s++SET\b
    | (?:insert\s++into|delete\s++from|create\s++table)\s++\w
    | select\s++[\w.*,\s()]{1,200}\sfrom\s++\w
    | >>>\s | \$\s++[a-z] | In\s\[\d*\]: | <\?(?:php|=) | \?>$
    """,
    re.VERBOSE,
)
_CALL = re.compile(rb"[\w.$:>@&*-]{1,80}!?(?:<[\w<>,\s?]{1,60}>)?\(")
_OPENS_BLOCK = re.compile(
    rb"\}?\s*+(?:else|try|finally|do|catch|elif|except|loop|with|while|for|if|def|class|switch|case"
    rb"|default|match|when|unless|until|foreach|async|lambda)\b"
)
_OPENS_SHELL_BLOCK = re.compile(rb"(?:if|while|elif|elsif|for|unless|until|case)\b")
_WEAK = re.compile(
    rb"""
    [A-Z_]{2,}+(?:\s|$) | [\w.$"'*&-]++,(?:$|\s*+/[/*]) | (?:shift|unset|exec|eval|set|trap|test)\s
    | (?:from|where|join|and|or|on|set|values)\s++[\w.]++\s*+(?:[=<>(,]|$)
    | (?:sudo|apt-get|pip3?|npm|npx|yarn|git|mkdir|chmod|curl|wget|docker|kubectl|cargo|cd)\s++\S
    | [\w-]++:\s++[\w"'$#.-]++[;,]?$
    """,
    re.VERBOSE,
)
_COMMENT = re.compile(
    rb"//|/\*|\*/?(?:\s|$)|--(?:-*+\s|-*+$|\[\[)|\#(?:\s|$|\w)|<!--|;;|%%|\"\"\"|'''"
)
_OPERATOR = re.compile(
    rb"==|!=|&&|\|\||[\w)\]]->[\w*]|=>|[\w>]::[\w~<*]|\+\+|[-+*/]=|:=|</\w|/>|\w\[\w|\w\(\)"
    rb"|\.\w++\(|[<>]=|\s=\s|\)\s*+\{|\w\(\w++[ ]\*?\w++[,)]"
)
_IDENTIFIER = re.compile(rb"[a-z0-9]_[a-z0-9]|[a-z]{2}[A-Z][a-z]|\w\.[a-z]\w*+\(")
# What looks like code but is how prose is marked up: addresses, links, quoted names, formulas.
_MARKED = re.compile(
    rb"(?:https?|ftp|file)://[^\s<>]++|`[^`\n]{1,200}+`|<br\s*+/?>"
    rb"|(?<![\w\])])\[[^\[\]]{1,200}+\](?:\[[^\[\]]{0,200}+\]|\([^()\s]{1,300}+\))"
    rb"|\$[^$\n\"']{1,200}+\$|<[^<>@\s]{1,80}+@[^<>\s]{1,80}+>"
)
_MAY_BE_MARKED = re.compile(rb"[`$@]|://|\]\(|\]\[|<br")
_TAG = re.compile(rb"</?[a-zA-Z][\w-]*+[\s>/]")
QUOTE = re.compile(rb"[ \t]{0,3}+(?:>[ ]?+)++")
_BULLET = re.compile(rb"(?:[-*+]|\d{1,3}[.)]|[a-zA-Z][.)])\s++")
_TEX = re.compile(
    rb"\\(?:frac|sum|int|begin|end|left|right|math|text|alpha|beta|item|cite|section)"
)

_NEUTRAL, _COMMENTED, _PROSE, _WEAK_CODE, _STRONG_CODE = range(5)

_MAX_GAP_LINES = 60  # between two lines of code of one run: a long docstring or comment
_MAX_STRING_BYTES = 20_000


def _kind(line: bytes) -> int:
    """What one line, without space at its ends, looks like."""
    size = len(line)
    if not size:
        return _NEUTRAL
    if size > _LOOKED_AT:
        # A paragraph, or minified code: only the density tells.
        count = size - len(line.translate(None, _CODE_BYTES))
        return _STRONG_CODE if count > 0.08 * size else _PROSE
    count = size - len(line.translate(None, _CODE_BYTES))
    if count == size and size > 2 and line.count(line[:1]) == size and line[:1] not in b"{}[]();":
        return _NEUTRAL  # the line below a heading
    if count and _MAY_BE_MARKED.search(line):
        line = _MARKED.sub(b" ", line).strip()
        count = len(line) - len(line.translate(None, _CODE_BYTES))
        if not line:
            return _NEUTRAL
    if _COMMENT.match(line) and not line.startswith((b'"""', b"'''")):
        if line[:1] == b"#" and _STRONG.match(line):
            return _STRONG_CODE
        if line[:2] != b"* " or b" " not in line[2:].strip():
            return _COMMENTED
    if line[:1] == b"|" or _TEX.search(line):
        return _PROSE
    words = line.count(b" ") + 1
    if bullet := _BULLET.match(line):
        rest = line[bullet.end() :]
        return _WEAK_CODE if count >= 4 and count > 0.12 * len(rest) else _PROSE
    end = line[-1]
    if end in b"{}":
        return _STRONG_CODE
    if line[:1] == b"<" and _TAG.match(line):
        return _WEAK_CODE  # a page is text, but JSX stands amid code
    if end == 58 and _OPENS_BLOCK.match(line):  # a colon
        return _STRONG_CODE if count or words < 5 else _WEAK_CODE
    if line.endswith((b" do", b" then", b";do", b";then")) and _OPENS_SHELL_BLOCK.match(line):
        return _STRONG_CODE
    if not count and words > 7:
        return _PROSE
    if _STRONG.match(line) or (end in b");,([:" and _CALL.match(line)):
        return _STRONG_CODE if count or words < 6 else _WEAK_CODE
    if not count:
        if _WEAK.match(line) or (b"_" in line and _IDENTIFIER.search(line)):
            return _WEAK_CODE
        return _PROSE if words > 3 or line[-1] in b".?!" or line[0] > 127 else _NEUTRAL
    if count > 0.12 * size and count > 2:
        return _STRONG_CODE
    if _OPERATOR.search(line):
        return _STRONG_CODE if count > 0.04 * size else _WEAK_CODE
    if end == 59 and (count > line.count(b";") or words < 4):
        return _WEAK_CODE if words > 6 else _STRONG_CODE
    if _WEAK.match(line) or _IDENTIFIER.search(line):
        return _WEAK_CODE if words < 12 else _PROSE
    return _PROSE if words > 3 else _NEUTRAL


@dataclass(frozen=True, slots=True)
class CodeRun:
    """A stretch of lines, half open in bytes; quoted if most have ``> `` before them."""

    start: int
    end: int
    is_quoted: bool


@dataclass(slots=True)
class _Growing:
    """A run that may go on: its first byte, the end of its last line of code, and the evidence."""

    start: int
    end: int
    score: int = 0
    strong: int = 0
    quoted: int = 0
    gap: int = 0  # lines since the last line of code

    def add(self, kind: int, end: int, is_quoted: bool, is_enough: bool) -> None:
        self.end, self.gap = end, 0
        self.score += _ENOUGH if is_enough else 2 if kind == _STRONG_CODE else 1
        self.strong += kind == _STRONG_CODE
        self.quoted += is_quoted

    def is_code(self) -> bool:
        return self.strong > 0 and self.score >= (_ENOUGH if self.strong == 1 else 4)


_ENOUGH = 100


def code_runs(text: bytes) -> list[CodeRun]:
    """The runs of lines of a text that look like code; one of all of it if there is no prose."""
    if len(text) - len(text.translate(None, _CODE_BYTES)) < 2:
        return []  # prose, most often
    runs: list[CodeRun] = []
    strings = _Strings(text)
    run: _Growing | None = None
    has_prose = False
    lead = -1  # the first of the comments and short lines that a run beginning now takes with it
    at = stop = 0

    for line in text.split(b"\n"):
        at, stop = stop, stop + len(line) + 1
        bare = line.strip()
        if at < strings.end:
            if run:
                run.end = stop
            continue
        if not bare:
            lead = -1
            continue
        is_quoted = bare[0] == 62 and bare[:4] != b">>> "
        if is_quoted and (quote := QUOTE.match(bare)):
            bare = bare[quote.end() :].strip()
        kind = _kind(bare)
        if kind >= _WEAK_CODE:
            if not run and (kind == _STRONG_CODE or line[0] in b" \t"):
                run = _Growing(lead if lead >= 0 else at, stop)
            elif lead < 0:
                lead = at
            if run:
                is_enough = kind == _STRONG_CODE and len(bare) >= 80 and _is_dense(bare)
                run.add(kind, stop, is_quoted, is_enough)
        elif not run:
            has_prose = has_prose or kind == _PROSE
            lead = -1 if kind == _PROSE else at if lead < 0 and kind == _COMMENTED else lead
        else:
            run.gap += 1
            is_indented = line[0] in b" \t"
            if run.end == at and (kind == _COMMENTED or (kind == _NEUTRAL and is_indented)):
                run.end = stop
            is_prose = kind == _PROSE and not is_indented
            if is_prose or run.gap > _MAX_GAP_LINES:
                has_prose = has_prose or is_prose
                if run.is_code():
                    runs.append(CodeRun(run.start, run.end, 2 * run.quoted > run.strong))
                run, lead = None, -1
        if run or kind == _COMMENTED:
            strings.open(line, stop)
    if run and run.is_code():
        runs.append(CodeRun(run.start, min(run.end, len(text)), 2 * run.quoted > run.strong))
    if runs and not has_prose:
        return [CodeRun(0, len(text), any(run.is_quoted for run in runs))]
    return runs


class _Strings:
    """The strings and comments that reach over several lines: a line inside one is not judged."""

    def __init__(self, text: bytes) -> None:
        self.end = 0  # of the last one opened
        self._text = text
        self._searched: dict[bytes, int] = {}  # no end of such a string begins before

    def open(self, line: bytes, stop: int) -> None:
        """Take note of one that the line before ``stop`` leaves open, if it has an end nearby."""
        for opening, closing in _LONG:
            last = line.rfind(opening)
            if last < 0 or closing in line[last + len(opening) :]:
                continue
            if opening == closing and line.count(opening) % 2 == 0:
                continue
            limit = stop + _MAX_STRING_BYTES
            start = max(stop - 1, self._searched.get(closing, 0))
            end = self._text.find(closing, start, limit)
            if end >= 0:
                self.end = end + len(closing)
                return
            self._searched[closing] = limit - len(closing) + 1


_LONG = ((b'"""', b'"""'), (b"'''", b"'''"), (b"/*", b"*/"))


def _is_dense(line: bytes) -> bool:
    count = len(line) - len(line.translate(None, _CODE_BYTES))
    return count >= 8 and count > 0.08 * len(line)
