"""How many threads of a process wait for one mail service that gives access tokens.

A service that hangs keeps whoever asks it for as long as one answer may take. Many
accounts sign in at the same one, and those that send or read for them are few: without
this, mail of all others would wait as well.

So only some ask a service at a time. When it did not answer it is left alone for a
while, and then asked by one, until it answers again. What it refuses at once holds up
nobody; that each account waits then stands in its row (``tokens``).
"""

import threading
import time
from contextlib import contextmanager

# How many ask one service at a time: half of those that deliver by default.
MOST = 4
# Seconds that one waits for others to have their answers.
_PATIENCE = 2.0
# A failure that took so many seconds holds up others.
_SLOW_SECONDS = 5.0
# Seconds that a service is left alone then: after the first one, the second in a row...
_CLOSED_SECONDS = (15.0, 30.0, 60.0)
# Seconds after which to come again where there was no room.
_CROWDED_SECONDS = 10.0


class Gate:
    """The way to one service."""

    def __init__(self):
        self._changed = threading.Condition()
        self._inside = 0
        self._is_crowded = False  # somebody has waited in vain since the last one left
        self._slow = 0  # how often in a row it did not answer
        self._closed_until = 0.0

    @contextmanager
    def entered(self):
        """Inside, the service may be asked, unless there is something to wait for.

        An exception inside is a failure of the service.

        :return: seconds after which to come again; 0.0: it may be asked now
        """
        if wait := self._enter():
            yield wait
            return
        began, slow = time.monotonic(), False
        try:
            yield 0.0
        except BaseException:
            slow = time.monotonic() - began > _SLOW_SECONDS
            raise
        finally:
            self._leave(slow)

    def _enter(self):
        with self._changed:
            if not (self._has_room() or self._is_crowded):
                # Nobody else has to find out by waiting.
                self._is_crowded = not self._changed.wait_for(self._has_room, _PATIENCE)
            left = self._closed_until - time.monotonic()
            if left > 0:
                return left + 1.0
            if not self._has_room():
                return _CROWDED_SECONDS
            self._inside += 1
            return 0.0

    def _has_room(self):
        return self._inside < (1 if self._slow else MOST)

    def _leave(self, slow):
        with self._changed:
            self._inside -= 1
            self._is_crowded = False
            now = time.monotonic()
            if not slow:
                self._slow, self._closed_until = 0, 0.0
            elif now >= self._closed_until:
                last = len(_CLOSED_SECONDS) - 1
                self._closed_until = now + _CLOSED_SECONDS[min(self._slow, last)]
                self._slow += 1
            self._changed.notify_all()


_gates = {}
_lock = threading.Lock()


def gate_of(endpoint):
    """
    :param str endpoint: where tokens are given, whichever application asks
    :rtype: Gate
    """
    with _lock:
        return _gates.setdefault(endpoint, Gate())
