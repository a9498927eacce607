"""The page: counted right, safe whatever texts hold, and worked in a real browser."""

import base64
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import WHY_NOT, browser, complaints, open_page, requests
from strategies import match

from dedup.document import Document
from dedup.index import Index
from dedup.match import Span
from dedup.originals import Originals
from dedup.policy import Ruling, Verdict
from dedup.reports.html import About, html_report
from dedup.scanning.row import Row, error_row, row_of

with_browser = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

ORIGINAL = "def area(width, height):\n    return width * height\n\nBOX = area(2, 3)\n"
COPY = "intro\n\ndef size(a, b):\n    return a * b\n\nBOX = size(2, 3)\n"
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    "</style></title>\"'&amp;\u202e\u2066\x1b[31m\x00\u200b"
)


def row(name: str, text: str, *rulings: Ruling) -> Row:
    strongest = max((ruling.action for ruling in rulings), key="flag redact block".index)
    verdict = Verdict(strongest, rulings[0].rule, text, 7, rulings)
    return row_of(name, text, len(text.encode()), verdict, excerpts=True)


def ruling(text: str, passage: str, action: str = "block", **changes: Any) -> Ruling:
    start = text.encode().index(passage.encode())
    span = Span(start, start + len(passage.encode()))
    return Ruling(match(query_span=span, **changes), f"rule-{action}", action)


def page(*rows: Row, **options: Any) -> str:
    return "".join(html_report(rows, **options))


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("</style>")[2]).split())


# ---- what it says --------------------------------------------------------------------------------


def test_page_counts_documents_findings_and_what_was_not_checked() -> None:
    one = row("a", "x y", ruling("x y", "x"), ruling("x y", "y", "flag", corpus="films"))
    html = page(one, error_row("b", "b: no such file"), about=About(index="books.idx"))
    said = text_of(html)
    assert "1 document of 1 checked holds passages of protected documents; 1 is blocked." in said
    assert "The check is incomplete: 1 document could not be checked." in said
    assert "2 findings: a finding is" in said
    assert "books.idx , generation 7" in said
    assert "books 1 0 0 1 films 0 0 1 1" in said
    assert "Not checked b: no such file" in said


def test_page_says_what_does_not_count_and_what_was_judged_by_less() -> None:
    exempt = Ruling(match(query_span=Span(0, 1)), "prompt", "allow")
    verdict = Verdict("allow", "prompt", "x", 1, (), (exempt,))
    said = text_of(page(row_of("a", "x", 1, verdict, "judged by words: 1 timeout")))
    assert "Not counted, as a rule allows them: 1 match by rule prompt ." in said
    assert "1 document with code that did not parse was judged by words and lexemes" in said


def test_page_of_nothing_says_so() -> None:
    clean = row_of("a", "x", 1, Verdict("allow", None, "x", 1))
    said = text_of(page(clean))
    assert "Nothing that counts was found in 1 document." in said
    assert "There are none." in said


def test_page_is_the_same_each_time_and_has_no_date_of_its_own() -> None:
    rows = [row("a", "x y", ruling("x y", "x"))]
    assert page(*rows) == page(*rows)
    assert "<dt>Date" not in page(*rows)
    assert "<dt>Date</dt><dd>1 May</dd>" in page(*rows, about=About(date="1 May"))


def test_of_many_findings_the_gravest_are_shown_and_all_are_counted() -> None:
    actions = ["flag"] * 1500 + ["block"] * 10
    rows = [row(f"n{n}", "x y", ruling("x y", "x", a)) for n, a in enumerate(actions)]
    html = page(*rows)
    assert "1,510 findings" in html
    assert "The 1,000 gravest are shown; 510 more are counted above" in html
    assert html.count("<details") == 1000
    assert html.count('data-action="block"') == 10
    assert html.index('data-action="block"') < html.index('data-action="flag"')


def test_no_text_becomes_markup() -> None:
    text = f"{HOSTILE} here\n{'z' * 1_000_000}"
    found = ruling(text, "here", document=HOSTILE, corpus=HOSTILE, licence=HOSTILE, owner=HOSTILE,
                   url="javascript:alert(1)", function=HOSTILE)  # fmt: skip
    html = page(row(HOSTILE, text, found), error_row(HOSTILE, HOSTILE),
                about=About(HOSTILE, HOSTILE, HOSTILE, HOSTILE))  # fmt: skip
    assert len(html) < 100_000
    assert html.count("<script") == 1 and "<img" not in html and "{{" in html
    assert not set(html) & set("\u202e\u2066\x1b\x00\u200b")
    assert r"\u202e\u2066\x1b[31m\x00\u200b" in html
    assert 'href="javascript' not in html


def test_page_forbids_itself_everything_but_its_own_style_and_script() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page())
    assert policy
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; "
        r"base-uri 'none'; form-action 'none'",
        policy[1],
    )
    assert "style=" not in page() and "http" not in page().partition("<body>")[2]


# ---- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    text = "one two three four five"
    labels = {"owner": "Acme", "licence": "GPL-3.0-only", "corpus": "code"}
    renamed = ruling(
        COPY,
        COPY[7:],
        document="lib/shapes.py",
        view="ast",
        kind="renamed",
        tokens=30,
        document_span=Span(0, len(ORIGINAL)),
        **labels,
    )
    also = ruling(COPY, COPY[7:], "flag", document="lib/other.py", **{**labels, "owner": "Bolt"})
    return [
        row("out/b.md", COPY, renamed, also),
        row("out/a.txt", text, ruling(text, "two three", tokens=900, identity=0.5)),
        row("out/a.txt", text, ruling(text, "five", "redact", kind="verbatim", identity=1.0)),
        *(
            row(f"out/c{n}.txt", text, ruling(text, "one", "flag", document=f"books/{n}"))
            for n in range(20)
        ),
        error_row("out/d.txt", "out/d.txt: no such file"),
    ]


@pytest.fixture(scope="module")
def report(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "lib").mkdir()
    (folder / "lib/shapes.py").write_text(ORIGINAL)
    with Index.create(folder / "it.idx", key=None) as index:
        index.add([Document("lib/shapes.py", ORIGINAL)])
        index.commit()
        missing: list[str] = []
        originals = Originals(index, [str(folder / "lib")], missing.append)
        path = folder / "report.html"
        path.write_text(page(*rows, originals=originals, about=About("Outputs of May")))
    assert len(missing) == 21 and "lib/shapes.py" not in str(missing)
    return path


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with browser() as driver:
        yield driver


def shown(driver: Any) -> list[str]:
    """The numbers of the findings that are seen, in their order."""
    return driver.execute_script(
        "return [...document.querySelectorAll('.finding')].filter(f => !f.hidden)"
        ".map(f => f.dataset.number)"
    )


def until(driver: Any, claim: Callable[[], bool]) -> None:
    """Wait for what the page does after it has answered an event."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 10).until(lambda _: claim())


def choose(driver: Any, name: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(driver.find_element("name", name)).select_by_visible_text(value)


@with_browser
def test_page_asks_for_nothing_and_complains_of_nothing(driver: Any, report: Path) -> None:
    open_page(driver, report)
    assert requests(driver) == [report.as_uri()]
    assert complaints(driver) == []
    assert driver.title == "Outputs of May"


@with_browser
def test_findings_are_filtered_by_words_action_kind_and_labels(driver: Any, report: Path) -> None:
    open_page(driver, report)
    assert len(shown(driver)) == 23
    status = driver.find_element("class name", "status")
    search = driver.find_element("name", "text")
    search.send_keys("OUT/a.txt three")
    assert shown(driver) == ["2", "3"]
    assert status.text == "Showing 2 of 23 findings."
    choose(driver, "action", "Redacted")
    assert shown(driver) == ["3"]
    choose(driver, "kind", "Renamed")
    assert shown(driver) == []
    assert driver.find_element("class name", "empty").is_displayed()
    driver.find_element("css selector", "button[type=reset]").click()
    until(driver, lambda: len(shown(driver)) == 23)
    for name, value in (("corpus", "code"), ("licence", "GPL-3.0-only"), ("owner", "Bolt")):
        choose(driver, name, value)
        assert shown(driver) == ["1"]
        choose(driver, name, "all")
    assert complaints(driver) == []


@with_browser
def test_findings_are_put_in_order(driver: Any, report: Path) -> None:
    open_page(driver, report)
    assert shown(driver)[:4] == ["1", "2", "3", "4"]
    for order, first in (
        ("longest first", "2"),
        ("most alike first", "3"),
        ("by protected document", "4"),
        ("as in the documents", "1"),
    ):
        choose(driver, "order", order)
        assert shown(driver)[0] == first
    choose(driver, "order", "most alike first")
    assert shown(driver)[-1] == "2"


@with_browser
def test_findings_open_by_mouse_by_keyboard_and_all_together(driver: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(driver, report)
    first = driver.find_element("id", "finding-1")
    body = first.find_element("class name", "body")
    assert not body.is_displayed()
    first.find_element("tag name", "summary").click()
    assert body.is_displayed()
    driver.find_element("name", "close").send_keys(Keys.TAB)  # to Reset
    driver.switch_to.active_element.send_keys(Keys.TAB)
    assert driver.switch_to.active_element.tag_name == "summary"
    outline = driver.switch_to.active_element.value_of_css_property("outline-style")
    assert outline == "solid"
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert not body.is_displayed()
    driver.find_element("name", "open").click()
    assert len(driver.find_elements("css selector", ".finding[open]")) == 23
    driver.find_element("name", "close").click()
    assert not driver.find_elements("css selector", ".finding[open]")


@with_browser
def test_both_sides_show_what_was_renamed(driver: Any, report: Path) -> None:
    open_page(driver, report)
    driver.find_element("css selector", "#finding-1 summary").click()
    there, here = driver.find_elements("css selector", "#finding-1 .sides section")
    assert there.find_element("tag name", "h4").text == "The original"
    assert [mark.text for mark in there.find_elements("css selector", "mark.renamed")][:3] == [
        "area",
        "width",
        "height",
    ]
    assert [mark.text for mark in here.find_elements("css selector", "mark.renamed")][:3] == [
        "size",
        "a",
        "b",
    ]
    assert here.find_element("tag name", "ol").get_attribute("start") == "3"
    names = driver.find_element("css selector", "#finding-1 .names").text
    assert "width → a" in names and "area → size" in names
    assert "lib/other.py" in driver.find_element("css selector", "#finding-1 .others").text
    assert not driver.find_elements("css selector", "#finding-2 .sides.both")


@with_browser
def test_tables_are_sorted_and_choose_what_is_shown(driver: Any, report: Path) -> None:
    open_page(driver, report)
    table = driver.find_element("css selector", "table[data-grouping=corpus]")

    def names() -> list[str]:
        return [cell.text for cell in table.find_elements("css selector", "tbody th")]

    assert names() == ["books", "code"]
    head = table.find_elements("css selector", "thead button")[0]
    head.click()
    assert names() == ["books", "code"]
    head.click()
    assert names() == ["code", "books"]
    assert head.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    table.find_element("css selector", "tbody button").click()
    assert shown(driver) == ["1"]
    assert driver.switch_to.active_element.get_attribute("id") == "findings"


@with_browser
def test_page_works_without_scripts(report: Path) -> None:
    with browser(has_scripts=False) as driver:
        open_page(driver, report)
        assert not driver.find_element("class name", "controls").is_displayed()
        summary = driver.find_element("css selector", "#finding-2 summary")
        summary.click()
        assert driver.find_element("css selector", "#finding-2 .body").is_displayed()
        assert len(driver.find_elements("class name", "finding")) == 23


@with_browser
def test_hostile_texts_do_nothing(driver: Any, tmp_path: Path) -> None:
    text = f"{HOSTILE} here\n{'z' * 1_000_000}"
    found = ruling(
        text, f"{HOSTILE} here", document=HOSTILE, corpus=HOSTILE, url="data:text/html,x"
    )
    path = tmp_path / "hostile.html"
    path.write_text(page(row(HOSTILE, text, found), error_row(HOSTILE, HOSTILE)))
    open_page(driver, path)
    assert requests(driver) == [path.as_uri()] and complaints(driver) == []
    assert driver.find_elements("css selector", "img, a[href^=data]") == []
    passage = driver.find_element("css selector", "span.passage").text
    assert passage == HOSTILE.replace("\u202e\u2066\x1b[31m\x00\u200b",
                                      r"\u202e\u2066\x1b[31m\x00\u200b") + " here"  # fmt: skip
    corpus = driver.find_element("css selector", "select[name=corpus] option:nth-child(2)")
    corpus.click()
    assert shown(driver) == ["1"]


@with_browser
def test_everything_is_on_paper(driver: Any, report: Path) -> None:
    open_page(driver, report)
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 4
    assert not driver.find_elements("css selector", ".finding[open]")  # closed again
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert driver.find_element("css selector", "#finding-2 .sides").size["height"] > 20
        assert not driver.find_element("class name", "controls").is_displayed()
        assert driver.find_element("class name", "sign").is_displayed()
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@with_browser
@pytest.mark.parametrize("width", [320, 700, 1280])
def test_nothing_is_cut_off_at_any_width(driver: Any, report: Path, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        open_page(driver, report)
        driver.find_element("name", "open").click()
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CONTRASTS = """
const channel = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const luminance = rgb => [.2126, .7152, .0722].reduce((s, w, i) => s + w * channel(rgb[i]), 0);
const colour = text => text.match(/[\\d.]+/g).map(Number);
const ground = element => {
  for (; element; element = element.parentElement) {
    const rgb = colour(getComputedStyle(element).backgroundColor);
    if (rgb.length < 4 || rgb[3] > 0) return rgb;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const low = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  const [a, b] = [colour(getComputedStyle(element).color), ground(element)].map(luminance);
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent}`);
}
return low;
"""


@with_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_aa(driver: Any, report: Path, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        open_page(driver, report)
        driver.find_element("name", "open").click()
        assert driver.execute_script(CONTRASTS) == []
        ground = driver.find_element("tag name", "body").value_of_css_property("background-color")
        assert (ground == "rgba(250, 249, 246, 1)") == (scheme == "light")
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@with_browser
def test_page_can_be_walked_by_its_headings_labels_and_headers(driver: Any, report: Path) -> None:
    open_page(driver, report)
    levels = driver.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert driver.find_element("tag name", "html").get_attribute("lang") == "en"
    unnamed = driver.execute_script(
        "return [...document.querySelectorAll('input, select, button')]"
        ".filter(e => !(e.labels && e.labels.length) && !e.textContent.trim()).length"
    )
    assert unnamed == 0
    for head in driver.find_elements("tag name", "th"):
        assert head.get_attribute("scope") in ("col", "row")
    assert len(
        {e.get_attribute("id") for e in driver.find_elements("css selector", "[id]")}
    ) == len(driver.find_elements("css selector", "[id]"))
