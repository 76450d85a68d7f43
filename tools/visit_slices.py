"""Having the run judge headers: some at a time, so that it is never kept for long."""

from .visit_requests import Seen

# So many headers are judged at a time. Where Odoo ended the last time, one by one, for
# as many as can have been in question.
_AT_ONCE = 50
_CAREFUL = _AT_ONCE + 10


class Slices:
    """Headers of one batch; iterating gives (begin, wanted, end) for each slice.

    ``wanted``: positions from ``begin`` on. What is wanted is handed over before the
    next slice is asked for. The first one is judged from now on.

    :param names: UIDs or UIDLs
    :param headers: list of mailkit headers, with ``raw`` and ``truncated``
    :param done: returns what to keep after these positions, given (begin, end)
    """

    def __init__(self, folder, names, headers, done, ask, *, one_by_one=0, validity=0):
        self._folder, self._names, self._headers = folder, names, headers
        self._done, self._ask, self._validity = done, ask, validity
        self._one_by_one = one_by_one
        self._answer = self._begin(0) if headers else None

    def __iter__(self):
        begin = 0
        while begin < len(self._headers):
            choice = self._answer()
            if not choice.judged:  # one of them makes trouble: which one?
                self._one_by_one = len(self._headers)
                self._answer = self._begin(begin)
                continue
            end = begin + choice.judged
            yield begin, choice.wanted, end
            if choice.wanted or end < self._end(begin):
                self._ask(self._done(begin, end))
            begin = end
            if begin < len(self._headers):
                self._answer = self._begin(begin)

    def _end(self, begin):
        count = 1 if begin < self._one_by_one else _AT_ONCE
        return min(begin + count, len(self._headers))

    def _begin(self, begin):
        end = self._end(begin)
        some = self._headers[begin:end]
        return self._ask.later(
            Seen(
                self._folder,
                tuple(self._names[begin:end]),
                tuple(header.raw for header in some),
                frozenset(n for n, header in enumerate(some) if header.truncated),
                self._done(begin, end),
                self._validity,
            )
        )


def one_by_one(job):
    """How many headers of a batch are judged one by one."""
    return _CAREFUL if job.careful else 0
