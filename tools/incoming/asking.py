"""How the thread of a visit asks the thread of the run."""

import queue
from dataclasses import dataclass
from typing import Any

from .requests import Stopped, Whole
from .work import MailboxWork


@dataclass(frozen=True)
class Asked:
    """What a visit asks for; ``replies`` None: it is over, ``asked`` says why."""

    work: MailboxWork
    asked: Any  # one of the classes of ``visit_requests``; MailError, Stopped or None
    replies: queue.SimpleQueue | None

    @property
    def is_end(self):
        return self.replies is None

    @property
    def messages(self):
        return int(isinstance(self.asked, Whole))

    @property
    def keeps(self):
        """Whether it is heard to the very end of the run."""
        return self.is_end or self.asked.keeps

    @property
    def is_alone(self):
        """Whether it needs a transaction of its own: what is large, what is marked."""
        source = self.asked.raw if self.messages else None
        large = source is not None and source.is_large
        return large or (not self.is_end and self.work.marks.wanted(self.asked))


class Asking:
    """What a visit asks the run with, one thing at a time.

    Called it waits for the answer. ``later`` returns a function that does: the mail
    server can be asked meanwhile.
    """

    def __init__(self, work, requests):
        self._work = work
        self._requests = requests
        self._replies = queue.SimpleQueue()
        self._ended = False

    def end(self):
        """Nobody answers any more: the run is over before the visit."""
        self._ended = True
        self._replies.put(Stopped())

    def __call__(self, asked):
        return self.later(asked)()

    def later(self, asked):
        if self._ended:
            raise Stopped
        self._requests.put(Asked(self._work, asked, self._replies))
        return self._receive

    def _receive(self):
        answer = self._replies.get()
        if isinstance(answer, Stopped):
            raise answer
        return answer
