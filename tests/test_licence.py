"""Licences are told apart by what they say, however it is wrapped, marked and spelled."""

import gzip
import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.licence import normalise, of_head, of_licence_file, spdx_tag

COMMON = Path("/usr/share/common-licenses")

# The phrases that decide, with dots for what lies between; none of these is a licence.
MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this
software ... The above copyright notice and this permission notice shall be included in ..."""
ISC = """Permission to use, copy, modify, and/or distribute this software for any purpose with or
without fee is hereby granted, provided that the above copyright notice ... THE SOFTWARE IS PROVIDED
"AS IS" ..."""
BSD_2 = """Redistribution and use in source and binary forms, with or without modification, are
permitted ... 1. Redistributions of source code must retain ... 2. Redistributions in binary form
must reproduce ..."""
BSD_3 = BSD_2 + " may be used to endorse or promote products derived from ..."
BSD_4 = BSD_3 + " All advertising materials mentioning features or use of this software must ..."
GPL_NOTICE = """This program is free software; you can redistribute it and/or modify it under the
terms of the GNU General Public License as published by the Free Software Foundation; either
version {} of the License, or (at your option) any later version.

You should have received a copy of the GNU General Public License along with this program."""


# ---- tags ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("// SPDX-License-Identifier: MIT\n", "MIT"),
        ("#!/bin/sh\n# SPDX-License-Identifier: apache-2.0\r\n", "Apache-2.0"),
        ("/* SPDX-License-Identifier: GPL-2.0 */", "GPL-2.0-only"),
        ("/* SPDX-License-Identifier: (GPL-2.0+ OR MIT) */", "GPL-2.0-or-later OR MIT"),
        ("<!-- SPDX-License-Identifier: CC-BY-4.0 -->", "CC-BY-4.0"),
        ("{# SPDX-License-Identifier: MIT #}", "MIT"),
        ("(* SPDX-License-Identifier: MIT *)", "MIT"),
        ("-- SPDX-License-Identifier: MIT --", "MIT"),
        ("(SPDX-License-Identifier: MIT)", "MIT"),
        ('"""SPDX-License-Identifier: MIT"""', "MIT"),
        (".. SPDX-License-Identifier: MIT.", "MIT"),
        ("dnl SPDX-License-Identifier: GPL-3.0-or-later\n", "GPL-3.0-or-later"),
        (
            "// SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note",
            "GPL-2.0-only WITH Linux-syscall-note",
        ),
        ("// SPDX-License-Identifier: LicenseRef-Mine", "LicenseRef-Mine"),
        ("// SPDX-License-Identifier: In-House-1", "In-House-1"),
        (
            "# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: ISC\n",
            "ISC AND MIT",
        ),
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: MIT\n", "MIT"),
        ("# SPDX-License-Identifier: see the file\n", ""),
        ("# SPDX-License-Identifier: <id>\n", ""),
        ("# SPDX-License-Identifier:\n", ""),
        ('print("SPDX-License-Identifier: MIT")', ""),
        ("the tag `SPDX-License-Identifier: MIT` is read", ""),
        (" " * 9000 + "// SPDX-License-Identifier: MIT", ""),
        ("no tag", ""),
    ],
)
def test_tag_is_read_in_any_comment(text: str, expected: str) -> None:
    assert spdx_tag(text) == expected


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mit", "MIT"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("The Apache Software License, Version 2.0", "Apache-2.0"),
        ("ASL 2.0", "Apache-2.0"),
        ("MIT License", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("Expat", "MIT"),
        ("GPLv2", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GNU GPL v3 or later", "GPL-3.0-or-later"),
        ("LGPL 2.1+", "LGPL-2.1-or-later"),
        ("GNU Affero General Public License v3", "AGPL-3.0-only"),
        ("GPL", "GPL-1.0-or-later"),
        ("BSD", "BSD-3-Clause"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("Simplified BSD", "BSD-2-Clause"),
        ("MPL 2.0", "MPL-2.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", "CC-BY-NC-ND-4.0"),
        ("zlib/libpng License", "Zlib"),
        ("MIT/Apache-2.0", "Apache-2.0 OR MIT"),
        ("Apache License 2.0 or MIT", "Apache-2.0 OR MIT"),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("License :: OSI Approved :: BSD License", "BSD-3-Clause"),
        ("License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        ("License :: OSI Approved :: ISC License (ISCL)", "ISC"),
        ("License :: OSI Approved :: The Unlicense (Unlicense)", "Unlicense"),
        ("License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("License :: OSI Approved :: Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"),
        (
            "License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)",
            "LGPL-2.0-or-later",
        ),
        (
            "License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)",
            "LGPL-2.0-or-later",
        ),
        ("License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
    ],
)
def test_usual_names_are_normalised(given: str, expected: str) -> None:
    assert normalise(given) == expected


@pytest.mark.parametrize(
    "given",
    ["", "PD", "public domain", "Proprietary", "UNLICENSED", "MIT, ISC", "(MIT", "MIT AND", "l",
     "License :: Other/Proprietary License", "(" * 5000, "a" * 5000],
)  # fmt: skip
def test_what_is_not_understood_stays_as_given(given: str) -> None:
    assert normalise(f" {given} ") == given


@given(st.text(alphabet=st.sampled_from("MITGPLv23.0-+ ()/ORANDWH:")) | st.text())
def test_normalising_never_raises_and_is_idempotent(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


# ---- licence files -------------------------------------------------------------------------------

DEBIAN = {
    "Apache-2.0": "Apache-2.0",
    "Artistic": "Artistic-1.0-Perl",
    "BSD": "BSD-3-Clause",
    "CC0-1.0": "CC0-1.0",
    "GFDL-1.3": "GFDL-1.3-only",
    "GPL-1": "GPL-1.0-only",
    "GPL-2": "GPL-2.0-only",
    "GPL-3": "GPL-3.0-only",
    "LGPL-2": "LGPL-2.0-only",
    "LGPL-2.1": "LGPL-2.1-only",
    "LGPL-3": "LGPL-3.0-only",
    "MPL-1.1": "MPL-1.1",
    "MPL-2.0": "MPL-2.0",
}


@pytest.mark.parametrize("name", DEBIAN)
def test_texts_of_debian_are_recognised_however_they_are_set(name: str) -> None:
    path = COMMON / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    text = path.read_text("utf-8", "replace")
    unwrapped = " ".join(text.split())
    for form in (
        text,
        text.upper(),
        unwrapped,
        textwrap.fill(unwrapped, 33),
        textwrap.indent(text, " * "),
        text.replace('"', "\u201d").replace("\n", "\r\n"),
        "My Project\nCopyright (c) 2020-2024 Jane Doe <jane@example.org>\n\n" + text,
    ):
        assert of_licence_file(form) == DEBIAN[name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIT, "MIT"),
        (MIT.replace("and this permission notice", "") + " WITHOUT WARRANTY OF ANY KIND", "MIT-0"),
        (MIT + " The Software shall be used for Good, not Evil.", "JSON"),
        (ISC, "ISC"),
        (ISC.replace(", provided that the above copyright notice", "."), "0BSD"),
        (BSD_2, "BSD-2-Clause"),
        (BSD_3, "BSD-3-Clause"),
        (BSD_4, "BSD-4-Clause"),
        (BSD_3 + "\n\n" + "x " * 3000 + MIT, "BSD-3-Clause"),
        (MIT + "\n\n" + "x " * 100 + BSD_4, "MIT"),
        ("Eclipse Public License - v 2.0 THE ACCOMPANYING PROGRAM ...", "EPL-2.0"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE ... TERMS AND CONDITIONS", "WTFPL"),
        (
            "Permission is hereby granted, free of charge, to any person or organization\n"
            "obtaining a copy ... Boost Software License - Version 1.0",
            "BSL-1.0",
        ),
        (
            "The origin of this software must not be misrepresented ... 2. Altered source versions",
            "Zlib",
        ),
        ("A. HISTORY ... PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2 ... ", "PSF-2.0"),
        (
            "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2 ... BEOPEN.COM ... CNRI LICENSE",
            "Python-2.0",
        ),
        ("The Artistic License 2.0\n\nCopyright (c) 2000-2006", "Artistic-2.0"),
        ("Attribution-ShareAlike 4.0 International\n\nCreative Commons ...", "CC-BY-SA-4.0"),
        ("Creative Commons Legal Code\n\nAttribution 3.0 Unported", "CC-BY-3.0"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007", "AGPL-3.0-only"),
        (GPL_NOTICE.format(2) + "\n\nGNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991",
         "GPL-2.0-or-later"),
        (GPL_NOTICE.format(3), "GPL-3.0-or-later"),
        ("Licensed under the Apache License, Version 2.0 (the \"License\");", "Apache-2.0"),
        ("MIT", "MIT"),
        ("SPDX-License-Identifier: MIT\n" + BSD_3, "MIT"),
        ("All rights reserved.", ""),
        ("x " * 9000 + MIT, ""),
        ("", ""),
    ],
)  # fmt: skip
def test_licence_is_known_by_its_decisive_phrases(text: str, expected: str) -> None:
    assert of_licence_file(text) == expected
    assert of_licence_file(re.sub("(?i)license", "Licence", text).replace(" ", "\n", 9)) == (
        expected if "SPDX" not in text else of_licence_file(BSD_3)
    )


# ---- notices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('# Licensed under the Apache License, Version 2.0 (the "License");\n', "Apache-2.0"),
        (textwrap.indent(GPL_NOTICE.format(3), " * "), "GPL-3.0-or-later"),
        (textwrap.indent(GPL_NOTICE.format(2), "dnl "), "GPL-2.0-or-later"),
        (GPL_NOTICE.format("2.1").replace("General", "Lesser General"), "LGPL-2.1-or-later"),
        ("it under the terms of the GNU General Public License version 2 as\n * published by",
         "GPL-2.0-only"),
        ("# This work is licensed under the terms of the GNU GPL, version 2 or later.",
         "GPL-2.0-or-later"),
        ("// Licensed under the GNU General Public License, see COPYING.", ""),
        ("// This Source Code Form is subject to the terms of the Mozilla Public\n"
         "// License, v. 2.0. If a copy of the MPL was not", "MPL-2.0"),
        ("// Distributed under the Boost Software License, Version 1.0.\n", "BSL-1.0"),
        ("// Use of this source code is governed by a BSD-style license that can be\n"
         "// found in the LICENSE file.", ""),
        ("/* Released under the MIT license */", "MIT"),
        ("/* Released under an MIT-style licence */", ""),
        ("# Licensed under the BSD 3-Clause License", "BSD-3-Clause"),
        ("// Licensed under the Apache License, Version 2.0 <LICENSE-APACHE or\n"
         "// http://www.apache.org/licenses/LICENSE-2.0> or the MIT license\n"
         "// <LICENSE-MIT or http://opensource.org/licenses/MIT>, at your\n// option.",
         "Apache-2.0 OR MIT"),
        (BSD_3 + "\nAlternatively, this software may be distributed under the terms of the GNU "
         "General Public License (\"GPL\") version 2", "BSD-3-Clause"),
        (BSD_3 + "\nAlternatively, it may be distributed under the GNU General Public License "
         "version 2", "BSD-3-Clause OR GPL-2.0-only"),
        (MIT, "MIT"),
        ('__license__ = "GPLv3+"', "GPL-3.0-or-later"),
        ("/**\n * @license MIT\n */", "MIT"),
        ("# License: Apache 2.0\n", "Apache-2.0"),
        ("# License: see LICENSE\n", ""),
        ('licence = "MIT"\n', ""),
        ("This text is about the MIT License and the GNU GPL version 3.", ""),
        ("under the Apache License 2.0, under the MIT license, under the ISC license, "
         "under the zlib license", ""),
        ("x " * 9000 + MIT, ""),
    ],
)  # fmt: skip
def test_notice_in_the_head_of_a_file_is_understood(text: str, expected: str) -> None:
    assert of_head(text) == expected


def test_tag_outranks_a_notice() -> None:
    assert of_head(f"/* {MIT} */\n// SPDX-License-Identifier: ISC") == "ISC"


@given(st.text() | st.text(alphabet=st.sampled_from(" \n*<&;licensunderthgpv23.0+()")))
def test_any_text_has_some_answer(text: str) -> None:
    for ask in (of_head, of_licence_file, spdx_tag):
        assert isinstance(ask(text), str)


def test_long_and_hostile_heads_take_no_time() -> None:
    hostile = [
        "under the " * 1000,
        "licence " * 1000,
        "<a" * 4000 + " license",
        "SPDX-License-Identifier: " + "(" * 7000,
        "SPDX-License-Identifier: " + "MIT OR " * 1000,
        "license: " + "(MIT OR ISC) AND " * 15,
        gzip.compress(b"license").hex() * 300,
        "license:" + " " * 6000 + "x",
        "#" * 6000 + "@license" + " " * 100,
    ]
    for text in hostile:
        of_head(text)
        of_licence_file(text)
