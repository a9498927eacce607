"""Hypothesis without deadlines: what takes long is for benchmarks/ to tell, on a quiet machine.

The processes of the end-to-end tests of `dedup serve` are shared by all of them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from command import books, run, timetable  # noqa: F401 fixtures
from hypothesis import settings

if TYPE_CHECKING:
    from host import Hosts

settings.register_profile("dedup", parent=settings.default, deadline=None)
settings.load_profile("dedup")


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Hosts]":
    """Servers over the index of tests/data, before a scripted upstream."""
    from host import Hosts, Upstream  # needs what only these tests need

    upstream = Upstream()
    hosts = Hosts(tmp_path_factory.mktemp("hosts"), upstream)
    yield hosts
    hosts.stop()
    upstream.stop()
