from xmlrpc.client import Fault

from odoo.tests import HttpCase

from .common import ExternalAccountCase


class RemoteCase(ExternalAccountCase, HttpCase):
    """As people's programs and browsers call Odoo."""

    def call(self, user, record, method, **kwargs):
        call = (record._name, method, [record.ids], kwargs)
        return self.xmlrpc_object.execute_kw(
            self.env.cr.dbname, user.id, user.login, *call
        )

    def refusal(self, user, record, method, **kwargs):
        """:return: (code of the kind of error, what the caller is told)"""
        with self.assertRaises(Fault) as caught:
            self.call(user, record, method, **kwargs)
        return caught.exception.faultCode, caught.exception.faultString
