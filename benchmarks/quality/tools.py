"""Formatters and minifiers that others made, run on whole files of JavaScript and C++.

terser is found in a folder in which ``npm install terser`` was run, clang-format on the path or
beside the Python that runs (it is on PyPI). What is not there is left out.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reformatted", "clang_formatted", "terser_minified"]

_STYLES = ("GNU", "WebKit", "{BasedOnStyle: Google, ColumnLimit: 50, IndentWidth: 8}")
_TERSER = r"""
const {createRequire} = require("module"), path = require("path"), fs = require("fs");
const {minify} = createRequire(path.resolve(process.argv[1]) + "/")("terser");
const styles = {
  "mangled": {compress: false, mangle: true},
  "compressed": {compress: {passes: 2}, mangle: true},
  "compressed, beautified": {compress: {passes: 2}, mangle: true, format: {beautify: true}},
};
(async () => {
  const out = {};
  for (const [name, source] of Object.entries(JSON.parse(fs.readFileSync(0, "utf8")))) {
    out[name] = {};
    for (const [style, options] of Object.entries(styles))
      out[name][style] = (await minify(source, options)).code;
  }
  process.stdout.write(JSON.stringify(out));
})();
"""


@dataclass(frozen=True, slots=True)
class Reformatted:
    """A file as a tool wrote it anew."""

    name: str
    tool: str
    text: str


def terser_minified(files: dict[str, str], folder: Path | None) -> Iterator[Reformatted]:
    """JavaScript files, three ways; nothing without terser or node."""
    if folder is None or not shutil.which("node") or not files:
        return
    done = subprocess.run(
        ["node", "-e", _TERSER, str(folder)],
        input=json.dumps(files),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name, styles in json.loads(done.stdout).items():
        for style, text in styles.items():
            yield Reformatted(name, f"terser, {style}", text)


def clang_formatted(files: dict[str, str]) -> Iterator[Reformatted]:
    """C++ files in three styles; nothing without clang-format."""
    beside = Path(sys.executable).with_name("clang-format")
    tool = str(beside) if beside.exists() else shutil.which("clang-format")
    if tool is None:
        return
    for name, text in files.items():
        for style in _STYLES:
            done = subprocess.run(
                [tool, f"--style={style}", "--assume-filename=file.cpp"],
                input=text,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            label = "narrow" if style.startswith("{") else style
            yield Reformatted(name, f"clang-format, {label}", done.stdout)
