"""The sentences of ``advice``: what was found, and what to do."""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

# value of mailkit.preflight.verdicts.Verdict -> word
VERDICTS = {
    "pass": _lt("passes"),
    "fail": _lt("fails"),
    "neutral": _lt("neither passes nor fails"),
    "no_policy": _lt("no policy"),
    "unknown": _lt("cannot be judged"),
}

_IF_MISSING = _lt(
    "If answers are missing in their tasks, read the folder of sent mail by IMAP, or "
    "send through another service."
)

# name -> (whether it is a warning, what, what to do or "")
NOTES = {
    "late": (
        True,
        _lt(
            "It was not seen again within a minute: the service may still refuse it, "
            "change its sender, or deliver it late."
        ),
        _lt(
            "Look for “Odoo tests sending from this address” in the mailbox, in its "
            "spam folder too, and see who stands in From."
        ),
    ),
    "junk": (
        True,
        _lt("The mail was sorted into the spam folder."),
        _lt(
            "Mark it as no spam in the mailbox, and look at what SPF, DKIM and DMARC "
            "say: customers' mail services may do the same."
        ),
    ),
    "name": (
        True,
        _lt(
            "The mail service changes the sender name: customers see another one than "
            "Odoo writes."
        ),
        _lt("Enter the name that customers are to see in the mail service's settings."),
    ),
    "reply_to": (
        True,
        _lt(
            "The mail service changes Reply-To: answers go where it says, or to "
            "%(email)s."
        ),
        _lt("Receive replies at this address, so that Odoo reads them there."),
    ),
    "id_told": (
        False,
        _lt(
            "The mail service gives mails a Message-ID of its own, and tells it. Odoo "
            "notes it, so that answers which name it come into their task."
        ),
        "",
    ),
    "id_hidden": (
        False,
        _lt(
            "The mail service gives mails a Message-ID of its own, and does not tell "
            "it. Answers are known by Odoo's mark in References and in the text, and "
            "by the service's copy in the folder of sent mail, where that is read."
        ),
        "",
    ),
    "references": (
        False,
        _lt(
            "The mail service removes References. Answers are known by the Message-ID "
            "and by Odoo's mark in the text."
        ),
        "",
    ),
    "header_lost": (
        True,
        _lt(
            "The mail service replaces the Message-ID without telling it, and removes "
            "References. An answer is known by Odoo's mark in the mail that it quotes, "
            "else by its sender and subject."
        ),
        _IF_MISSING,
    ),
    "all_lost": (
        True,
        _lt(
            "The mail service replaces the Message-ID without telling it, and removes "
            "References and Odoo's mark from the text. An answer is known by its "
            "sender and subject only."
        ),
        _IF_MISSING,
    ),
    "marks": (
        False,
        _lt(
            "The mail service removes Odoo's mark from the text. Answers are known by "
            "their header only."
        ),
        "",
    ),
    "removed": (
        False,
        _lt("Odoo has taken the test mail out of the mailbox again, and nothing else."),
        "",
    ),
    "left": (
        False,
        _lt(
            "The test mail stays in the mailbox: Odoo deletes it only where that "
            "surely touches no other mail. You can delete it."
        ),
        "",
    ),
}

# value of mailkit.preflight.verdicts.Reason -> (what, what to do or "")
REASONS = {
    "dns_failed": (
        _lt("DNS did not answer for %(domain)s."),
        _lt("Try again in a few minutes."),
    ),
    "spf_authorised": (
        _lt("%(domain)s lets this mail service send its mail."),
        "",
    ),
    "spf_authorised_late": (
        _lt(
            "%(domain)s lets this mail service send its mail, but its record has a "
            "fault behind that: %(term)s."
        ),
        _lt("Mend the record: some receivers reject all of it."),
    ),
    "spf_missing": (
        _lt("%(domain)s does not say which servers send its mail."),
        _lt(
            "Let whoever manages its DNS publish an SPF record. What stands in it for "
            "this mail service, the service's help says under “SPF”."
        ),
    ),
    "spf_not_authorised": (
        _lt(
            "%(domain)s does not name this mail service among the servers that send "
            "its mail, so receivers may reject it or take it for spam."
        ),
        _lt("Let whoever manages its DNS change the SPF record."),
    ),
    "spf_neutral": (
        _lt("%(domain)s says nothing about this mail service."),
        _lt("Let whoever manages its DNS change the SPF record."),
    ),
    "spf_several": (
        _lt("%(term)s has several SPF records, so none of them counts."),
        _lt("Let whoever manages its DNS make one of them."),
    ),
    "spf_syntax": (
        _lt("The SPF record of %(domain)s cannot be read: %(term)s."),
        _lt("Let whoever manages its DNS mend this part; nothing of it counts now."),
    ),
    "spf_lookups": (
        _lt("The SPF record of %(domain)s needs more than 10 look-ups."),
        _lt(
            "Let whoever manages its DNS remove what is not used any more: receivers "
            "stop there, and nothing of it counts."
        ),
    ),
    "spf_void": (
        _lt(
            "The SPF record of %(domain)s names more than two servers that do not "
            "exist, such as %(term)s."
        ),
        _lt("Let whoever manages its DNS remove them: nothing of it counts now."),
    ),
    "spf_loop": (
        _lt("The SPF record of %(domain)s includes itself, by way of %(term)s."),
        _lt("Let whoever manages its DNS remove that: nothing of it counts now."),
    ),
    "spf_target": (
        _lt("The SPF record of %(domain)s leads to %(term)s, which has no SPF record."),
        _lt("Let whoever manages its DNS remove that: nothing of it counts now."),
    ),
    "spf_service_unknown": (
        _lt(
            "%(domain)s has an SPF record, but from which servers this mail service "
            "sends is not known here."
        ),
        _lt(
            "See in the service's help under “SPF” what it wants in the record, and "
            "compare: %(record)s"
        ),
    ),
    "spf_other_sender": (
        _lt(
            "This mail service sends in its own name, %(other)s: SPF is its business, "
            "and says nothing for %(domain)s."
        ),
        _lt("Switch on DKIM for %(domain)s in the service's settings."),
    ),
    "dkim_passed": (
        _lt("The test mail was signed for %(domain)s, and the signature is right."),
        "",
    ),
    "dkim_signed": (
        _lt("The test mail was signed for %(domain)s, and the key is published."),
        "",
    ),
    "dkim_key_found": (
        _lt("A key of this mail service is published: %(name)s."),
        _lt("A test mail to yourself shows whether mail is signed with it."),
    ),
    "dkim_failed": (
        _lt("The test mail was signed for %(domain)s, but the signature is not right."),
        _lt("Compare the key at %(name)s with the one in the service's settings."),
    ),
    "dkim_other_domain": (
        _lt("The test mail was signed by %(other)s only, not for %(domain)s."),
        _lt(
            "Switch on DKIM for %(domain)s in the service's settings, and publish the "
            "key that it shows."
        ),
    ),
    "dkim_key_missing": (
        _lt("The test mail was signed, but its key is not published: %(name)s."),
        _lt("Publish there the key that the service's settings show."),
    ),
    "dkim_key_broken": (
        _lt("What is published at %(name)s is no key."),
        _lt("Publish there the key that the service's settings show, as one line."),
    ),
    "dkim_key_revoked": (
        _lt("The key at %(name)s was withdrawn."),
        _lt("Publish there the key that the service's settings show."),
    ),
    "dkim_not_signed": (
        _lt(
            "The test mail was not signed. Many services sign only what leaves them, "
            "so this says little."
        ),
        _lt("Look whether DKIM is switched on for %(domain)s at the service."),
    ),
    "dkim_selector_unknown": (
        _lt("Where this mail service publishes its key is not known here."),
        _lt(
            "Send a test mail to yourself, which shows it, or look whether DKIM is "
            "switched on for %(domain)s at the service."
        ),
    ),
    "dmarc_passed": (
        _lt("Mail from %(domain)s through this service passes DMARC."),
        "",
    ),
    "dmarc_failed": (
        _lt(
            "Neither SPF nor DKIM speaks for %(domain)s. Its policy for such mail: "
            "%(policy)s (%(where)s)."
        ),
        _lt("Mend SPF or DKIM as said above."),
    ),
    "dmarc_open": (
        _lt(
            "%(domain)s has the policy %(policy)s (%(where)s); whether mail through "
            "this service passes cannot be told."
        ),
        _lt("Mend SPF or DKIM as said above, or send a test mail to yourself."),
    ),
    "dmarc_missing": (
        _lt(
            "%(domain)s does not say what becomes of mail that others send in its "
            "name. Large mail services want a policy of who sends much."
        ),
        _lt("Let whoever manages its DNS publish one; this one changes nothing yet."),
    ),
    "dmarc_several": (
        _lt("%(where)s has several DMARC records, so none of them counts."),
        _lt("Let whoever manages its DNS keep one of them: %(record)s"),
    ),
    "dmarc_syntax": (
        _lt("The DMARC record of %(where)s does not count: %(record)s."),
        _lt("Let whoever manages its DNS mend it: “v=DMARC1; p=none” is the least."),
    ),
}
