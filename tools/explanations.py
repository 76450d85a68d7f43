"""What an error code means to a user: why it happened, and what to do about it."""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

# code of mailkit.errors.ErrorCode (or of ours, at the end) -> (cause, remedy)
TEXTS = {
    "settings_invalid": (
        _lt("One of the settings cannot be right."),
        _lt("Check host and port: a port is a number from 1 to 65535."),
    ),
    "address_invalid": (
        _lt("This is not one valid e-mail address."),
        _lt("Enter it as name@example.com, without a display name."),
    ),
    "ca_invalid": (
        _lt("The additional CA certificate is not readable."),
        _lt("Paste the whole certificate in PEM form, from BEGIN to END."),
    ),
    "host_not_found": (
        _lt("There is no server of this name."),
        _lt("Check the spelling of the host name in the help of your mail service."),
    ),
    "host_private": (
        _lt("There is no server of this name outside the internal network."),
        _lt(
            "Check the spelling of the host name in the help of your mail service. For "
            "your company's own server use its public name, or ask your administrator "
            "to allow internal mail servers in the settings."
        ),
    ),
    "port_refused": (
        _lt("The server accepts no connections on this port."),
        _lt("Check the port: usually 465 or 587 (SMTP), 993 (IMAP), 995 (POP3)."),
    ),
    "unreachable": (
        _lt("The server cannot be reached."),
        _lt("Check host and port; a firewall may block the way from Odoo's server."),
    ),
    "timeout": (
        _lt("The server did not answer in time."),
        _lt("Check host and port, and try again; a firewall may block the way."),
    ),
    "connection_lost": (
        _lt("The server broke off the connection."),
        _lt("Try again in a few minutes; if it stays so, ask the mail service."),
    ),
    "not_mail_server": (
        _lt("Something answers there, but it is not a mail server of this kind."),
        _lt("Check host and port, and that the port is that of this protocol."),
    ),
    "protocol_error": (
        _lt("The server gave an answer that makes no sense."),
        _lt("Check host and port; if they are right, ask the mail service."),
    ),
    "tls_expected_plain": (
        _lt("This port does not use SSL/TLS from the start."),
        _lt("Choose STARTTLS as security, or the SSL/TLS port of the service."),
    ),
    "plain_expected_tls": (
        _lt("This port expects SSL/TLS from the start."),
        _lt("Choose SSL/TLS as security, or the STARTTLS port of the service."),
    ),
    "tls_required": (
        _lt("The server wants an encrypted connection."),
        _lt("Choose STARTTLS or SSL/TLS as security."),
    ),
    "tls_failed": (
        _lt("No encrypted connection could be agreed on."),
        _lt("The server's encryption is too old or misconfigured: tell its operator."),
    ),
    "starttls_missing": (
        _lt("The server does not offer STARTTLS on this port."),
        _lt("Choose SSL/TLS with its port, or ask the mail service for the settings."),
    ),
    "cert_untrusted": (
        _lt("The server's certificate is not signed by a trusted authority."),
        _lt(
            "Check the host name. If the server uses your company's own authority, "
            "paste its certificate as “Additional CA Certificate”."
        ),
    ),
    "cert_expired": (
        _lt("The server's certificate has expired or is not valid yet."),
        _lt("Tell the operator of the mail server; nothing was sent to it."),
    ),
    "cert_name_mismatch": (
        _lt("The server's certificate is for another host name."),
        _lt("Enter the host name that the mail service gives in its help."),
    ),
    "login_refused": (
        _lt("The mail server refused the user name or the password."),
        _lt(
            "Type both again. With two-factor sign-in the service wants an app "
            "password instead of the usual one."
        ),
    ),
    "login_required": (
        _lt("The server wants a sign-in first."),
        _lt("Enter the user name and the password of the mailbox."),
    ),
    "app_password_required": (
        _lt("This service does not accept the usual password from programs."),
        _lt("Create an app password at the mail service and enter it here."),
    ),
    "oauth_required": (
        _lt("This service no longer accepts passwords from programs."),
        _lt(
            "Choose “Sign in” instead of a password, where the window offers it; else "
            "ask your administrator to register Odoo with the service."
        ),
    ),
    "web_login_required": (
        _lt("The service wants you to confirm this sign-in on its web page."),
        _lt("Open your mailbox in the browser, confirm the sign-in, and test again."),
    ),
    "login_disabled": (
        _lt("Access by programs is switched off for this mailbox."),
        _lt(
            "Switch on SMTP, IMAP or POP3 in the mailbox's settings and test again. "
            "Who signs in to somebody else's mailbox needs full access to it."
        ),
    ),
    "auth_unavailable": (
        _lt("The server offers no way to sign in on this connection."),
        _lt("Choose STARTTLS or SSL/TLS, or the port for sending by users (587, 465)."),
    ),
    "login_busy": (
        _lt("The server takes no sign-in now: too many attempts or connections."),
        _lt("Wait a few minutes, then try again."),
    ),
    "account_locked": (
        _lt("The mail service has locked this mailbox."),
        _lt("Unlock it on the service's web page or ask its support."),
    ),
    # With a sign-in at the service's own page instead of a password
    "token_refused": (
        _lt("The mail server does not take this sign-in for the mailbox."),
        _lt(
            "Sign in again as somebody who may use it. A shared mailbox gives that "
            "person full access and “Send as”; at Microsoft 365 an administrator also "
            "switches on SMTP, IMAP or POP3 for the mailbox."
        ),
    ),
    "smtp_auth_disabled": (
        _lt(
            "Sending by programs (SMTP AUTH) is switched off for this mailbox or the "
            "whole organization."
        ),
        _lt(
            "A Microsoft 365 administrator switches it on: in the admin center under "
            "Active users > the user > Mail > Manage email apps > Authenticated SMTP; "
            "or in PowerShell: Set-CASMailbox -Identity MAILBOX "
            "-SmtpClientAuthenticationDisabled $false. Where security defaults are on "
            "in Microsoft Entra, it stays off."
        ),
    ),
    "oauth_ended": (
        _lt(
            "The sign-in with the mail service has ended: it expired or was withdrawn, "
            "or the password was changed."
        ),
        _lt("Sign in again; addresses and waiting mail stay as they are."),
    ),
    "oauth_denied": (
        _lt("The mail service did not allow the sign-in, or it was cancelled."),
        _lt(
            "Sign in again and allow what is asked for; if the service itself says no, "
            "ask your administrator."
        ),
    ),
    "oauth_consent": (
        _lt("A permission to read or send mail is missing."),
        _lt(
            "Sign in again and allow everything that is asked for. If the service "
            "wants an administrator's consent, ask your administrator to give it to "
            "Odoo's application."
        ),
    ),
    "oauth_policy": (
        _lt(
            "A rule of your organization stops the sign-in: it wants a second factor, "
            "a managed device, or that you are assigned to Odoo's application."
        ),
        _lt(
            "Sign in again and do what the service asks for. If it stays so, ask your "
            "administrator to let Odoo's application in."
        ),
    ),
    "oauth_client": (
        _lt("The mail service does not know Odoo's application or its secret."),
        _lt(
            "An administrator checks client ID and secret of the application in the "
            "settings; waiting mail then leaves by itself."
        ),
    ),
    "oauth_secret_expired": (
        _lt("The client secret of Odoo's application has expired."),
        _lt(
            "An administrator makes a new one at the mail service and enters it in the "
            "settings; waiting mail then leaves by itself."
        ),
    ),
    "oauth_tenant": (
        _lt(
            "The mailbox is of another organization than Odoo's application, or there "
            "is no such organization (tenant)."
        ),
        _lt(
            "Sign in with a mailbox of your organization; an administrator checks the "
            "tenant of the application and which accounts it is registered for."
        ),
    ),
    "oauth_redirect": (
        _lt("The mail service does not know the address that it is to lead back to."),
        _lt(
            "An administrator copies the redirect address from the application in Odoo "
            "into the application at the service, letter by letter."
        ),
    ),
    "oauth_state": (
        _lt("This sign-in was not started by you in this window, or is over already."),
        _lt("Start it again from the window, in the same browser."),
    ),
    "oauth_busy": (
        _lt("The mail service's sign-in is busy or in trouble."),
        _lt("It is tried again by itself."),
    ),
    "oauth_failed": (
        _lt("The mail service's sign-in cannot be reached, or answers nonsense."),
        _lt(
            "It is tried again by itself. If it stays so, an administrator checks the "
            "addresses of the application and the way from Odoo's server to them."
        ),
    ),
    "oauth_busy_once": (
        _lt("The mail service's sign-in is busy or in trouble."),
        _lt("Try again in some minutes."),
    ),
    "oauth_failed_once": (
        _lt("The mail service's sign-in cannot be reached, or answers nonsense."),
        _lt(
            "Try again in some minutes. If it stays so, an administrator checks the "
            "addresses of the application and the way from Odoo's server to them."
        ),
    ),
    "oauth_library": (
        _lt("Odoo's server lacks the package that signs in with mail services."),
        _lt(
            "The administrator installs it (pip install oauthlib) and restarts Odoo; "
            "passwords work without."
        ),
    ),
    "sender_refused": (
        _lt("The server does not let this account send from this address."),
        _lt(
            "Let the mail service add the address to the mailbox as an alias, or the "
            "right to send as it; or sign in as the mailbox that owns the address. "
            "Then test it again."
        ),
    ),
    "sender_replaced": (
        _lt("The server sends, but with another address in From than this one."),
        _lt(
            "Let the mail service confirm the address as one that the mailbox may send "
            "as (often “Send mail as”), then test it again."
        ),
    ),
    "not_seen": (
        _lt(
            "The server took the test mail, but it was not seen in the mailbox within "
            "a minute."
        ),
        _lt(
            "Look for “Odoo tests sending from this address” in the mailbox, in its "
            "spam folder too. If it comes later, the mail service is slow: send "
            "another one. If it does not come, ask the mail service what became of it."
        ),
    ),
    "cancelled": (
        _lt("The test was cancelled."),
        _lt("A mail that was sent for it may still come, and can be deleted."),
    ),
    "not_arrived": (
        _lt("A mail to this address was not seen in the mailbox that is read here."),
        _lt(
            "If its mail goes into another mailbox, switch off “Receive replies”: then "
            "answers go to Odoo. Else look where the mail “Odoo looks for this mail” "
            "went (a rule, the spam folder), and test again."
        ),
    ),
    "no_own_server": (
        _lt("Odoo's own mail server did not take the mail that is to be looked for."),
        _lt(
            "Ask your administrator to set up an outgoing mail server, or switch off "
            "“Receive replies”."
        ),
    ),
    "sign_in_withdrawn": (
        _lt("The person whose sign-in this was has withdrawn it, or has left."),
        _lt(
            "Choose “Connect” and sign in with the mailbox's own password, or with "
            "somebody else's sign-in."
        ),
    ),
    "relay_denied": (
        _lt("The server does not accept mail to other domains from this account."),
        _lt("Use the service's server for sending, with user name and password."),
    ),
    "recipient_unknown": (
        _lt("There is no mailbox with this address."),
        _lt("Correct the contact's e-mail address and send again."),
    ),
    "recipient_refused": (
        _lt("The recipient's server refused this recipient."),
        _lt("Ask the recipient in another way whether they may get mail from you."),
    ),
    "mailbox_full": (
        _lt("The recipient's mailbox is full."),
        _lt("Tell the recipient in another way, and send again later."),
    ),
    "quota_exceeded": (
        _lt("The mail service's sending limit is reached."),
        _lt("Waiting mail leaves by itself when the service allows it again."),
    ),
    "message_too_large": (
        _lt("The message is larger than the server allows."),
        _lt("Send a smaller attachment, or a link to it."),
    ),
    "content_refused": (
        _lt("The server takes the message for unwanted mail."),
        _lt("Change the text or the attachments, or ask the mail service."),
    ),
    "smtputf8_missing": (
        _lt("The server does not support this internationalised address."),
        _lt("Use an address with plain letters before the @."),
    ),
    "temporary": (
        _lt("The server cannot take the message right now."),
        _lt("It is tried again by itself."),
    ),
    "refused": (
        _lt("The server refused the message."),
        _lt("Its answer tells more; if it is unclear, ask the mail service."),
    ),
    "listing_failed": (
        _lt("The mailbox cannot be listed."),
        _lt("Check in the mailbox's settings that programs may read it."),
    ),
    "uidl_missing": (
        _lt("The server cannot tell messages apart (no UIDL)."),
        _lt("Use IMAP for this mailbox."),
    ),
    "top_missing": (
        _lt("The server cannot show a message without marking it as read (no TOP)."),
        _lt("Use IMAP for this mailbox."),
    ),
    "folder_missing": (
        _lt("This folder is not in the mailbox (any more)."),
        _lt("Choose the folders to read again."),
    ),
    "fetch_failed": (
        _lt("The server could not read a message or search the mailbox."),
        _lt("Odoo tries again; if it stays so, ask the mail service."),
    ),
    "message_gone": (
        _lt("The message was moved or deleted before Odoo could read it."),
        _lt("Move it back to the inbox if it belongs into Odoo."),
    ),
    "message_oversized": (
        _lt("The message is larger than Odoo takes from a mailbox."),
        _lt("Read it in the mailbox, and ask the sender for a smaller one."),
    ),
    "append_refused": (
        _lt("The server keeps no copy in the folder of sent mail."),
        _lt("Its answer tells more; the mailbox may be full."),
    ),
    # Not from a mail server
    "unreadable": (
        _lt("The mail server could not hand this message out to Odoo."),
        _lt(
            "Open it in the mailbox. If it belongs into Odoo, move it to another "
            "folder and back: then it is read again."
        ),
    ),
    "too_slow": (
        _lt("The mail server is too slow: Odoo could not fetch this message in time."),
        _lt(
            "Open it in the mailbox. If it belongs into Odoo, move it to another "
            "folder and back when the server is faster: then it is read again."
        ),
    ),
    "too_heavy": (
        _lt("Odoo takes too long to look at this message."),
        _lt("Open it in the mailbox; it was perhaps made to stop Odoo."),
    ),
    "fetched_by_odoo": (
        _lt("One of Odoo's own incoming mail servers fetches this mailbox."),
        _lt(
            "It is not read a second time: let an administrator archive that server "
            "(Settings > Technical > Incoming Mail Servers); then reading goes on by "
            "itself. Or switch off “Receive replies” in the connect window."
        ),
    ),
    "account_removed": (
        _lt("The account was removed while this mail waited for it."),
        _lt("“Retry” takes it into its conversation; else dismiss it."),
    ),
    "loop": (
        _lt("Too many answers came from this sender within an hour: perhaps a loop."),
        _lt("See what a program answers there; “Retry” takes this message in."),
    ),
    "not_understood": (
        _lt("Odoo could not make a message of this mail."),
        _lt("Try again; if it stays so, read it in the mailbox and dismiss it here."),
    ),
    "not_processed": (
        _lt("Odoo could not build this mail."),
        _lt("Write it again; if it fails again, the server's log tells the reason."),
    ),
    "secret_unusable": (
        _lt(
            "The stored password cannot be used: Odoo's encryption key, the database "
            "or the settings changed since it was entered."
        ),
        _lt("Open the address, choose “Connect” and enter the password again."),
    ),
    "sign_in_unusable": (
        _lt(
            "The stored sign-in cannot be used: Odoo's encryption key, the database, "
            "the application or the settings changed since."
        ),
        _lt("Sign in with the mail service again."),
    ),
    "key_missing": (
        _lt("Odoo's encryption key is missing, so no password can be used."),
        _lt("The administrator restores the key; waiting mail then leaves by itself."),
    ),
    "in_doubt": (
        _lt("The server took the message twice without confirming it."),
        _lt("It has probably arrived: ask the recipient before you send it again."),
    ),
    "secret_needed": (
        _lt("The password is needed for these settings."),
        _lt(
            "Enter it: a stored password is only used with the server, the user and "
            "the owner that it was entered for."
        ),
    ),
    "password_needed": (
        _lt("No password was entered."),
        _lt("Enter it; or sign in with the mail service, where this window offers it."),
    ),
    "sign_in_needed": (
        _lt("Nobody has signed in with the mail service for these settings yet."),
        _lt(
            "Choose “Sign in”: an earlier sign-in is only used with the mail service, "
            "the mailbox and the owner that it was for."
        ),
    ),
    "sender_not_allowed": (
        _lt("The author may not (or no longer) send from this address."),
        _lt("Write the message again and choose another sender in “From”."),
    ),
    "bounced": (
        _lt("The mail came back: the recipient's mail server did not deliver it."),
        _lt("Check the contact's address, or ask them in another way."),
    ),
    "address_gone": (
        _lt(
            "The external address that this mail was waiting for is not used any more."
        ),
        _lt("Write the message again and choose another sender in “From”."),
    ),
    "mail_email_missing": (
        _lt("The contact has no e-mail address."),
        _lt("Add the address to the contact and send again."),
    ),
    "mail_email_invalid": (
        _lt("The contact's e-mail address is not valid."),
        _lt("Correct the address of the contact and send again."),
    ),
}

# What nobody tries again by itself: somebody stands before it.
TRIED_ONCE = {"oauth_busy": "oauth_busy_once", "oauth_failed": "oauth_failed_once"}


def cause_and_remedy(env, code):
    """:return: (cause, remedy), two sentences in the language of ``env``"""
    cause, remedy = TEXTS.get(code) or TEXTS["refused"]
    return env._(cause), env._(remedy)


def reason_text(env, code, reply):
    """One text for a failed mail: cause, remedy, and what the server said."""
    text = " ".join(cause_and_remedy(env, code))
    if reply:
        text += "\n" + env._("The server said: %s", reply)
    return text
