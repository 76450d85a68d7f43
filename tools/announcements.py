"""What is looked at once a day, so that people hear of it before the day."""

import logging

from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from . import password_end
from .oauth2 import expiry

_logger = logging.getLogger(__name__)

# Functions of an environment. What they have told they note, so that it is told once.
_ANNOUNCEMENTS = (expiry.announce, password_end.announce)


def run(env):
    """Make all announcements that are due; one that fails does not stop the others."""
    for announce in _ANNOUNCEMENTS:
        env.flush_all()
        try:
            with env.cr.savepoint():
                announce(env)
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            raise
        except Exception:
            _logger.exception("Announcement %s failed", announce.__module__)
