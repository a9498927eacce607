"""Code is found in what models and people write, prose is not, and no bytes raise or stall."""

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dedup.units import (
    Region,
    is_code,
    language_of_content,
    language_of_name,
    language_of_tag,
    regions,
)

PYTHON = b"""def mean(values, default=None):
    # Of nothing there is no mean.
    if not values:
        return default

    total = 0
    for value in values:
        total += value
    return total / len(values)
"""
JAVA = b"""public static double mean(List<Double> values) {
    double total = 0;
    for (int i = 0; i < values.size(); i++) {
        total += values.get(i);
    }
    return total / values.size();
}
"""
JAVASCRIPT = b"""const mean = (values) => {
  let total = 0;
  values.forEach((value) => { total += value; });
  return total / values.length;
};
console.log(mean([1, 2, 3]) === 2);
"""
CPP = b"""#include <vector>
namespace stats {
template <typename T>
T mean(const std::vector<T>& values) {
    T total{};
    for (const auto& value : values) total += value;
    return total / values.size();
}
}
"""
OPENING = b"Of course! The mean of a list is its sum over its length, and I would write it so:\n\n"
CLOSING = b"\n\nThis walks over the list once. Let me know if you would rather have the median.\n"


def texts(text: bytes, name: str = "") -> list[bytes]:
    return [code_of(text, region) for region in regions(text, name)]


def code_of(text: bytes, region: Region) -> bytes:
    return text[region.start : region.end] if region.code is None else region.code


def languages(text: bytes, name: str = "") -> list[str]:
    return [region.language for region in regions(text, name)]


# ---- fences --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fence", [b"```", b"~~~", b"````", b"~~~~~~~~", b"  ```", b"1. ```"])
@pytest.mark.parametrize("tag", [b"python", b"py", b"{.python}", b"python title=x", b"", b"text"])
def test_fenced_code_is_one_region_whatever_the_fence_and_tag(fence: bytes, tag: bytes) -> None:
    closing = b"  " + fence[-3:] if fence.startswith(b"1") else fence
    text = OPENING + fence + tag + b"\n" + PYTHON + closing + CLOSING
    assert texts(text) == [PYTHON]
    assert languages(text) == ["python"]


def test_fence_without_an_end_reaches_to_the_end_of_the_text() -> None:
    assert texts(OPENING + b"```python\n" + PYTHON) == [PYTHON]


def test_fence_in_a_quotation_is_decoded_without_the_marks() -> None:
    quoted = b"".join(b"> " + line for line in (b"```py\n" + PYTHON + b"```\n").splitlines(True))
    (region,) = regions(OPENING + quoted + CLOSING)
    assert region.code == PYTHON
    assert region.language == "python"


def test_fence_may_open_after_text_and_close_after_code() -> None:
    text = b"Here it is: ```python\n" + PYTHON.rstrip() + b"```" + CLOSING
    assert texts(text) == [PYTHON.rstrip()]


@pytest.mark.parametrize("fence", [b"````", b"```"])
def test_fences_inside_a_markdown_example_are_found(fence: bytes) -> None:
    inner = b"# Title\n\n```python\n" + PYTHON + b"```\n\nand\n\n```js\n" + JAVASCRIPT + b"```\n"
    text = fence + b"markdown\n" + inner + fence + CLOSING
    assert texts(text) == [PYTHON, JAVASCRIPT]


def test_shorter_fence_does_not_close_a_longer_one() -> None:
    code = b'HELP = """\n```\nusage\n```\n"""\nprint(HELP)\nmain(HELP, 1)\n'
    assert texts(b"````python\n" + code + b"````\n") == [code]


def test_wrong_tag_turns_nothing_off() -> None:
    (region,) = regions(OPENING + b"```python\n" + JAVA + b"```" + CLOSING)
    assert (region.language, region.alternatives) == ("java", ("python",))


def test_tag_of_a_language_we_cannot_judge_is_kept_beside_the_content() -> None:
    (region,) = regions(OPENING + b"```dart\n" + JAVA + b"```" + CLOSING)
    assert (region.language, region.alternatives) == ("dart", ("java",))


def test_fenced_prose_is_no_code() -> None:
    poem = b"```text\nThe woods are lovely, dark and deep,\nBut I have promises to keep\n```\n"
    assert regions(poem) == []


def test_several_blocks_come_in_order() -> None:
    blocks = [b"```python\n" + PYTHON + b"```\n", b"```java\n" + JAVA + b"```\n", JAVASCRIPT]
    assert languages(OPENING + CLOSING.join(blocks)) == ["python", "java", "javascript"]


# ---- without a fence -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "language"),
    [(PYTHON, "python"), (JAVA, "java"), (JAVASCRIPT, "javascript"), (CPP, "cpp")],
)
def test_code_amid_prose_is_found_whole(code: bytes, language: str) -> None:
    text = OPENING + code + CLOSING
    (region,) = regions(text)
    assert text[region.start : region.end].strip() == code.strip()
    assert region.language == language


@pytest.mark.parametrize("code", [PYTHON, JAVA, JAVASCRIPT, CPP])
def test_function_without_head_and_tail_is_found(code: bytes) -> None:
    fragment = b"".join(code.splitlines(True)[2:-1])
    (region,) = regions(OPENING + fragment + CLOSING)
    text = OPENING + fragment + CLOSING
    assert fragment.strip() in text[region.start : region.end]


@pytest.mark.parametrize("code", [PYTHON, JAVA, JAVASCRIPT, CPP])
def test_query_of_code_alone_is_one_region(code: bytes) -> None:
    text = b"\n" + code + b"\n\n\n" + code
    (region,) = regions(text)
    assert (region.start, region.end) == (0, len(text))


def test_docstring_and_comments_belong_to_the_code_around_them() -> None:
    code = b'''def f(x):
    """Say what it does.

This line stands at the margin and is an ordinary sentence of English prose.
    """
    # A comment in words, as there are many of in any program.
    return x.y[0] + g(x)
'''
    text = OPENING + code + CLOSING
    (region,) = regions(text)
    assert text[region.start : region.end].strip() == code.strip()


def test_short_last_lines_belong_to_the_code() -> None:
    code = b"for segment in self.segments[1:]:\n    yield segment\n    yield line\n"
    text = OPENING + code + CLOSING
    (region,) = regions(text)
    assert text[region.start : region.end].strip() == code.strip()


def test_minified_code_on_one_line_is_found() -> None:
    code = b"(function(a,b){var c=a.d;for(var e=0;e<c.length;e++){b(c[e],e)}return c})(window,f);"
    assert texts(OPENING + code * 4 + CLOSING)[0].strip() == code * 4


PROSE = {
    "English": "He had been told (more than once; it was a family joke) that all would be well.\n"
    "And yet, on the morning of 5 May, nothing was; the house -- his house! -- was gone.\n" * 5,
    "German": "Für die Straße gilt: Wer zuerst kommt, mahlt zuerst (so sagt man).\n" * 5,
    "Chinese": "今天天气很好，我们去公园散步。（他说：不去。）\n" * 5,
    "poem": "And the fruit\nOf that forbidden tree; whose mortal taste\nBrought death;\n" * 3,
    "bullets": "- First (of all): salt;\n- Then, pepper [black];\n* Stir for 5 minutes.\n" * 4,
    "table": "| Name | Size |\n|------|------|\n| a_b (x) | 10 |\n| c_d [y] | 20 |\n" * 3,
    "e-mail": "From: Ann <ann@example.org>\nTo: Bob <bob@example.org>\nSubject: Re: lunch\n\n"
    "Dear Bob,\n\n> Shall we meet at 12:30?\n\nYes. See https://example.org/a_b?x=1&y=(2)\n\n"
    "Best,\nAnn\n",
    "links": "See [the manual](https://example.org/a_(b)) and `f(x)`, or [this](c.md).\n" * 4,
    "genealogy": "Of Ezra, Meshullam; of Amariah, Jehohanan;\nOf Melicu, Jonathan;\n" * 5,
    "underlined": "Licence\n=======\n\nAll rights\n~~~~~~~~~~\n\nare reserved.\n" * 4,
    "names": "m4/ax_append_to_file.m4\nm4/ax_print_to_file.m4\nAnn <ann@example.org>\n" * 4,
    "headings": "# Summary\n\nAll is well.\n\n## Details\n\n1. One (1)\n2. Two (2)\n" * 3,
}


@pytest.mark.parametrize("prose", PROSE.values(), ids=PROSE.keys())
def test_prose_has_no_region(prose: str) -> None:
    assert regions(prose.encode()) == []
    assert not is_code("", prose.encode())


# ---- files ---------------------------------------------------------------------------------------


def test_file_of_code_is_one_region_of_the_language_of_its_name() -> None:
    assert regions(PYTHON, "src/mean.py") == [Region(0, len(PYTHON), "python")]
    assert is_code("src/mean.py", b"")


def test_content_that_contradicts_a_name_is_an_alternative() -> None:
    assert regions(JAVA, "mean.py") == [Region(0, len(JAVA), "python", ("java",))]


def test_header_of_cpp_is_cpp_and_of_c_is_c() -> None:
    assert regions(CPP, "mean.h") == [Region(0, len(CPP), "cpp", ("c",))]
    c = b"#ifndef MEAN_H\n#define MEAN_H\nextern double mean(const double *values);\n#endif\n"
    assert regions(c, "mean.h") == [Region(0, len(c), "c")]


def test_text_file_may_hold_code() -> None:
    assert languages(PYTHON, "notes.txt") == ["python"]


def test_data_is_no_code() -> None:
    assert regions(b'{"a": [1, 2, {"b": null}],\n "c": {"d": []}}\n' * 9, "a.json") == []


def test_restructured_text_gives_directives_and_literal_blocks() -> None:
    block = b"".join(b"    " + line if line.strip() else line for line in PYTHON.splitlines(True))
    text = (
        b"Title\n=====\n\nWords, and then some more of them.\n\n.. code-block:: python\n"
        b"   :linenos:\n\n" + block + b"\nMore words come here, as ever::\n\n" + block + b"\nEnd.\n"
    )
    assert [code.strip() for code in texts(text, "a.rst")] == [block.strip()] * 2
    assert languages(text, "a.rst") == ["python"] * 2


def test_page_gives_its_scripts_and_preformatted_code() -> None:
    page = (
        b"<!DOCTYPE html><html><head><script src=x></script><script>"
        + JAVASCRIPT
        + b'</script><script type="application/json">{"a": [1, 2]}</script></head><body><p>Text'
        b'<pre class="x"><code class="language-cpp">'
        + CPP.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
        + b"</code></pre></body></html>"
    )
    for name in ("a.html", ""):
        found = regions(page, name)
        assert [code_of(page, region) for region in found][:2] == [JAVASCRIPT, CPP]
        assert [region.language for region in found][:2] == ["javascript", "cpp"]


def test_page_without_scripts_has_no_code() -> None:
    page = b"<!DOCTYPE html>\n<html>\n<body class='a'>\n<p>Words.</p>\n</body>\n</html>\n"
    assert regions(page) == regions(page, "a.html") == []


def notebook(*cells: tuple[str, str], as_lines: bool = True) -> bytes:
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": kind,
                    "metadata": {"name": "x"},
                    "outputs": [{"text": ["def not_a_cell(x):\n"]}],
                    "source": source.splitlines(True) if as_lines else source,
                }
                for kind, source in cells
            ],
            "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
            "nbformat": 4,
        },
        indent=1,
    ).encode()


@pytest.mark.parametrize("as_lines", [True, False])
@pytest.mark.parametrize("name", ["a.ipynb", ""])
def test_notebook_gives_its_code_cells_decoded(as_lines: bool, name: str) -> None:
    code = PYTHON.decode() + 'print("\\n", "é😀")'
    fenced = OPENING.decode() + "```js\n" + JAVASCRIPT.decode() + "```\n"
    text = notebook(("markdown", fenced), ("code", code), as_lines=as_lines)
    found = regions(text, name)
    assert [region.code for region in found] == [JAVASCRIPT, code.encode()]
    assert [region.language for region in found] == ["javascript", "python"]


def test_damaged_notebook_is_read_as_text() -> None:
    whole = notebook(("code", PYTHON.decode()))
    for cut in range(0, len(whole), 7):
        regions(whole[:cut], "a.ipynb")


@given(st.lists(st.text(min_size=1), min_size=1), st.booleans(), st.booleans())
def test_offsets_of_a_notebook_point_at_what_decodes_to_the_byte(
    sources: list[str], as_lines: bool, is_ascii: bool
) -> None:
    cells = [
        {"cell_type": "code", "source": s.splitlines(True) if as_lines else s} for s in sources
    ]
    text = json.dumps({"cells": cells}, ensure_ascii=is_ascii).encode("utf-8", "replace")
    for region in regions(text, "a.ipynb"):
        assert region.code is not None and region.offsets is not None
        code, offsets = region.code, region.offsets.tolist()
        assert len(offsets) == len(code) + 1
        assert offsets == sorted(offsets)
        assert (offsets[0], offsets[-1]) == (region.start, region.end)
        for character, at in zip(
            *characters(code.decode("utf-8", "replace"), offsets), strict=True
        ):
            raw = text[at : at + 12].decode("utf-8", "ignore")
            assert raw.startswith((character, json.dumps(character)[1:-1])) or "�" in character


def characters(code: str, offsets: list[int]) -> tuple[list[str], list[int]]:
    places, at = [], 0
    for character in code:
        places.append(offsets[at])
        at += len(character.encode())
    return list(code), places


# ---- names, tags, content ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a.py", "python"),
        ("/x/y/A.JAVA", "java"),
        ("a.py.gz", "python"),
        ("lib/Makefile", "make"),
        ("Dockerfile", "dockerfile"),
        ("Dockerfile.dev", "dockerfile"),
        ("BUILD", "python"),
        ("CMakeLists.txt", "cmake"),
        ("a.tsx", "tsx"),
        ("a.cs", "c_sharp"),
        ("a.h", "c"),
        ("C:\\src\\a.hpp", "cpp"),
        *((name, "") for name in ("a.txt", "a.md", "a.rst", "a.html", "a.ipynb", "a.json")),
        *((name, "") for name in ("", "py", "a", ".", "README", "a.py/b", "a.unknown")),
    ],
)
def test_name_gives_the_language(name: str, language: str) -> None:
    assert language_of_name(name) == language


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("py", "python"),
        ("Python3", "python"),
        ("c++", "cpp"),
        ("C#", "c_sharp"),
        ("js", "javascript"),
        ("jsx", "javascript"),
        ("ts", "typescript"),
        ("tsx", "tsx"),
        ("sh", "bash"),
        ("console", "bash"),
        ("{.python}", "python"),
        ("{.python .numberLines}", "python"),
        ("{r, echo=FALSE}", "r"),
        ("python title=x", "python"),
        ('js title="a.py"', "javascript"),
        ("language-java", "java"),
        ("rust,ignore", "rust"),
        ("12:15:src/a.ts", "typescript"),
        *((tag, "") for tag in ("", "text", "plaintext", "output", "markdown", "nonsense", "{}")),
    ],
)
def test_tag_gives_the_language(tag: str, language: str) -> None:
    assert language_of_tag(tag) == language


SAMPLES = {
    "python": PYTHON,
    "java": JAVA,
    "javascript": JAVASCRIPT,
    "cpp": CPP,
    "typescript": b"export interface A {\n  name: string;\n  size?: number;\n}\n"
    b"const f = (a: A): string => a.name;\n",
    "tsx": b"type Props = { name: string };\nexport const A = ({ name }: Props) => {\n"
    b'  const [n, setN] = useState<number>(0);\n  return <div className="a">{name}</div>;\n};\n',
    "c": b"#include <stdio.h>\nstatic int f(struct a *p, size_t n) {\n    if (p == NULL)\n"
    b'        return -1;\n    printf("%d", p->n);\n}\n',
    "go": b"func (s *Server) Close() error {\n\tif err := s.l.Close(); err != nil {\n"
    b"\t\treturn err\n\t}\n\treturn nil\n}\n",
    "rust": b"impl Tree {\n    pub fn get(&self, key: u32) -> Option<&str> {\n"
    b"        let mut node = self.root.as_ref()?;\n        Some(node)\n    }\n}\n",
    "c_sharp": b"using System;\nnamespace App {\n    public class A {\n"
    b"        public string Name { get; set; }\n"
    b'        public void F() { Console.WriteLine("x"); }\n    }\n}\n',
    "ruby": b"class Tree\n  attr_reader :root\n\n  def initialize(root)\n    @root = root\n  end\n"
    b"  def each\n    yield @root unless @root.nil?\n  end\nend\n",
    "php": b"<?php\nfunction mean(array $values): float {\n"
    b"    foreach ($values as $value) { $total += $value; }\n    return $total;\n}\n",
    "kotlin": b"data class A(val name: String)\n\nfun mean(values: List<Int>): Double {\n"
    b"    val total = values.sum()\n    return when { values.isEmpty() -> 0.0 else -> 1.0 }\n}\n",
    "swift": b"import Foundation\nfunc mean(_ values: [Int]) -> Double? {\n"
    b"    guard !values.isEmpty else { return nil }\n    let total = values.reduce(0, +)\n}\n",
    "scala": b"object A extends App {\n  case class B(name: String)\n"
    b"  def mean(values: Seq[Int]): Option[Int] = values match {\n    case Nil => None\n"
    b"    case _ => Some(values.sum)\n  }\n}\n",
    "bash": b'for f in *.txt; do\n  if [ -f "$f" ]; then\n    echo "$f" | sed s/a/b/\n  fi\ndone\n',
    "sql": b"SELECT a.name, COUNT(*)\nFROM users a\nLEFT JOIN orders b ON a.id = b.user\n"
    b"WHERE a.age > 18\nGROUP BY a.name;\n",
    "lua": b"local function mean(values)\n  local total = 0\n  for _, v in ipairs(values) do\n"
    b"    total = total + v\n  end\n  return total\nend\n",
}


@pytest.mark.parametrize(("language", "code"), SAMPLES.items())
def test_content_gives_the_language(language: str, code: bytes) -> None:
    assert language_of_content(code) == language


@pytest.mark.parametrize(("language", "code"), SAMPLES.items())
def test_sample_of_any_language_is_found_amid_prose(language: str, code: bytes) -> None:
    (region,) = regions(OPENING + code + CLOSING)
    assert region.language == language
    assert region.end - region.start >= 0.95 * len(code)


def test_interpreter_line_gives_the_language() -> None:
    assert language_of_content(b"#!/usr/bin/env python3\n") == "python"
    assert language_of_content(b"#!/bin/sh\n") == "bash"


def test_nothing_has_no_language() -> None:
    assert language_of_content(b"") == language_of_content(b"x") == ""


# ---- any bytes -----------------------------------------------------------------------------------

PIECES = [
    *(b"```", b"~~~", b"````", b"\n", b"\n", b"> ", b"    ", b"python", b"<script>", b"</script>"),
    *(b"<pre><code>", b"</code></pre>", b"&lt;", b"&#0;", b'{"cell_type": "code", "source": "'),
    *(
        b'"}',
        b'{"cell_type": "code", "source": ["a(1)\\n", ',
        b'"b = f(2)"',
        b"], ",
        b"}",
        b'"x": ',
        b",",
    ),
    *(b"\\ud83d", b"\\n", b'"""', b"/*", b"*/", b"::\n\n", b".. code-block:: c\n", b"\xff"),
    *(b"if x == 1:\n    y = f(x)\n", b"int f(int a) {\n", b"}\n", b"\0", b"Words of prose. "),
]
NAMES = ["", "a.md", "a.rst", "a.html", "a.ipynb", "a.py", "a.txt", "a.json", "a.h", "a"]


@given(
    text=st.lists(st.sampled_from(PIECES) | st.binary(max_size=4)).map(b"".join),
    name=st.sampled_from(NAMES),
)
@example(text=b"\xff\xfe\0", name="")
def test_any_bytes_give_ordered_disjoint_regions_within_the_text(text: bytes, name: str) -> None:
    position = 0
    for region in regions(text, name):
        assert position <= region.start < region.end <= len(text)
        position = region.end
        assert (region.code is None) == (region.offsets is None)
        if region.code is not None and region.offsets is not None:
            offsets = region.offsets.tolist()
            assert len(offsets) == len(region.code) + 1
            assert offsets == sorted(offsets)
            assert region.start <= offsets[0] and offsets[-1] == region.end
    is_code(name, text)


@given(st.binary())
def test_any_bytes_have_at_most_a_language(code: bytes) -> None:
    assert isinstance(language_of_content(code), str)


@given(st.text())
def test_any_string_is_a_name_and_a_tag(name: str) -> None:
    assert isinstance(language_of_name(name), str)
    assert isinstance(language_of_tag(name), str)


@pytest.mark.parametrize(
    "piece",
    [
        *(b"`", b"(", b"```\n", b"```\nx\n", b"<script>", b"<script", b"~", b"> ", b"[", b"{"),
        *(b'"""\n', b"/*\n", b"'\\'", b":: ", b"<a", b"$", b"]( ", b"a = (", b"if a(a(", b"\xff"),
        *(b"return a(", b"(\n", b'{"cell_type":"', b'"\\"', b"<pre>", b"&lt;", b"select a,"),
        *(b"const a,", b"a.a.", b"static ", b"static a ", b"'" + b"\\'" * 9),
    ],
)
@pytest.mark.parametrize("name", ["", "a.html", "a.rst", "a.ipynb", "a.py"])
def test_time_is_linear_whatever_is_repeated(piece: bytes, name: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        lines = (
            text[:size]
            if b"\n" in piece
            else b"\n".join(text[at : at + 290] for at in range(0, size, 290))
        )
        begin = time.process_time()
        regions(text, name)
        regions(lines, name)
        return time.process_time() - begin

    # Five times what the slowest takes; the square would take hours.
    assert seconds(100_000) < 1


def test_prose_costs_little() -> None:
    prose = (PROSE["English"].encode() * 2)[:1200]
    regions(prose)
    begin = time.perf_counter()
    for _ in range(100):
        regions(prose)
    assert (time.perf_counter() - begin) / 100 < 1e-3  # some 50 us; slack for a busy machine
