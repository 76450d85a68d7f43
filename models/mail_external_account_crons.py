from odoo import api, models

_MODULE = "mail_external_account"


class MailExternalAccount(models.Model):
    """How many scheduled actions do the same work side by side.

    A scheduled action runs on one worker at a time (base, ``ir_cron.py``). Identical
    ones share the work between workers and hosts: every account is claimed.
    """

    _inherit = "mail.external.account"

    @api.model
    def _identical_crons(self, work):
        """The scheduled actions for one kind of work, the original first.

        :param str work: "deliver" or "fetch"
        :return: ir.cron in superuser mode
        """
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
        return self.env["ir.cron"].sudo().browse(rows.mapped("res_id")).exists()

    @api.model
    def _set_identical_crons(self, work, count):
        """Make or remove copies until there are ``count``, at least the original."""
        crons = self._identical_crons(work)
        crons[max(count, 1) :].unlink()
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
    def _threads(self, work, default):
        """How many accounts one scheduled action deals with at a time.

        :param str work: "deliver" or "fetch"
        :param int default: when the system parameter holds no number
        """
        parameters = self.env["ir.config_parameter"].sudo()
        text = parameters.get_param(f"{_MODULE}.{work}_threads") or ""
        return max(int(text), 1) if text.strip().isdecimal() else default

    @api.model
    def _running_cron(self, work):
        """The scheduled action that runs now, else the original."""
        running = self.env["ir.cron"].browse(self.env.context.get("cron_id"))
        return running or self.env.ref(f"{_MODULE}.ir_cron_{work}")

    @api.model
    def _wake_identical_crons(self, work):
        """There is more to do than one can: the others share it."""
        for cron in self._identical_crons(work) - self._running_cron(work):
            cron._trigger()
