import logging

from odoo import api, models
from odoo.tools import convert_file

_logger = logging.getLogger(__name__)

_MODULE = "mail_external_account"
_DATA = "data/ir_cron_data.xml"


class IrCron(models.Model):
    """How many scheduled actions of ours do the same work side by side.

    A scheduled action runs on one worker at a time (base, ``ir_cron.py``). Identical
    ones share the work between workers and hosts: every account is claimed. ``work``
    is "deliver" or "fetch" in all of this.
    """

    _inherit = "ir.cron"

    @api.model
    def _external_crons(self, work):
        """The scheduled actions for one kind of work, the original first (sudo)."""
        # sudo: a manager of addresses need not be one of Odoo
        known = self.env["ir.model.data"].sudo()
        rows = known.search(
            [
                ("module", "=", _MODULE),
                ("model", "=", "ir.cron"),
                ("name", "=like", f"ir_cron_{work}%"),
            ],
            order="id",
        )
        return self.sudo().browse(rows.mapped("res_id")).exists()

    @api.model
    def _external_active_crons(self, work):
        """Those that do something: an administrator may have archived or deleted some
        of them, or all."""
        return self._external_crons(work).filtered("active")

    @api.model
    def _external_set_count(self, work, count):
        """Make or remove copies until there are ``count``, at least one, and active.

        The original is made again where an administrator deleted it.
        """
        crons = self._external_crons(work)
        if not crons:
            # "update": what is there stays as the administrator has set it
            convert_file(self.env(su=True), _MODULE, _DATA, {}, mode="update")
            crons = self._external_crons(work)
        crons[max(count, 1) :].unlink()
        crons = crons.exists()
        crons.filtered(lambda cron: not cron.active).active = True
        for number in range(len(crons) + 1, count + 1):
            copy = crons[0].copy({"name": f"{crons[0].name} ({number})"})
            # With a name of its own it is removed together with the addon.
            self.env["ir.model.data"].sudo().create(
                {
                    "module": _MODULE,
                    "name": f"ir_cron_{work}_{copy.id}",
                    "model": "ir.cron",
                    "res_id": copy.id,
                    "noupdate": True,
                }
            )

    @api.model
    def _external_threads(self, work, default):
        """How many accounts one scheduled action deals with at a time.

        :param int default: when the system parameter holds no number
        """
        parameters = self.env["ir.config_parameter"].sudo()
        text = parameters.get_param(f"{_MODULE}.{work}_threads") or ""
        return max(int(text), 1) if text.strip().isdecimal() else default

    @api.model
    def _external_trigger(self, work, at=None):
        """Have the scheduled action that runs now, else the first one, run again.

        Without any the work waits; nobody's own work fails because of that.

        :param datetime at: not before; None: at once
        """
        crons = self._external_active_crons(work)
        if crons:
            crons._external_running()._trigger(at=at)
            return
        _logger.warning(
            "The scheduled action %s.ir_cron_%s was deleted or archived: what it does "
            "for external addresses waits. Enter a number in General Settings > "
            "External Addresses to have it again.",
            _MODULE,
            work,
        )

    def _external_running(self):
        """The one of these that runs now, else the first. No other one: the context may
        be a remote caller's."""
        running = self.filtered(lambda c: c.id == self.env.context.get("cron_id"))
        return (running or self)[:1]

    @api.model
    def _external_wake_others(self, work):
        """There is more to do than one can: the others share it."""
        crons = self._external_active_crons(work)
        for cron in crons - crons._external_running():
            cron._trigger()
