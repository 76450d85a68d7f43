"""Fixtures of the tests of access tokens, see ``conftest.py``."""

from collections.abc import Callable, Iterator

import pytest

from devtools.served import ServedOdoo
from devtools.testbed.token_service import TokenService


@pytest.fixture(scope="session")
def alone(new_odoo: Callable[..., ServedOdoo]) -> ServedOdoo:
    """An Odoo whose scheduled actions do not run by themselves."""
    return new_odoo(cron_threads=0)


@pytest.fixture
def strict() -> Iterator[TokenService]:
    """A service that takes each refresh token once: the next use ends all."""
    with TokenService(rotate=True) as service:
        yield service
