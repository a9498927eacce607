"""Jupyter notebooks as text: what was written in their cells, one after the other.

Markdown stands as it is, code in fences of its language, so that it is taken for code. Outputs are
left out: they are not written by anyone, and an image in one is longer than many notebooks.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["notebook_text"]


def notebook_text(data: bytes) -> str | None:
    """The text of a notebook; None if it is damaged or none."""
    import msgspec  # here, so that `import dedup` stays quick

    try:
        notebook = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(notebook, dict):
        return None
    language = _language(notebook)
    cells = list(_cells(notebook))
    if not cells:
        return None
    return "\n\n".join(
        _fenced(source, language) if kind == "code" else source for kind, source in cells
    )


def _cells(notebook: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The kind and source of each cell; before version 4 they lie in worksheets."""
    sheets = [notebook, *(notebook.get("worksheets") or ())]
    for sheet in sheets:
        found = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in found if isinstance(found, list) else ():
            if not isinstance(cell, dict):
                continue
            source = cell.get("source", cell.get("input", ""))
            if isinstance(source, list):
                source = "".join(part for part in source if isinstance(part, str))
            if isinstance(source, str) and source.strip():
                yield str(cell.get("cell_type", "")), source


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for name, key in (("language_info", "name"), ("kernelspec", "language")):
        about = metadata.get(name) if isinstance(metadata, Mapping) else None
        language = about.get(key) if isinstance(about, Mapping) else None
        if isinstance(language, str) and re.fullmatch(r"[\w.+#-]{1,30}", language):
            return language.lower()
    return "python"


def _fenced(code: str, language: str) -> str:
    """The code in a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"
