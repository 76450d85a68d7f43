"""Having the run judge headers: as many as it has time for, then the next ones."""

from .requests import Seen


class Slices:
    """Headers of one batch; iterating gives (begin, wanted) for each slice of them.

    ``wanted``: positions from ``begin`` on. What is wanted is handed over before the
    next slice is asked for. The first one is judged from now on.

    :param names: UIDs or UIDLs
    :param headers: list of mailkit headers, with ``raw`` and ``truncated``
    :param done: returns what to keep after these positions, given (begin, end)
    :param bool one_by_one: whether each is asked for alone
    """

    def __init__(
        self, folder, names, headers, done, ask, *, one_by_one=False, validity=0
    ):
        self._folder, self._names, self._headers = folder, names, headers
        self._done, self._ask, self._validity = done, ask, validity
        self._one_by_one = one_by_one
        self._answer = self._begin(0) if headers else None

    def __iter__(self):
        begin = 0
        while begin < len(self._headers):
            choice = self._answer()
            if not choice.judged:  # one of them makes trouble: which one?
                self._one_by_one = True
                self._answer = self._begin(begin)
                continue
            end = begin + choice.judged
            yield begin, choice.wanted
            if choice.wanted or end < self._end(begin):
                self._ask(self._done(begin, end))
            begin = end
            if begin < len(self._headers):
                self._answer = self._begin(begin)

    def _end(self, begin):
        return begin + 1 if self._one_by_one else len(self._headers)

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
