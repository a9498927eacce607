"""A policy is data; a verdict follows from it and the matches alone."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import match, texts, texts_with_matches

from dedup.errors import Blocked
from dedup.match import Match, Span
from dedup.policy import Policy, Rule, Verdict

STRENGTH = ["allow", "flag", "redact", "block"]


def policy(*rules: Rule, **options: str) -> Policy:
    return Policy("test", rules, **options)


def act(action: str, **conditions: object) -> Rule:
    return Rule(name=f"{action}-it", action=action, **conditions)


# ---- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "fits", "misses"),
    [
        ({"min_run": 24}, {"run": 24}, {"run": 23}),
        ({"min_tokens": 40}, {"tokens": 40}, {"tokens": 39}),
        ({"min_identity": 0.6}, {"identity": 0.6}, {"identity": 0.59}),
        ({"min_containment": 0.7}, {"containment": 0.7}, {"containment": 0.69}),
        ({"min_distinct": 12}, {"distinct": 12}, {"distinct": 11}),
        ({"min_total_distinct": 40}, {"distinct": 40}, {"distinct": 39}),
        ({"min_owners": 5}, {"owners": 5}, {"owners": 4}),
        ({"min_shared_names": 3}, {"shared_names": 3}, {"shared_names": 2}),
        ({"language": ("",)}, {"language": ""}, {"language": "python"}),
        ({"views": ("code", "ast")}, {"view": "ast"}, {"view": "text"}),
        ({"kinds": ("verbatim",)}, {"kind": "verbatim"}, {"kind": "near"}),
        ({"corpus": ("books-*", "x")}, {"corpus": "Books-PD"}, {"corpus": "old-books-pd"}),
        ({"licence": ("GPL-*",)}, {"licence": "gpl-3.0"}, {"licence": "LGPL-3.0"}),
        ({"owner": ("Jane*",)}, {"owner": "Jane Austen"}, {"owner": ""}),
        ({"owner": ("",)}, {"owner": ""}, {"owner": "Jane Austen"}),
        ({"min_run": 24, "min_tokens": 40}, {"run": 24, "tokens": 40}, {"run": 24, "tokens": 39}),
    ],
)
def test_rule_fires_if_every_condition_holds(
    conditions: dict[str, object], fits: dict[str, object], misses: dict[str, object]
) -> None:
    rule = act("block", **conditions)
    assert rule.fires_on(match(**fits))
    assert not rule.fires_on(match(**misses))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"action": "stop"}, "action: got 'stop'; allowed: allow, flag, redact, block"),
        ({"views": ("prose",)}, "views: got 'prose'; allowed: text, code, ast"),
        ({"kinds": ("exact",)}, "kinds: got 'exact'; allowed: verbatim, near, renamed"),
        ({"corpus": "books"}, "corpus: expected a tuple of strings, got 'books'"),
        ({"min_run": -1}, "min_run is a count, got -1"),
        ({"min_total_distinct": -1}, "min_total_distinct is a count, got -1"),
        ({"min_identity": 60}, r"min_identity is a fraction in \[0, 1\], got 60"),
        ({"name": ""}, "a rule needs a name of its own, got ''"),
        ({"name": "on_error"}, "a rule needs a name of its own, got 'on_error'"),
    ],
)
def test_impossible_rule_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rule(**({"name": "it", "action": "block"} | wrong))


def test_first_rule_that_fires_rules_on_the_match() -> None:
    rules = (act("flag", min_run=10), act("block", min_run=5))
    verdict = policy(*rules).judge("text", [match(run=20), match(run=7), match(run=3)])
    assert [(ruling.rule, ruling.action) for ruling in verdict.rulings] == [
        ("flag-it", "flag"),
        ("block-it", "block"),
    ]
    assert [found.run for found in verdict.matches] == [20, 7]


def test_action_is_the_strongest_and_names_its_rule() -> None:
    rules = (act("redact", owner=("b",)), act("block", owner=("c",)), act("flag"))
    owners = [match(owner=owner) for owner in "abcb"]
    verdict = policy(*rules).judge("text", owners)
    assert (verdict.action, verdict.rule) == ("block", "block-it")
    verdict = policy(*rules).judge("text", owners[:2])
    assert (verdict.action, verdict.rule) == ("redact", "redact-it")


def test_no_match_is_allowed_by_no_rule() -> None:
    verdict = Policy.balanced().judge("text", [], index_generation=7)
    assert verdict == Verdict(action="allow", rule=None, text="text", index_generation=7)


def test_exempted_match_is_named_and_does_not_count() -> None:
    rules = (act("allow", owner=("me",)), act("block"))
    mine, theirs = match(owner="Me"), match(owner="them")
    verdict = policy(*rules).judge("text", [mine])
    assert (verdict.action, verdict.rule, verdict.matches) == ("allow", "allow-it", ())
    assert [(ruling.match, ruling.rule) for ruling in verdict.exempted] == [(mine, "allow-it")]
    verdict = policy(*rules).judge("text", [mine, theirs])
    assert (verdict.action, verdict.rule, verdict.matches) == ("block", "block-it", (theirs,))
    assert len(verdict.exempted) == 1


@given(texts_with_matches())
def test_verdict_follows_from_its_rulings(drawn: tuple[str, list[Match]]) -> None:
    text, matches = drawn
    rules = (
        act("allow", owner=("Acme",)),
        act("block", min_run=60),
        act("redact", min_run=30),
        act("flag", min_run=10),
    )
    verdict = policy(*rules).judge(text, matches)
    actions = [ruling.action for ruling in verdict.rulings]
    assert verdict.action == max(actions, key=STRENGTH.index, default="allow")
    assert len(actions) + len(verdict.exempted) == sum(
        found.run >= 10 or found.owner == "Acme" for found in matches
    )
    assert verdict == policy(*rules).judge(text, matches)


# ---- totals --------------------------------------------------------------------------------------


def pieces(count: int, **changes: object) -> list[Match]:
    """Short passages of one document, each verbatim and elsewhere."""
    return [
        match(
            **{
                "query_span": Span(1000 * at, 1000 * at + 60),
                "document_span": Span(500 * at, 500 * at + 60),
                "tokens": 12,
                "run": 12,
                "distinct": 10,
                "kind": "verbatim",
                "identity": 1.0,
                "containment": 1.0,
            }
            | changes
        )
        for at in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "strict", "balanced", "lenient"),
    [(2, "block", "flag", "allow"), (4, "block", "block", "allow"), (9, "block", "block", "allow")],
)
def test_short_passages_of_one_document_add_up(
    count: int, strict: str, balanced: str, lenient: str
) -> None:
    profiles = (Policy.strict(), Policy.balanced(), Policy.lenient())
    assert [profile.judge("", pieces(count)).action for profile in profiles] == [
        strict,
        balanced,
        lenient,
    ]


def test_a_rule_of_totals_rules_on_every_passage_that_counts() -> None:
    verdict = Policy.balanced().judge("", [*pieces(4), *pieces(1, run=5)])
    assert [ruling.rule for ruling in verdict.rulings] == ["text-total"] * 4 + ["text-short"]


def test_passages_of_code_add_up_only_with_names_in_common() -> None:
    code = {"view": "code", "kind": "renamed", "distinct": 20, "owners": 1, "language": "c"}
    assert Policy.balanced().judge("", pieces(2, **code)).action == "flag"
    assert Policy.balanced().judge("", pieces(2, **code, shared_names=3)).rule == "code-total"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"document_span": Span(0, 60)}, "one line quoted again and again is one line"),
        ({"query_span": Span(0, 60)}, "what stands in a text once was copied once"),
        ({"supplied": True}, "the prompt held it"),
        ({"background": True}, "it is permitted to all"),
        ({"identity": 0.6}, "what agrees so little is alike by form"),
    ],
)
def test_what_does_not_add_up(changes: dict[str, object], why: str) -> None:
    assert Policy.balanced().judge("", pieces(9, **changes)).action != "block", why


def test_passages_of_different_documents_do_not_add_up() -> None:
    several = [pieces(9, document=f"d{at}")[at] for at in range(9)]
    assert Policy.balanced().judge("", several).action == "flag"


def test_what_an_earlier_rule_took_counts_no_more() -> None:
    rules = (act("allow", min_run=12), act("block", min_total_distinct=40))
    assert policy(*rules).judge("", [*pieces(3), *pieces(1, run=11)]).action == "allow"
    assert policy(rules[1]).judge("", [*pieces(3), *pieces(1, run=11)]).action == "allow"
    assert policy(rules[1]).judge("", pieces(4)).action == "block"


def test_what_was_found_beside_counts_and_is_not_ruled_on() -> None:
    here, there = pieces(4)[:1], pieces(4)[1:]
    verdict = Policy.balanced().judge("", here, beside=there)
    assert (verdict.action, verdict.matches) == ("block", tuple(here))
    assert Policy.balanced().judge("", [], beside=pieces(9)).action == "allow"


@given(texts_with_matches())
def test_a_total_is_no_more_than_its_parts_and_no_less_than_each(
    drawn: tuple[str, list[Match]],
) -> None:
    _, matches = drawn
    totals = act("flag").totals(matches)
    for document, total in totals.items():
        parts = [found.distinct for found in matches if found.document == document]
        assert min(parts) <= total + 1 and total <= sum(parts)
    assert totals == act("flag").totals(reversed(matches))


@given(texts_with_matches())
def test_the_shares_of_a_verdict_say_what_it_says(drawn: tuple[str, list[Match]]) -> None:
    text, matches = drawn
    redacting = policy(act("redact", owner=("Acme",)), act("flag"), notice="")
    whole = redacting.judge(text, matches)
    assert redacting.share(text, whole, 0) == whole
    at = len(text) // 2
    halves = [
        redacting.share(text[:at], whole, 0),
        redacting.share(text[at:], whole, len(text[:at].encode())),
    ]
    assert "".join(half.text for half in halves) == whole.text
    assert max((half.action for half in halves), key=STRENGTH.index) == whole.action


# ---- profiles ------------------------------------------------------------------------------------


B_B_F = ("block", "block", "flag")
B_F_F = ("block", "flag", "flag")


@pytest.mark.parametrize(
    ("found", "strict", "balanced", "lenient"),
    [
        ({"run": 7, "tokens": 7, "kind": "verbatim"}, "allow", "allow", "allow"),
        ({"run": 12, "tokens": 12, "kind": "verbatim"}, "block", "flag", "allow"),
        ({"run": 24, "tokens": 24, "kind": "verbatim"}, "block", "block", "flag"),
        ({"run": 60, "tokens": 60, "kind": "verbatim"}, "block", "block", "block"),
        ({"run": 5, "tokens": 60, "identity": 0.75}, "block", "block", "flag"),
        ({"run": 5, "tokens": 60, "identity": 0.4, "containment": 0.75}, "block", "block", "flag"),
        ({"run": 5, "tokens": 60, "identity": 0.3, "containment": 0.4}, "flag", "flag", "flag"),
        ({"run": 5, "tokens": 29, "identity": 0.9}, "block", "flag", "flag"),
        ({"run": 5, "tokens": 60, "identity": 0.9, "distinct": 7}, "block", "allow", "allow"),
        ({"run": 5, "tokens": 60, "language": "c", "containment": 0.54}, *B_F_F),
        ({"run": 5, "tokens": 60, "language": "c", "containment": 0.7, "distinct": 20}, *B_F_F),
        ({"run": 5, "tokens": 60, "language": "c", "identity": 0.9}, *["flag"] * 3),
        ({"view": "code", "run": 65, "distinct": 60, "kind": "verbatim"}, "block", "block", "flag"),
        ({"view": "code", "run": 99, "distinct": 27, "kind": "near"}, "block", "flag", "allow"),
        ({"view": "ast", "kind": "renamed", "distinct": 39, "containment": 0.9}, *B_F_F),
        (
            {
                "view": "ast",
                "kind": "renamed",
                "distinct": 39,
                "shared_names": 4,
                "containment": 0.9,
            },
            *B_B_F,
        ),
        ({"view": "code", "kind": "renamed", "distinct": 60, "containment": 0.9}, *B_B_F),
        ({"view": "code", "run": 65, "distinct": 38, "owners": 5}, "flag", "flag", "flag"),
        ({"view": "code", "run": 65, "distinct": 60, "owners": 5, "containment": 0.9}, *B_B_F),
    ],
)
def test_profiles_differ_in_where_they_draw_the_line(
    found: dict[str, object], strict: str, balanced: str, lenient: str
) -> None:
    profiles = (Policy.strict(), Policy.balanced(), Policy.lenient())
    given = [match(**({"identity": 0.4, "containment": 0.4} | found))]
    assert [profile.judge("text", given).action for profile in profiles] == [
        strict,
        balanced,
        lenient,
    ]


@given(texts_with_matches())
def test_stricter_profile_is_never_weaker(drawn: tuple[str, list[Match]]) -> None:
    text, matches = drawn
    strict, balanced, lenient = (
        STRENGTH.index(profile.judge(text, matches).action)
        for profile in (Policy.strict(), Policy.balanced(), Policy.lenient())
    )
    assert strict >= balanced >= lenient


# ---- what may be shown ---------------------------------------------------------------------------


def test_flagged_text_is_shown_as_it_was() -> None:
    text = "\ufeffas it was\r\n"
    assert policy(act("flag")).judge(text, [match()]).text == text


def test_blocked_text_is_replaced_by_the_notice() -> None:
    verdict = policy(act("block"), block_notice="[no {document}!]").judge("secret", [match()])
    assert verdict.text == "[no books/emma.txt!]"


def test_redacted_span_is_replaced_by_a_notice() -> None:
    text = "Über Emma Woodhouse, schön"
    span = Span(len("Über ".encode()), len("Über Emma Woodhouse".encode()))
    notice = "[{document}|{corpus}|{owner}|{licence}|{url}|{{}}]"
    verdict = policy(act("redact"), notice=notice).judge(text, [match(query_span=span)])
    assert verdict.text == ("Über [books/emma.txt|books|Jane Austen|PD|https://x/emma|{}], schön")


def test_overlapping_spans_share_the_notice_of_the_best_match() -> None:
    matches = [
        match(query_span=Span(4, 8), document="best"),
        match(query_span=Span(0, 5), document="early"),
        match(query_span=Span(7, 9), document="late"),
        match(query_span=Span(9, 10), document="touching"),
    ]
    verdict = policy(act("redact"), notice="<{document}>").judge("0123456789ab", matches)
    assert verdict.text == "<best><touching>ab"


def test_only_matches_to_redact_are_redacted() -> None:
    rules = (act("allow", owner=("me",)), act("redact", min_run=50), act("flag"))
    matches = [
        match(query_span=Span(0, 1), owner="me"),
        match(query_span=Span(2, 3)),
        match(query_span=Span(4, 5), run=3),
    ]
    assert policy(*rules, notice="_").judge("012345", matches).text == "01_345"


@given(texts_with_matches())
def test_redaction_withholds_every_span_and_nothing_else(drawn: tuple[str, list[Match]]) -> None:
    text, matches = drawn
    text = text.replace("\0", " ")
    verdict = policy(act("redact"), notice="\0").judge(text, matches)
    withheld = {byte for found in matches for byte in range(*found.query_span)}
    data = text.encode()
    kept = bytes(byte for at, byte in enumerate(data) if at not in withheld)
    assert verdict.text.replace("\0", "").encode() == kept
    assert verdict.text.count("\0") <= len(matches)
    assert ("\0" in verdict.text) == bool(matches)


@given(texts_with_matches(), st.data())
def test_accepted_rulings_are_exempted_and_the_rest_decides(
    drawn: tuple[str, list[Match]], data: st.DataObject
) -> None:
    query, matches = drawn
    policy = Policy("test", (act("redact", owner=("Acme",)), act("block")))
    verdict = policy.judge(query, matches, index_generation=3)
    known = [data.draw(st.booleans()) for _ in verdict.rulings]
    accepted = policy.accept(query, verdict, known)
    left = [one.match for one, is_known in zip(verdict.rulings, known, strict=True) if not is_known]
    alone = policy.judge(query, left, index_generation=3)
    assert accepted.rulings == alone.rulings
    assert (accepted.action, accepted.text) == (alone.action, alone.text)
    assert {ruling.rule for ruling in accepted.exempted} <= {"baseline"}
    assert len(accepted.exempted) == sum(known)


@pytest.mark.parametrize(
    "notice", ["{text}", "{}", "{0}", "{document.x}", "{document[0]}", "{document!r}", "{url:>9}"]
)
def test_notice_with_an_unknown_field_is_refused(notice: str) -> None:
    with pytest.raises(ValueError, match=r"notice: unknown field in .*; allowed: \{document\}, "):
        policy(act("block"), notice=notice)


def test_notice_with_a_lone_brace_is_refused() -> None:
    with pytest.raises(ValueError, match=r"block_notice: .* write \{\{ and \}\} for braces"):
        policy(act("block"), block_notice="{")


def test_only_a_blocked_verdict_raises() -> None:
    policy(act("redact")).judge("text", [match()]).raise_if_blocked()
    blocked = policy(act("flag", owner=("x",)), act("block")).judge(
        "text", [match(owner="x"), match(document="moby", tokens=57)]
    )
    with pytest.raises(Blocked, match=r"by rule block-it: bytes 0-4 match moby \(57 tokens, id"):
        blocked.raise_if_blocked()


def test_failed_check_blocks_unless_told_otherwise() -> None:
    verdict = Policy.balanced().judge_error("text", OSError("disk gone"), index_generation=3)
    assert (verdict.action, verdict.rule, verdict.index_generation) == ("block", "on_error", 3)
    assert "text" not in verdict.text.replace("this text", "")
    with pytest.raises(Blocked, match="could not be made: OSError: disk gone"):
        verdict.raise_if_blocked()
    verdict = policy(act("block"), on_error="allow").judge_error("text", OSError("disk gone"))
    assert (verdict.action, verdict.text, verdict.error) == ("allow", "text", "OSError: disk gone")


# ---- JSON ----------------------------------------------------------------------------------------


def test_json_has_the_keys_of_the_contract() -> None:
    rules = (act("allow", owner=("me",)), act("flag"))
    verdict = policy(*rules).judge("text", [match(), match(owner="me")], index_generation=2)
    data = json.loads(json.dumps(verdict.to_dict("out.txt")))
    assert list(data) == [
        "schema_version",
        "input",
        "action",
        "rule",
        "text",
        "index_generation",
        "matches",
        "exempted",
    ]
    assert data["schema_version"] == 1
    assert (data["input"], data["action"], data["rule"]) == ("out.txt", "flag", "flag-it")
    assert data["matches"] == [
        {
            "document": "books/emma.txt",
            "corpus": "books",
            "licence": "PD",
            "owner": "Jane Austen",
            "url": "https://x/emma",
            "view": "text",
            "kind": "near",
            "query_span": [0, 4],
            "document_span": [100, 104],
            "tokens": 200,
            "run": 150,
            "identity": 0.9,
            "containment": 0.95,
            "jaccard": 0.9,
            "sources": 1,
            "owners": 1,
            "language": "",
            "function": "",
            "lines": [0, 0],
            "distinct": 150,
            "shared_names": 0,
            "consistency": 1.0,
            "undone": [],
            "rule": "flag-it",
            "action": "flag",
        }
    ]
    assert [(item["owner"], item["rule"]) for item in data["exempted"]] == [("me", "allow-it")]


def test_json_has_the_error_if_there_was_one() -> None:
    verdict = Policy.balanced().judge_error("text", OSError("gone"))
    assert verdict.to_dict()["error"] == "OSError: gone"


@given(texts_with_matches())
def test_verdict_is_plain_json(drawn: tuple[str, list[Match]]) -> None:
    data = Policy.balanced().judge(*drawn).to_dict("name")
    assert json.loads(json.dumps(data)) == data == msgspec.json.decode(msgspec.json.encode(data))


# ---- TOML ----------------------------------------------------------------------------------------


def test_toml_gives_the_policy_it_says() -> None:
    assert Policy.from_toml(
        """
        name = "house"
        notice = "[{owner}]"
        block_notice = "no"
        on_error = "allow"
        [[rules]]
        name = "ours"
        action = "allow"
        owner = ["Acme*"]
        [[rules]]
        name = "long"
        action = "block"
        views = ["text", "code"]
        kinds = ["verbatim"]
        min_run = 24
        min_identity = 1
        """
    ) == Policy(
        "house",
        (
            Rule(name="ours", action="allow", owner=("Acme*",)),
            Rule(
                name="long",
                action="block",
                views=("text", "code"),
                kinds=("verbatim",),
                min_run=24,
                min_identity=1.0,
            ),
        ),
        notice="[{owner}]",
        block_notice="no",
        on_error="allow",
    )


def test_extended_profile_comes_after_the_rules_of_the_file() -> None:
    extended = Policy.from_toml('extends = "strict"\n[[rules]]\nname = "a"\naction = "allow"')
    assert extended.rules == (Rule(name="a", action="allow"), *Policy.strict().rules)
    assert Policy.from_toml('extends = "lenient"').rules == Policy.lenient().rules


RULE = '[[rules]]\nname = "a"\naction = "block"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a =", r"house\.toml: Invalid value \(at .*(line 1|end of document)"),
        ("colour = 1\n" + RULE, r"house\.toml: colour: unknown key; allowed: name, rules, notice,"),
        (RULE + RULE + "min_rum = 5", r"rules\[1\]\.min_rum: unknown key; allowed: name, action, "),
        (
            RULE + 'min_run = "5"',
            r"house\.toml: Expected `int`, got `str` - at `\$.rules\[0\].min_",
        ),
        (
            RULE + "min_identity = 5",
            r"min_identity is a fraction in \[0, 1\], got 5.* `\$.rules\[0\]`",
        ),
        (RULE + 'corpus = "books"', r"Expected `array`, got `str` - at `\$.rules\[0\].corpus`"),
        (RULE + 'views = ["txt"]', r"rules\[0\]\.views: got 'txt'; allowed: text, code, ast"),
        (
            '[[rules]]\nname = "a"\naction = "stop"',
            r"rules\[0\]\.action: got 'stop'; allowed: allow",
        ),
        ('[[rules]]\naction = "block"', r"missing required field `name` - at `\$.rules\[0\]`"),
        (RULE + RULE, "has two rules named 'a'; rename one"),
        ("", 'has no rules and would allow everything; .* extends = "balanced"'),
        ("rules = 1", r"house\.toml: rules: expected tables, each headed \[\[rules\]\]"),
        ("rules = [1]", r"Expected `object`, got `int` - at `\$.rules\[0\]`"),
        ('extends = "soft"', r"extends: got 'soft'; allowed: strict, balanced, lenient"),
        ("extends = ['a']", r"extends: got \['a'\]; allowed: strict"),
        ('on_error = "pass"\n' + RULE, "on_error: got 'pass'; allowed: block, allow"),
        ('notice = "{text}"\n' + RULE, "notice: unknown field"),
    ],
)
def test_wrong_policy_file_is_refused_with_file_key_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "house.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        Policy.load(path)
    assert str(raised.value).startswith(str(path) + ": ")


def test_load_takes_the_name_of_a_profile_or_a_file(tmp_path: Path) -> None:
    assert Policy.load("lenient") == Policy.lenient()
    path = tmp_path / "house.toml"
    path.write_text(RULE)
    assert Policy.load(path).name == "house"
    with pytest.raises(FileNotFoundError, match="soft: no such policy; give a TOML file or one of"):
        Policy.load("soft")
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ValueError, match=r"house\.toml: byte 8: not UTF-8"):
        Policy.load(path)


# ---- written out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["strict", "balanced", "lenient"])
def test_a_profile_written_as_toml_is_itself(name: str) -> None:
    profile = Policy.load(name)
    assert Policy.from_toml(profile.to_toml()) == profile


@given(texts, texts.filter(bool), texts)
def test_a_policy_written_as_toml_is_itself(name: str, rule: str, owner: str) -> None:
    written = policy(
        Rule(name=f"a {rule}", action="allow", owner=(owner, "x"), min_identity=0.25),
        act("block", views=("text",), min_run=3),
        notice=name.replace("{", "{{").replace("}", "}}"),
    )
    assert Policy.from_toml(written.to_toml()) == written
