"""What to do about matches: a Policy turns them into a Verdict. Pure data and a pure function.

Each match is ruled on by the first rule that fires on it; a match on which none fires is below
every threshold and leads to nothing. The verdict's action is the strongest of its rulings, in the
order allow < flag < redact < block. A rule whose action is ``allow`` exempts its matches, and the
verdict names it. A rule may ask how much all matches of a document that it is about come to: so
many short passages of one source are told from one. As TOML:

    name = "house"
    extends = "balanced"        # its rules come after the ones below

    [[rules]]
    name = "ours"
    action = "allow"
    owner = ["Acme*"]           # shell patterns, case ignored
"""

import json
import os
import string
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

from dedup.errors import Blocked
from dedup.match import Kind, Match, Span, View
from dedup.selection import fits

__all__ = ["STRENGTH", "Action", "Policy", "Rule", "Ruling", "Verdict", "exemption_of"]

Action = Literal["allow", "flag", "redact", "block"]
STRENGTH: Final[dict[Action, int]] = {
    action: strength for strength, action in enumerate(get_args(Action))
}

_SUPPRESSING: Final = ("redact", "block")

_SCHEMA_VERSION: Final = 1

_ON_ERROR: Final = "on_error"  # the rule a verdict names when the check itself failed
_PROMPT: Final = "prompt"  # and for a match that only repeats what the prompt supplied
_BACKGROUND: Final = "background"  # or that is found in what is permitted to all
_BASELINE: Final = "baseline"  # or that was found and accepted before
_OWN_NAMES: Final = (_ON_ERROR, _PROMPT, _BACKGROUND, _BASELINE)
_CHOICES: Final = {
    "action": get_args(Action),
    "views": get_args(View),
    "kinds": get_args(Kind),
    "on_error": ("block", "allow"),
}
# The conditions of a rule that are least values of what a match has, and those that are patterns.
_COUNTS: Final = ("min_run", "min_tokens", "min_distinct", "min_shared_names", "min_owners")
_LEAST: Final = (*_COUNTS, "min_identity", "min_containment")
_PATTERNS: Final = ("corpus", "licence", "owner", "language")
_NOTICE_FIELDS: Final = ("document", "corpus", "owner", "licence", "url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Conditions on a match, all of which must hold, and what to do then.

    Attributes
    ----------
    name : str
        What the verdict calls it; unique in a policy.
    action : {"allow", "flag", "redact", "block"}
        ``allow`` exempts the match from the rules below.
    views, kinds : tuple of str
        Those it applies to; empty for all.
    min_run, min_tokens : int
        Least longest-equal-run and least aligned length, in tokens of the view.
    min_distinct, min_shared_names, min_owners : int
        Least numbers of different things in common, and of owners: see ``Match``.
    min_identity, min_containment : float
        Least scores, in [0, 1].
    min_total_distinct : int
        Least sum of ``distinct`` over all matches of one document that meet the other conditions,
        and on which no rule before fired. What stands in two of them, here or there, counts once.
    corpus, licence, owner, language : tuple of str
        Shell patterns, one of which must fit the document, case ignored; empty for all. ``""``
        fits a document of which it is not known; a document without a language is prose.
    """

    name: str
    action: Action
    views: tuple[View, ...] = ()
    kinds: tuple[Kind, ...] = ()
    min_run: int = 0
    min_tokens: int = 0
    min_distinct: int = 0
    min_shared_names: int = 0
    min_owners: int = 0
    min_identity: float = 0.0
    min_containment: float = 0.0
    min_total_distinct: int = 0
    corpus: tuple[str, ...] = ()
    licence: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    language: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or self.name in _OWN_NAMES:
            raise ValueError(f"a rule needs a name of its own, got {self.name!r}")
        _check_choice("action", self.action, _CHOICES["action"])
        for key in ("views", "kinds"):
            for word in _tuple(self, key):
                _check_choice(key, word, _CHOICES[key])
        for key in _PATTERNS:
            _tuple(self, key)
        for key in (*_COUNTS, "min_total_distinct"):
            if getattr(self, key) < 0:
                raise ValueError(f"{key} is a count, got {getattr(self, key)}; 0 asks for none")
        for key in ("min_identity", "min_containment"):
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise ValueError(f"{key} is a fraction in [0, 1], got {getattr(self, key)}")

    def fires_on(self, match: Match, total: int | None = None) -> bool:
        """Whether every condition holds for the match.

        `total` is what all matches of its document come to, see ``totals``; if none is given, the
        match is all there is.
        """
        total = match.distinct if total is None else total
        return total >= self.min_total_distinct and self.meets(match)

    def meets(self, match: Match) -> bool:
        """Whether every condition on the match by itself holds."""
        return (
            match.run >= self.min_run
            and match.tokens >= self.min_tokens
            and match.distinct >= self.min_distinct
            and match.shared_names >= self.min_shared_names
            and match.owners >= self.min_owners
            and match.identity >= self.min_identity
            and match.containment >= self.min_containment
            and (not self.kinds or match.kind in self.kinds)
            and self.is_about(match)
        )

    def totals(self, matches: Iterable[Match]) -> dict[str, int]:
        """What the matches that meet the conditions come to, of each document."""
        met: dict[str, list[Match]] = {}
        for match in matches:
            if self.meets(match):
                met.setdefault(match.document, []).append(match)
        return {document: _total(found) for document, found in met.items()}

    def misses(self, match: Match, total: int | None = None) -> list[str]:
        """What keeps it from firing, a condition each: ``run 10, min_run 24``; none if it fires."""
        missed = []
        for key in _LEAST:
            least, value = getattr(self, key), getattr(match, key.removeprefix("min_"))
            if value < least:
                told = f"{value:.3g}" if isinstance(value, float) else value
                missed.append(f"{key.removeprefix('min_')} {told}, {key} {least}")
        if self.kinds and match.kind not in self.kinds:
            missed.append(f"kind {match.kind}, kinds {', '.join(self.kinds)}")
        if self.views and match.view not in self.views:
            missed.append(f"view {match.view}, views {', '.join(self.views)}")
        for key in _PATTERNS:
            value, patterns = getattr(match, key), getattr(self, key)
            if patterns and not fits(value, patterns):
                missed.append(f"{key} {value!r}, {key} {', '.join(map(repr, patterns))}")
        total = match.distinct if total is None else total
        if not missed and total < self.min_total_distinct:
            missed.append(f"total {total}, min_total_distinct {self.min_total_distinct}")
        return missed

    def is_about(self, match: Match) -> bool:
        """Whether what will not change while a match grows fits: its view and its document."""
        return (
            (not self.views or match.view in self.views)
            and (not self.corpus or fits(match.corpus, self.corpus))
            and (not self.licence or fits(match.licence, self.licence))
            and (not self.owner or fits(match.owner, self.owner))
            and (not self.language or fits(match.language, self.language))
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """A match, the name of the rule that fired on it, and that rule's action."""

    match: Match
    rule: str
    action: Action


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a policy about one query, with all that led to it.

    Attributes
    ----------
    action : {"allow", "flag", "redact", "block"}
        The strongest of the rulings; ``allow`` if there is none.
    rule : str or None
        The rule that decided; None if no match came near any rule.
    text : str
        Safe to show: the query as it was (allow, flag), with notices in place of its spans
        (redact), or the notice alone (block).
    index_generation : int
        The state of the index that was asked.
    rulings : tuple of Ruling
        Matches that count, each with its rule and action, in the order of the index.
    exempted : tuple of Ruling
        Matches that an ``allow`` rule took out, each with that rule, or ``prompt`` for those that
        repeat the prompt, ``background`` for those that the background has too, ``baseline`` for
        those that were accepted before.
    error : str
        Why the check could not be made, if the policy's ``on_error`` decided; else empty.
    """

    action: Action
    rule: str | None
    text: str
    index_generation: int
    rulings: tuple[Ruling, ...] = ()
    exempted: tuple[Ruling, ...] = ()
    error: str = ""

    @property
    def matches(self) -> tuple[Match, ...]:
        """The matches that count: those of ``rulings``."""
        return tuple(ruling.match for ruling in self.rulings)

    def raise_if_blocked(self) -> None:
        """Raise Blocked, with the rule and the document, if the action is ``block``."""
        if self.action != "block":
            return
        if self.error:
            raise Blocked(f"blocked, as the check could not be made: {self.error}")
        ruling = next(ruling for ruling in self.rulings if ruling.action == "block")
        match = ruling.match
        raise Blocked(
            f"blocked by rule {ruling.rule}: bytes {match.query_span.start}-{match.query_span.end} "
            f"match {match.document} ({match.tokens} tokens, identity {match.identity:.2f}); "
            "show verdict.text instead"
        )

    def to_dict(self, name: str | None = None) -> dict[str, Any]:
        """Plain JSON types, schema 1; ``name`` says what the query is called.

        ``error`` is there only if the check could not be made.
        """
        return {
            "schema_version": _SCHEMA_VERSION,
            "input": name,
            "action": self.action,
            "rule": self.rule,
            "text": self.text,
            "index_generation": self.index_generation,
            "matches": [_ruling_dict(ruling) for ruling in self.rulings],
            "exempted": [_ruling_dict(ruling) for ruling in self.exempted],
            **({"error": self.error} if self.error else {}),
        }


class _Limits(NamedTuple):
    """The numbers of a built-in profile: words of ``text``, lexemes of ``code``, nodes of ``ast``.

    Lexemes are those of ``csrc/lex.h``, which counts no brackets, separators and dots: 50 are about
    65 of those that others count.
    """

    block_run: int
    block_tokens: int
    block_containment: float
    block_identity: float
    block_distinct: int
    edited_distinct: int
    total_distinct: int
    flag_tokens: int
    flag_distinct: int
    code_words_containment: float
    code_words_distinct: int
    code_run: int
    code_distinct: int
    code_shape: int
    code_names: int
    code_flag: int


_PROFILES: Final = {
    # For text that must not come back at all, at the price of stock phrases being stopped.
    "strict": _Limits(
        block_run=12,  # the shortest run that the default scheme promises to find
        block_tokens=24,  # two such runs: below it a few shared words make a high score
        block_containment=0.5,
        block_identity=0.4,  # a match by its least score: four words in ten
        block_distinct=6,
        edited_distinct=6,
        total_distinct=30,  # 3 of the benign texts said of below, generated JSON and SQL
        flag_tokens=8,  # what the scheme `sensitive` promises; shorter runs are everyday language
        flag_distinct=4,
        code_words_containment=0.5,
        code_words_distinct=16,
        code_run=30,  # about a short function
        code_distinct=22,
        code_shape=32,  # one more than the most below
        code_names=3,
        code_flag=12,  # the least that is a match at all
    ),
    # The default. Made for false blocks on fewer than one unrelated text in ten thousand.
    "balanced": _Limits(
        block_run=24,  # two lines of print; unrelated prose shares formulas, never so much
        block_tokens=30,  # above it 0 of 2,553 unrelated outputs matched (benchmarks/recall.py)
        block_containment=0.6,  # of the weight in rare words, which is what paraphrase replaces
        block_identity=0.5,  # recall is promised for up to 30 % of words replaced; this is beyond
        block_distinct=12,  # tables of numbers have fewer, sentences of 30 words over 20
        # What agrees in form alone, as generated JSON and lists of errors do, repeats its words.
        # With 12 instead 1,335 of 3,000 pieces of the one and 54 of 3,000 manual pages were blocked
        # for it, now 634 and 28; with 22 it were 403 and 26, but of edited passages of 40 words 70
        # instead of 73 in 100 (74.6 with 12; from 60 words on there is no difference to 12).
        edited_distinct=20,
        # Five passages of twelve words have about 50, and four 40. Blocked for it alone: none of
        # 19,728 benign texts, nor of 708 of twenty such texts each; with 36 one, with 28 five.
        total_distinct=40,
        flag_tokens=12,  # the shortest run that the default scheme promises to find
        flag_distinct=8,
        # A third of the words of any two functions are the same keywords and names. Of 5,499
        # unrelated functions none but copies had more than 20 different ones in common at this.
        code_words_containment=0.55,
        code_words_distinct=22,
        # Of 2,499 functions unrelated to an index of 300 MB of Python none had over 31 shingles in
        # common with it, nor over 25 together with four names, but for copies.
        code_run=40,
        code_distinct=28,
        code_shape=40,
        code_names=4,
        code_flag=20,
    ),
    # For texts that may quote: a paragraph passes, a page does not.
    "lenient": _Limits(
        block_run=60,  # a long quotation by the custom of most style manuals
        block_tokens=100,
        block_containment=0.8,
        block_identity=0.7,
        block_distinct=40,
        edited_distinct=40,
        total_distinct=100,  # a page
        flag_tokens=24,  # what `balanced` blocks
        flag_distinct=12,
        code_words_containment=0.8,
        code_words_distinct=60,
        code_run=100,  # two functions of the size above
        code_distinct=60,
        code_shape=90,
        code_names=6,
        code_flag=36,
    ),
}


# What is copied in pieces agrees closely; what is alike in form has some words here and there.
_TOTAL_RUN: Final = 6
_TOTAL_IDENTITY: Final = 0.7

# Independent ones: forks and copies of one owner count once.
_COMMON_OWNERS: Final = 5


def _profile_rules(limits: _Limits) -> tuple[Rule, ...]:
    code: tuple[View, ...] = ("code", "ast")
    return (
        Rule(
            name="text-run",
            action="block",
            views=("text",),
            min_run=limits.block_run,
            min_distinct=limits.block_distinct,
        ),
        Rule(
            name="text-containment",
            action="block",
            views=("text",),
            language=("",),
            min_tokens=limits.block_tokens,
            min_containment=limits.block_containment,
            min_distinct=limits.edited_distinct,
        ),
        Rule(
            name="text-identity",
            action="block",
            views=("text",),
            language=("",),
            min_tokens=limits.block_tokens,
            min_identity=limits.block_identity,
            min_distinct=limits.edited_distinct,
        ),
        Rule(
            name="text-of-code",
            action="block",
            views=("text",),
            min_tokens=limits.block_tokens,
            min_containment=limits.code_words_containment,
            min_distinct=limits.code_words_distinct,
        ),
        Rule(
            name="code-shape",
            action="block",
            views=code,
            min_distinct=limits.code_shape,
            min_containment=0.6,
        ),
        # What is shorter than that and five owners have is an idiom.
        Rule(
            name="code-common",
            action="flag",
            views=code,
            min_distinct=limits.code_flag,
            min_owners=_COMMON_OWNERS,
        ),
        Rule(
            name="code-run",
            action="block",
            views=code,
            kinds=("verbatim", "near"),
            min_run=limits.code_run,
            min_distinct=limits.code_distinct,
        ),
        # Short normalised code collides by chance, so less than a run needs a second signal: names
        # and literals in common that are not everybody's, or more shape than chance gives.
        Rule(
            name="code-copy",
            action="block",
            views=code,
            min_distinct=limits.code_distinct,
            min_containment=0.5,
            min_shared_names=limits.code_names,
        ),
        # Short passages of one document that are much together. Blocked for it alone: as said of
        # `total_distinct`, and none by names and literals, while with one name less 3 were.
        Rule(
            name="text-total",
            action="block",
            views=("text",),
            min_run=_TOTAL_RUN,
            min_identity=_TOTAL_IDENTITY,
            min_distinct=limits.flag_distinct,
            min_total_distinct=limits.total_distinct,
        ),
        Rule(
            name="code-total",
            action="block",
            views=code,
            min_containment=0.5,
            min_shared_names=limits.code_names - 1,
            min_total_distinct=limits.code_shape,
        ),
        Rule(
            name="text-short",
            action="flag",
            views=("text",),
            min_tokens=limits.flag_tokens,
            min_distinct=limits.flag_distinct,
        ),
        Rule(name="code-short", action="flag", views=code, min_distinct=limits.code_flag),
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in order, and the words that stand for what is withheld.

    Attributes
    ----------
    name : str
        For people; not part of a verdict.
    rules : tuple of Rule
        The first that fires on a match rules on it.
    notice : str
        Stands for a redacted passage; ``{document}``, ``{corpus}``, ``{owner}``, ``{licence}`` and
        ``{url}`` become those of its best match.
    block_notice : str
        Stands for a blocked text; same fields, empty when ``on_error`` blocks.
    on_error : {"block", "allow"}
        The action when the check itself fails.
    """

    name: str
    rules: tuple[Rule, ...]
    notice: str = "[passage withheld: matches {document}]"
    block_notice: str = "[withheld: this text reproduces protected material]"
    on_error: Literal["block", "allow"] = "block"

    def __post_init__(self) -> None:
        if not self.rules:
            raise ValueError(
                f"policy {self.name!r} has no rules and would allow everything; "
                'add a rule or extend a profile, as in: extends = "balanced"'
            )
        seen: set[str] = set()
        for rule in self.rules:
            if rule.name in seen:
                raise ValueError(
                    f"policy {self.name!r} has two rules named {rule.name!r}; rename one"
                )
            seen.add(rule.name)
        _check_choice("on_error", self.on_error, _CHOICES["on_error"])
        _check_notice("notice", self.notice)
        _check_notice("block_notice", self.block_notice)

    @classmethod
    def strict(cls) -> "Policy":
        """Blocks from a line of print on; stock phrases may be stopped."""
        return cls("strict", _profile_rules(_PROFILES["strict"]))

    @classmethod
    def balanced(cls) -> "Policy":
        """The default: blocks copies of two lines or two edited sentences, flags one line."""
        return cls("balanced", _profile_rules(_PROFILES["balanced"]))

    @classmethod
    def lenient(cls) -> "Policy":
        """Lets quotations pass, flagged; blocks from about half a page on."""
        return cls("lenient", _profile_rules(_PROFILES["lenient"]))

    @classmethod
    def load(cls, source: str | os.PathLike[str]) -> "Policy":
        """A built-in profile by its name, or the policy in a TOML file.

        Raises
        ------
        ValueError
            If the file is no policy; the message has the file, the key and what is allowed there.
        OSError
            If the file cannot be read.
        """
        if source in _PROFILES:
            return cls(str(source), _profile_rules(_PROFILES[str(source)]))
        path = Path(source)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{path}: no such policy; give a TOML file or one of: {', '.join(_PROFILES)}"
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: byte {error.start}: not UTF-8; save it as UTF-8") from error
        return cls.from_toml(text, name=path.stem, where=str(path))

    @classmethod
    def from_toml(cls, text: str, *, name: str = "policy", where: str = "policy") -> "Policy":
        """The policy written in TOML; ``name`` unless it has one, ``where`` for messages.

        Raises
        ------
        ValueError
            If it is no TOML, or has a key, type or value that is not allowed there.
        """
        import msgspec  # here, so that `import dedup` stays quick

        try:
            data = tomllib.loads(text)
            extends = data.pop("extends", None)
            _check_table("", data, (*_keys(Policy), "extends"))
            rules = data.get("rules", [])
            if not isinstance(rules, list):
                raise ValueError("rules: expected tables, each headed [[rules]]")
            for number, rule in enumerate(rules):
                _check_table(f"rules[{number}].", rule, _keys(Rule))
            if extends is not None:
                _check_choice("extends", extends, _PROFILES)
                rules = [*rules, *map(asdict, _profile_rules(_PROFILES[extends]))]
            return msgspec.convert({"name": name, **data, "rules": rules}, cls)
        except ValueError as error:  # TOMLDecodeError and msgspec's are ValueErrors
            raise ValueError(f"{where}: {error}") from error

    def to_toml(self) -> str:
        """The policy written in TOML, whole: ``from_toml`` gives it back."""
        lines = [
            f"{name} = {_toml(getattr(self, name))}" for name in _keys(Policy) if name != "rules"
        ]
        for rule in self.rules:
            lines += ["", "[[rules]]"]
            lines += [
                f"{field.name} = {_toml(getattr(rule, field.name))}"
                for field in fields(Rule)
                if getattr(rule, field.name) != field.default
            ]
        return "".join(line + "\n" for line in lines)

    def judge(
        self,
        query: str,
        matches: Sequence[Match],
        *,
        beside: Sequence[Match] = (),
        index_generation: int = 0,
    ) -> Verdict:
        """The verdict on a query in which these matches were found.

        Pure: the same arguments give the same verdict. Matches come best first for each passage;
        their order is kept. Those `beside` were found in what goes with the query, with spans that
        lie beyond it: they count in totals, and that is all.
        """
        if not matches:  # so it is with nearly all documents of a scan
            return Verdict("allow", None, query, index_generation)
        rulings: list[Ruling] = []
        exempted: list[Ruling] = []
        for match, rule in zip(matches, self.rules_on(matches, beside), strict=True):
            if exemption := exemption_of(match):
                exempted.append(Ruling(match, exemption, "allow"))
            elif rule is not None:
                kept = exempted if rule.action == "allow" else rulings
                kept.append(Ruling(match, rule.name, rule.action))
        return self._verdict(query, rulings, exempted, index_generation)

    def rules_on(self, matches: Sequence[Match], beside: Sequence[Match] = ()) -> list[Rule | None]:
        """Of each match the rule that fires on it; None if none does, or it is exempt."""
        fired: list[Rule | None] = [None] * len(matches)
        for rule, left, totals in self.rounds([*matches, *beside]):
            for at, match in left.items():
                if at < len(matches) and rule.fires_on(match, totals.get(match.document)):
                    fired[at] = rule
        return fired

    def rounds(
        self, matches: Sequence[Match]
    ) -> Iterator[tuple[Rule, dict[int, Match], dict[str, int]]]:
        """The rules in order, each with the matches no rule before fired on, and their totals.

        Matches are told by their place. There are totals only if the rule asks for them.
        """
        left = {at: match for at, match in enumerate(matches) if not exemption_of(match)}
        for rule in self.rules:
            if not left:
                return
            totals = rule.totals(left.values()) if rule.min_total_distinct else {}
            yield rule, left, totals
            left = {
                at: match
                for at, match in left.items()
                if not rule.fires_on(match, totals.get(match.document))
            }

    def accept(self, query: str, verdict: Verdict, is_known: Sequence[bool]) -> Verdict:
        """The verdict without those of its rulings that were accepted before.

        They are exempted under the rule ``baseline``; what is left decides. `is_known` has a value
        for each ruling.
        """
        if not any(is_known):
            return verdict
        exempted = list(verdict.exempted)
        left: list[Match] = []
        for ruling, known in zip(verdict.rulings, is_known, strict=True):
            if known:
                exempted.append(Ruling(ruling.match, _BASELINE, "allow"))
            else:
                left.append(ruling.match)
        judged = self.judge(query, left)  # anew, as totals are less now
        return self._verdict(
            query, list(judged.rulings), [*exempted, *judged.exempted], verdict.index_generation
        )

    def share(self, query: str, verdict: Verdict, start: int) -> Verdict:
        """Of a verdict the part that is about a part of the text: `query`, from byte `start` on."""
        end = start + len(query.encode())

        def inside(rulings: Iterable[Ruling]) -> list[Ruling]:
            return [
                replace(ruling, match=replace(ruling.match, query_span=Span(low, high)))
                for ruling in rulings
                if (low := max(0, ruling.match.query_span.start - start))
                < (high := min(end, ruling.match.query_span.end) - start)
            ]

        return self._verdict(
            query, inside(verdict.rulings), inside(verdict.exempted), verdict.index_generation
        )

    def _verdict(
        self, query: str, rulings: list[Ruling], exempted: list[Ruling], index_generation: int
    ) -> Verdict:
        strongest = max(
            rulings or exempted, key=lambda ruling: STRENGTH[ruling.action], default=None
        )
        action: Action = strongest.action if strongest else "allow"
        text = query
        if action == "redact":
            text = self._redact(query, rulings)
        elif action == "block" and strongest:
            text = _fill(self.block_notice, strongest.match)
        return Verdict(
            action=action,
            rule=strongest.rule if strongest else None,
            text=text,
            index_generation=index_generation,
            rulings=tuple(rulings),
            exempted=tuple(exempted),
        )

    def may_suppress(self, match: Match) -> bool:
        """Whether a rule redacts or blocks the match, or could if there were more like it."""
        if match.supplied or match.background:
            return False
        for rule in self.rules:
            if rule.action in _SUPPRESSING and rule.is_about(match):
                return True
            if rule.fires_on(match):
                return False
        return False

    def redactions(self, rulings: Iterable[Ruling]) -> list[tuple[Span, str]]:
        """What stands for the passages to be redacted, in order: disjoint spans and notices."""
        matches = [ruling.match for ruling in rulings if ruling.action == "redact"]
        return [(span, _fill(self.notice, match)) for span, match in _unions(matches)]

    def without(self, query: str, rulings: Iterable[Ruling]) -> str:
        """The query with the notice in place of every passage that is redacted or blocked."""
        suppressed = (ruling for ruling in rulings if ruling.action in _SUPPRESSING)
        return self._redact(query, (replace(ruling, action="redact") for ruling in suppressed))

    def judge_error(
        self, query: str, error: BaseException, *, index_generation: int = 0
    ) -> Verdict:
        """The verdict on a query that could not be checked: what ``on_error`` says."""
        return Verdict(
            action=self.on_error,
            rule=_ON_ERROR,
            text=query if self.on_error == "allow" else _fill(self.block_notice, None),
            index_generation=index_generation,
            error=f"{type(error).__name__}: {error}",
        )

    def _redact(self, query: str, rulings: Iterable[Ruling]) -> str:
        """The query with a notice in place of each union of overlapping spans."""
        data = query.encode()
        pieces: list[bytes] = []
        shown = 0  # bytes of the query already shown or withheld
        for span, notice in self.redactions(rulings):
            pieces += (data[shown : span.start], notice.encode())
            shown = span.end
        pieces.append(data[shown:])
        return b"".join(pieces).decode()


def _unions(matches: Iterable[Match]) -> list[tuple[Span, Match]]:
    """Disjoint unions of overlapping query spans in order, each with the best match in it."""
    unions: list[tuple[Span, int, Match]] = []
    ranked = sorted(enumerate(matches), key=lambda item: item[1].query_span)
    for rank, match in ranked:
        span = match.query_span
        if unions and span.start < unions[-1][0].end:
            before, best_rank, best = unions.pop()
            span = Span(before.start, max(before.end, span.end))
            if best_rank < rank:
                rank, match = best_rank, best
        unions.append((span, rank, match))
    return [(span, match) for span, _, match in unions]


def _total(matches: Sequence[Match]) -> int:
    """The different words or shingles of all matches of a document, by what they cover.

    The lesser of what the union of the passages has in the query, and in the document: who quotes
    one line ten times gives away no more than that line.
    """
    return min(
        _covered((match.query_span, match.distinct) for match in matches),
        _covered((match.document_span, match.distinct) for match in matches),
    )


def _covered(spans: Iterable[tuple[Span, int]]) -> int:
    """Of spans with so much in each: how much the union has, if it is evenly spread in them."""
    covered, covered_to = 0.0, 0
    for span, much in sorted(spans):
        new = span.end - max(span.start, covered_to)
        if new > 0:
            covered += much * new / (span.end - span.start)
            covered_to = span.end
    return round(covered)


def exemption_of(match: Match) -> str:
    """What exempts the match from all rules: ``prompt``, ``background``; empty if nothing does."""
    return _PROMPT if match.supplied else _BACKGROUND if match.background else ""


def _fill(notice: str, match: Match | None) -> str:
    return notice.format_map({key: getattr(match, key, "") for key in _NOTICE_FIELDS})


def _check_notice(key: str, notice: str) -> None:
    try:
        parts = list(string.Formatter().parse(notice))
    except ValueError as error:
        raise ValueError(f"{key}: {error}; write {{{{ and }}}} for braces: {notice!r}") from error
    for _, field, form, conversion in parts:
        if field is not None and (field not in _NOTICE_FIELDS or form or conversion):
            allowed = ", ".join(f"{{{known}}}" for known in _NOTICE_FIELDS)
            raise ValueError(f"{key}: unknown field in {notice!r}; allowed: {allowed}")


def _check_choice(key: str, value: object, choices: Iterable[str]) -> None:
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"{key}: got {value!r}; allowed: {', '.join(choices)}")


def _check_table(where: str, data: object, allowed: Sequence[str]) -> None:
    """Refuse unknown keys and words, naming those allowed; types are left to msgspec."""
    for key, value in data.items() if isinstance(data, dict) else ():
        if key not in allowed:
            raise ValueError(f"{where}{key}: unknown key; allowed: {', '.join(allowed)}")
        for word in value if isinstance(value, list) else [value]:
            if key in _CHOICES and isinstance(word, str):
                _check_choice(where + key, word, _CHOICES[key])


def _toml(value: object) -> str:
    """A string, a number or a tuple of strings, as JSON has it and TOML too, save for DEL."""
    plain = list(value) if isinstance(value, tuple) else value
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _keys(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _tuple(rule: Rule, key: str) -> tuple[str, ...]:
    value: object = getattr(rule, key)
    if not isinstance(value, tuple):
        raise ValueError(f"{key}: expected a tuple of strings, got {value!r}")
    return value


def _ruling_dict(ruling: Ruling) -> dict[str, Any]:
    match = asdict(ruling.match)
    del match["supplied"], match["background"]  # told by the rule
    return match | {
        "query_span": list(ruling.match.query_span),
        "document_span": list(ruling.match.document_span),
        "lines": list(ruling.match.lines),
        "undone": list(ruling.match.undone),
        "rule": ruling.rule,
        "action": ruling.action,
    }
