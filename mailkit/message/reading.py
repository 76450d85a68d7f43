"""What reading over IMAP and over POP3 have in common."""

from __future__ import annotations

from .fields import DELIVERY_FIELDS

# What matching and classification look at; the rest of a header isn't transferred.
FIELDS = (
    " ".join(DELIVERY_FIELDS).title().encode()
    + b" From To Cc Reply-To Sender Subject Date Message-ID In-Reply-To References "
    b"Auto-Submitted Precedence List-Id List-Unsubscribe Return-Path Content-Type "
    b"X-Failed-Recipients X-Auto-Response-Suppress X-Autoreply X-Autorespond "
    b"X-Loop Feedback-Type Original-Recipient Disposition-Notification-To "
    b"Authentication-Results Received-SPF "
    b"Resent-From Resent-To Resent-Message-ID MIME-Version "
    b"X-Google-Original-Message-ID X-Microsoft-Original-Message-ID Thread-Index "
    b"X-Odoo-Message-Id"
)
# A slower server or network counts as hung.
OCTETS_PER_SECOND = 65536
SECONDS_PER_HEADER = 0.05
