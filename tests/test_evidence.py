"""What lies beside a file, and nearest above it, says its licence."""

import json
from pathlib import Path

import pytest
from test_licence import COMMON, MIT

from dedup.evidence import Licences, is_evidence

Tree = dict[str, str]

APACHE = "Apache License Version 2.0, January 2004"
GPL = "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007"
LGPL = "GNU LESSER GENERAL PUBLIC LICENSE Version 3, 29 June 2007"


def licences(tree: Tree) -> Licences:
    def names_in(folder: str) -> set[str]:
        prefix = f"{folder}/" if folder else ""
        return {
            path.removeprefix(prefix).partition("/")[0] for path in tree if path.startswith(prefix)
        }

    return Licences(names_in, lambda path: tree.get(path, ""))


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, ""),
        ({"LICENSE": MIT}, "MIT"),
        ({"Licence.md": MIT}, "MIT"),
        ({"src/COPYING": MIT, "LICENSE": APACHE}, "MIT"),
        ({"src/LICENSE": "All rights reserved.", "LICENSE": APACHE}, "Apache-2.0"),
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, "Apache-2.0 OR MIT"),
        ({"LICENSE": "either of those beside", "LICENSE.MIT": MIT, "LICENSE.APACHE": APACHE},
         "Apache-2.0 OR MIT"),
        ({"LICENSE": APACHE, "LICENSE-third-party": MIT}, "Apache-2.0"),
        ({"COPYING": GPL, "COPYING.LESSER": LGPL}, "LGPL-3.0-only"),
        ({"COPYING": GPL}, "GPL-3.0-only"),
        ({"COPYING": GPL, "Cargo.toml": '[package]\nlicense = "GPL-3.0-or-later"'},
         "GPL-3.0-or-later"),
        ({"COPYING": GPL, "Cargo.toml": '[package]\nlicense = "GPL-2.0-or-later"'},
         "GPL-3.0-only"),
        ({"LICENSE": MIT, "package.json": '{"license": "ISC"}'}, "MIT"),
        ({"LICENSES/MIT.txt": MIT}, "MIT"),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/ISC.txt": ""}, ""),
        ({"src/package.json": '{"license": "ISC"}', "LICENSE": MIT}, "ISC"),
        ({"LICENSE.py": "Licensed under the MIT license"}, ""),
        ({"src/a.c.license": "SPDX-License-Identifier: CC0-1.0", "LICENSE": MIT}, "CC0-1.0"),
        ({"src/a.license": "SPDX-License-Identifier: CC0-1.0", "LICENSE": MIT}, "MIT"),
    ],
)  # fmt: skip
def test_nearest_folder_that_says_decides(tree: Tree, expected: str) -> None:
    assert licences(tree | {"src/a.c": ""}).of("src/a.c") == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", '[project]\nlicense = "mit OR apache-2.0"', "Apache-2.0 OR MIT"),
        ("pyproject.toml", '[project]\nlicense = {text = "Apache 2.0"}', "Apache-2.0"),
        ("pyproject.toml", '[project]\nlicense = {file = "LICENSE"}', ""),
        ("pyproject.toml", '[tool.poetry]\nlicense = "MIT"', "MIT"),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved :: MIT License"]',
         "MIT"),
        ("pyproject.toml", "[project]\nlicense = 5\nclassifiers = 6", ""),
        ("pyproject.toml", "project = 5", ""),
        ("pyproject.toml", "not toml", ""),
        ("Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"', "Apache-2.0 OR MIT"),
        ("Cargo.toml", '[workspace.package]\nlicense = "MIT"', "MIT"),
        ("Cargo.toml", "[package]\nlicense.workspace = true", ""),
        ("package.json", '{"license": "BSD-3-Clause"}', "BSD-3-Clause"),
        ("package.json", '{"license": {"type": "MIT", "url": "x"}}', "MIT"),
        ("package.json", '{"licenses": [{"type": "MIT"}, {"type": "GPLv2"}]}',
         "GPL-2.0-only OR MIT"),
        ("package.json", '{"license": "SEE LICENSE IN terms.txt"}', ""),
        ("package.json", '{"license": "UNLICENSED"}', "UNLICENSED"),
        ("package.json", '[{"license": "MIT"}]', ""),
        ("package.json", "[" * 100_000, ""),
        ("composer.json", '{"license": ["MIT", "ISC"]}', "ISC OR MIT"),
        ("setup.cfg", "[metadata]\nlicense = MIT License\n", "MIT"),
        ("setup.cfg", "[metadata]\nlicense = file: LICENSE\n", ""),
        ("setup.cfg", "[metadata]\nclassifiers =\n  License :: OSI Approved :: BSD License\n",
         "BSD-3-Clause"),
        ("setup.cfg", "license = MIT", ""),
        ("x-1.0.dist-info/METADATA", "Name: x\nLicense-Expression: MIT\n", "MIT"),
        ("x-1.0.dist-info/METADATA", "License: UNKNOWN\nClassifier: License :: OSI Approved :: "
         "Apache Software License\n", "Apache-2.0"),
        ("x.egg-info/PKG-INFO", "Name: x\nLicense: ISC\n\nLicense: MIT", "ISC"),
        ("PKG-INFO", f"License: {MIT.replace(chr(10), chr(10) + '        ')}\n", "MIT"),
    ],
)  # fmt: skip
def test_metadata_of_packages_is_read(name: str, text: str, expected: str) -> None:
    assert licences({name: text}).of("src/a.c") == expected


def test_installed_packages_are_not_under_the_licence_of_the_first() -> None:
    tree = {
        "a-1.dist-info/METADATA": "License: MIT\n",
        "b-1.dist-info/METADATA": "License: ISC\n",
    }
    assert licences(tree).of("b/b.py") == ""


@pytest.mark.parametrize("folder", ["node_modules", "vendor", "third_party", "lib/site-packages"])
def test_what_others_wrote_is_not_under_the_licence_of_the_whole(folder: str) -> None:
    tree = {"LICENSE": MIT, f"{folder}/x/package.json": json.dumps({"license": "ISC"})}
    found = licences(tree)
    assert found.of(f"{folder}/x/a.js") == "ISC"
    assert found.of(f"{folder}/y/a.js") == ""
    assert found.of(f"{folder}/a.js") == ""
    assert found.of("lib/a.js") == "MIT"


def test_folder_is_looked_at_once() -> None:
    seen: list[str] = []

    def names_in(folder: str) -> list[str]:
        seen.append(folder)
        return ["LICENSE"] if not folder else []

    found = Licences(names_in, lambda path: MIT)
    deep = "/".join(["e"] * 2000)
    assert {found.of(f"{deep}/{number}.c") for number in range(9)} == {"MIT"}
    assert len(seen) == len(set(seen)) == 2001


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LICENSE", True),
        ("licence.txt", True),
        ("COPYING.LIB", True),
        ("UNLICENSE", True),
        ("MIT-LICENSE.txt", True),
        ("a.c.license", True),
        ("license.py", False),
        ("copying.go", False),
        ("a.c", False),
    ],
)
def test_only_what_can_say_a_licence_is_looked_at(name: str, expected: bool) -> None:
    assert is_evidence(name) == expected


def test_real_licence_file_of_a_folder(tmp_path: Path) -> None:
    if not (COMMON / "GPL-3").exists():
        pytest.skip(f"{COMMON} is not here")
    tree = {"COPYING": (COMMON / "GPL-3").read_text()}
    assert licences(tree).of("a.c") == "GPL-3.0-only"
