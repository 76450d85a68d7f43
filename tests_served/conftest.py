"""Fixtures of the tests that need real servers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.testbed.bed import TestBed


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestBed]:
    """Postfix and Dovecot; without them: a skip, or a failure when CI=true."""
    reason = TestBed.missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("bed")
    with TestBed(folder) as running:
        yield running
