"""Builds ``dedup._core``, the native core, with pybind11.

``DEDUP_SANITIZE=1`` makes an address- and undefined-behaviour-checked build (see ``.ci/run``).
Faster bodies for AVX2 machines are compiled per function and chosen at run time, so one wheel
serves every x86-64 machine; ``-march=native`` is never used.
"""

import os
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

compile_args = ["-O3", "-Wall", "-Wextra", "-fno-math-errno"]
link_args: list[str] = []
if os.environ.get("DEDUP_SANITIZE") == "1":
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    compile_args = ["-O1", "-g", "-fno-omit-frame-pointer", "-Wall", "-Wextra", *sanitize]
    link_args = sanitize

ParallelCompile("DEDUP_BUILD_JOBS", default=2).install()

setup(
    ext_modules=[
        Pybind11Extension(
            "dedup._core",
            sorted(str(path) for path in Path("csrc").glob("*.cpp")),
            depends=sorted(str(path) for path in Path("csrc").glob("*.h")),
            include_dirs=["csrc"],
            cxx_std=20,
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
    ],
    cmdclass={"build_ext": build_ext},
)
