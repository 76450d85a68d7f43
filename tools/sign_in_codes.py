"""Refused sign-ins: who can mend which, for sending, reading and renewing alike."""

from ..mailkit.errors import ErrorCode

# A sign-in with the mail service has ended: its owner signs in again.
ENDED = frozenset(
    {
        ErrorCode.OAUTH_ENDED,
        ErrorCode.OAUTH_DENIED,
        ErrorCode.OAUTH_CONSENT,
        ErrorCode.OAUTH_POLICY,
        ErrorCode.OAUTH_TENANT,
    }
)
# The firm's application is at fault, for all accounts that sign in with it: they wait,
# and an administrator mends it.
OF_APPLICATION = frozenset(
    {
        ErrorCode.OAUTH_CLIENT,
        ErrorCode.OAUTH_SECRET_EXPIRED,
        ErrorCode.OAUTH_REDIRECT,
        ErrorCode.OAUTH_LIBRARY,
    }
)
# The server refuses the sign-in itself: trying again would only lock the mailbox.
SIGN_IN_CODES = ENDED | {
    ErrorCode.LOGIN_REFUSED,
    ErrorCode.APP_PASSWORD_REQUIRED,
    ErrorCode.OAUTH_REQUIRED,
    ErrorCode.LOGIN_DISABLED,
    ErrorCode.ACCOUNT_LOCKED,
    ErrorCode.AUTH_UNAVAILABLE,
    ErrorCode.LOGIN_REQUIRED,
    ErrorCode.WEB_LOGIN_REQUIRED,
    # A token, also after it was renewed
    ErrorCode.TOKEN_REFUSED,
    ErrorCode.SMTP_AUTH_DISABLED,
}
# Stored codes after which signing in with the mail service again is the remedy.
UNUSABLE = "sign_in_unusable"
SIGN_IN_AGAIN = frozenset(
    {*(code.value for code in ENDED), ErrorCode.TOKEN_REFUSED.value, UNUSABLE}
)
