"""What mail services ask their customers to publish in DNS.

As their help pages on "SPF" and "DKIM" for a customer's own domain said in November
2026. Of a service that is not here nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """`includes`: domains that customers include in SPF, the one to recommend first.
    `selectors`: those that its DKIM keys are published under.
    """

    includes: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()


_GOOGLE = Service(("_spf.google.com",), ("google",))
_MICROSOFT = Service(("spf.protection.outlook.com",), ("selector1", "selector2"))
_MOST_LABELS = 4
#: By the host that mail is submitted to, or the end of its name.
_BY_HOST = {
    "gmail.com": _GOOGLE,
    "google.com": _GOOGLE,
    "office365.com": _MICROSOFT,
    "outlook.com": _MICROSOFT,
    "zoho.eu": Service(("zoho.eu", "zohomail.eu")),
    "zoho.com": Service(("zoho.com", "zohomail.com", "one.zoho.com")),
    "fastmail.com": Service(("spf.messagingengine.com",), ("fm1", "fm2", "fm3")),
    "mailbox.org": Service(("mailbox.org",), ("mbo0001", "mbo0002")),
    "ovh.net": Service(("mx.ovh.com",), ("ovhmo-selector-1", "ovhmo-selector-2")),
    "ionos.com": Service(
        ("_spf-eu.ionos.com", "_spf-us.ionos.com"), ("s1-ionos", "s2-ionos")
    ),
    "me.com": Service(("icloud.com",), ("sig1",)),
    "seznam.cz": Service(("spf.seznam.cz",)),
    "amazonaws.com": Service(("amazonses.com",)),
    "sendgrid.net": Service(("sendgrid.net",), ("s1", "s2")),
    "mailgun.org": Service(("mailgun.org",), ("mailo", "smtp", "pic")),
    "mailjet.com": Service(("spf.mailjet.com",), ("mailjet",)),
    "brevo.com": Service(("spf.brevo.com", "spf.sendinblue.com"), ("mail",)),
    "postmarkapp.com": Service(("spf.mtasv.net",)),
    "migadu.com": Service(("spf.migadu.com",), ("key1", "key2", "key3")),
}


def of_host(host: str) -> Service:
    """The service that a host of SMTP is of; an empty one when it is not known."""
    labels = host.lower().rstrip(".").split(".")[-_MOST_LABELS:]
    for number in range(len(labels) - 1):
        found = _BY_HOST.get(".".join(labels[number:]))
        if found:
            return found
    return Service()
