"""The pytest fixture ``slicer_host``: an empty scene for each test, which fails for what went wrong silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from Testing.slicer_host.availability import missing_reason

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host


@pytest.fixture
def slicer_host() -> Iterator[Host]:
    """A running host. After the test its modules are unloaded, and the test fails if

    an exception was printed in a slot or observer, VTK reported an error, a dialog opened that nobody answered, an
    observer of the scene was left behind, or a process the test started still lives.
    """
    if (reason := missing_reason()) is not None:
        pytest.skip(reason)
    from Testing.slicer_host.checks import Checks
    from Testing.slicer_host.host import start_host

    host = start_host()
    checks = Checks(host)
    yield host
    failures = checks.finish()
    host.reset()
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)
