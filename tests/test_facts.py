"""Lists of facts, and the forms in which they are written down."""

import json

import pytest

from dedup.facts import Facts, facts, written

FRUIT = Facts("fruit", ("code", "name"), [("PE", "Pear"), ("AP", "Apple"), ("QU", "Queen's plum")])


def test_facts_are_written_in_each_form_by_source_and_by_name() -> None:
    forms = dict(written(FRUIT))
    assert forms["name"] == "Pear\nApple\nQueen's plum\n"
    assert forms["name, by name"] == "Apple\nPear\nQueen's plum\n"
    assert forms["numbered"].splitlines()[1] == "2. Apple"
    assert forms["code name"].splitlines()[0] == "PE\tPear"
    assert forms["name code"].splitlines()[0] == "Pear\tPE"
    assert forms["code, options"].splitlines()[0] == '<option value="PE">Pear</option>'
    assert json.loads(forms["records"].splitlines()[2]) == {"code": "QU", "name": "Queen's plum"}
    last = "INSERT INTO fruit (code, name) VALUES ('QU', 'Queen''s plum');"
    assert forms["inserts"].splitlines()[2] == last


def test_a_list_in_order_of_names_is_written_once() -> None:
    rows = [("AP", "Apple"), ("PE", "Pear")]
    assert not any("by name" in form for form, _ in written(FRUIT._replace(rows=rows)))


def test_a_plain_list_is_codes_and_names() -> None:
    forms = {form for form, _ in written(FRUIT._replace(is_plain=True)) if "by" not in form}
    assert forms == {"code", "name", "code name", "name code"}


def test_every_list_has_rows_of_its_fields() -> None:
    for table in facts():
        assert table.rows, table.name
        assert {len(row) for row in table.rows} == {len(table.fields)}, table.name


def test_standard_library_is_enough_for_many_lists() -> None:
    lists = {table.name: table for table in facts()}
    assert ("404", "Not Found") in lists["statuses"].rows
    assert next(row[:2] for row in lists["errors"].rows if row[0] == "2") == ("2", "ENOENT")
    assert next(row[2:4] for row in lists["iso8859_1"].rows if row[1] == str(0xE9)) == (
        "E9",
        "\u00e9",
    )
    assert len(lists["calendar"].rows) == 48 * (12 + 12 + 7 + 7)


def test_countries_are_known_by_each_code() -> None:
    pytest.importorskip("pycountry")
    lists = {table.name: table for table in facts()}
    assert ("AD", "AND", "020", "Andorra") in lists["countries"].rows
    assert ("US-TX", "TX", "Texas") in lists["subdivisions of US"].rows
