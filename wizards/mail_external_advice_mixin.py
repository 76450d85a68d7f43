from odoo import api, fields, models
from odoo.exceptions import UserError

from ..mailkit.checks import Step
from ..mailkit.message.fields import without_surrogates
from ..tools import service_habits, vault
from ..tools.connect import advice, test
from ..tools.connect.turn import Turn, connection_returned


class MailExternalAdviceMixin(models.AbstractModel):
    """What the connect window offers besides the test: a mail to oneself, and how
    receivers will judge the address (SPF, DKIM, DMARC). Neither is needed for saving.
    """

    _name = "mail.external.advice.mixin"
    _description = "Advice of the Connect Window"

    offers_round_trip = fields.Boolean(compute="_compute_offers_round_trip")
    # What came back of the last mail to oneself: facts of tools/connect/round_trip.py,
    # and the fingerprint of the settings that it was sent with.
    round_trip = fields.Json(groups=fields.NO_ACCESS)

    @api.depends("incoming_protocol", "receive_replies", "account_id", "address_id")
    def _compute_offers_round_trip(self):
        for window in self:
            offered = set(test.offered(window)) - set(test.steps(window))
            window.offers_round_trip = Step.ROUND_TRIP in offered

    def cancel_check(self):
        """Whoever waits for a test mail need not any more: the check that is under way
        ends in some seconds, and its turn with it."""
        self.ensure_one()
        self.check_access("write")
        Turn(self, "cancel").note_attempt()

    def run_preflight(self):
        """How receivers judge mail from the address through this service, as far as DNS
        and the last test mail tell. Advice: nothing depends on it.

        :return: list of dict, see ``advice.told``
        :raise UserError: the test has not passed; or as ``run_check``
        """
        self.ensure_one()
        self._check_preflight()
        with Turn(self, "preflight").taken(advice.DNS_SECONDS + 5.0):
            self._check_preflight()
            head = self._round_trip_facts().get("head", "")
            judged = advice.prepared_preflight(self, head)
            with connection_returned(self.env):
                findings = judged()
        return advice.told(self.env, findings)

    def _check_preflight(self):
        self._check_rights()
        self._check_address()
        if test.untested(self):
            raise UserError(self.env._("Let the test pass first."))

    # The mail to oneself

    def _keep_round_trip(self, result, fingerprint):
        """Remember what a mail that came back has shown."""
        facts = {name: _storable(value) for name, value in result.facts.items()}
        self.sudo().round_trip = {**facts, "fingerprint": fingerprint}

    def _round_trip_facts(self):
        """Those of a mail that was sent with exactly these settings, else none."""
        facts = self.sudo().round_trip or {}
        current = test.settings_fingerprint(self)
        if not vault.same_fingerprint(facts.get("fingerprint") or "", current):
            return {}
        return facts

    def _service_habits(self):
        """What is kept of it on the account; False: nothing came back."""
        return service_habits.kept(self._round_trip_facts())


def _storable(value):
    """What a server wrote, without what PostgreSQL's JSON does not take."""
    if not isinstance(value, str):
        return value
    return without_surrogates(value.replace("\0", " "))
