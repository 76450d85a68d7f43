"""Odoo's program with its test suites run late, and every result written down.

Run as ``python run_suites.py ...`` with the arguments of ``odoo``; MEA_SUITES_REPORT
names the report, a JSON object a line: test, outcome, said, queries, browser.

Odoo runs "at_install" tests as soon as their own module is loaded: the addon, which
depends on these modules, would not be there yet. Here they run when all is loaded.
"""

import json
import os
import sys

import odoo.cli
from odoo import sql_db
from odoo.tests import HttpCase, loader, result

_REPORT = open(os.environ["MEA_SUITES_REPORT"], "a", buffering=1)


def _write(**line):
    _REPORT.write(json.dumps(line) + "\n")


class RecordingResult(result.OdooTestResult):
    """Odoo's own result, which also writes down how each test ended."""

    def startTest(self, test):
        super().startTest(test)
        self._sql_before = sql_db.sql_counter

    def addSuccess(self, test):
        super().addSuccess(test)
        self._record(test, "passed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._record(test, "skipped", reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._record(test, "failed", err[1])

    def addError(self, test, err):
        super().addError(test, err)
        self._record(test, "error", err[1])

    def _record(self, test, outcome, said=""):
        if self._soft_fail:
            return  # Odoo tries this test again
        queries = sql_db.sql_counter - getattr(self, "_sql_before", 0)
        test = getattr(test, "test_case", test)  # the test of a sub-test
        said = " ".join(str(said).split())[:500]
        _write(
            test=test.id(),
            outcome=outcome,
            said=said,
            queries=queries,
            browser=isinstance(test, HttpCase),
        )


def _make_suite_late(module_names, position="at_install", core=loader.make_suite):
    if position == "at_install":
        return loader.OdooSuite()
    tests = [*core(module_names, "at_install"), *core(module_names, position)]
    return loader.OdooSuite(tests)


loader.make_suite = _make_suite_late
loader.OdooTestResult = RecordingResult
try:
    odoo.cli.main()
except SystemExit as end:
    _write(ended=end.code or 0)
    sys.exit(end.code)
