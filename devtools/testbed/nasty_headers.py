"""Nasty messages: header fields that are missing, doubled, endless or senseless."""

from __future__ import annotations

from .nasty_parts import Cases, Frame

CASES = Cases()
# Raw bytes in a field's value: `Frame.fields` writes surrogate escapes back as bytes.
_LATIN = "Gr\udcfc\udcdfe"


@CASES.add
def header_1mb(f: Frame) -> bytes:
    """A header of 1 MB in one field."""
    return f.text(X_Junk="x" * (1 << 20))


@CASES.add
def header_folded_1mb(f: Frame) -> bytes:
    """A field folded over 20,000 lines."""
    return f.text(X_Junk="\r\n ".join(["y" * 50] * 20_000))


@CASES.add
def fields_20000(f: Frame) -> bytes:
    """20,000 header fields."""
    return b"".join(b"X-F%d: v\r\n" % n for n in range(20_000)) + f.text()


@CASES.add
def references_50000(f: Frame) -> bytes:
    """50,000 References, the right one last; no In-Reply-To."""
    many = "\r\n ".join(f"<{n}.junk@elsewhere.test>" for n in range(50_000))
    return f.text(References=f"{many}\r\n {f.answers}", In_Reply_To=None)


@CASES.add
def references_run_together(f: Frame) -> bytes:
    """References without spaces between."""
    return f.text(References=f"<a@b.test><c@d.test>{f.answers}", In_Reply_To=None)


@CASES.add
def references_folded_inside(f: Frame) -> bytes:
    """An id that folding cut in two."""
    half = len(f.answers) // 2
    folded = f"{f.answers[:half]}\r\n\t{f.answers[half:]}"
    return f.text(References=f"<a@b.test> {folded}", In_Reply_To=None)


@CASES.add
def references_without_brackets(f: Frame) -> bytes:
    """An id without its angle brackets."""
    bare = f.answers.strip("<>")
    return f.text(References=f"a@b.test, {bare}", In_Reply_To=None)


@CASES.add
def references_encoded(f: Frame) -> bytes:
    """An id in an encoded word, as Python's email folds long ones."""
    word = "".join(f"={byte:02X}" for byte in f.answers.encode())
    return f.text(References=f"=?utf-8?q?{word}?=", In_Reply_To=None)


@CASES.add
def references_repeated(f: Frame) -> bytes:
    """Three References fields."""
    first = b"References: <a@b.test>\r\nReferences: <c@d.test>\r\n"
    return first + f.text(In_Reply_To=None)


@CASES.add
def reply_to_with_prose(f: Frame) -> bytes:
    """In-Reply-To with words around, as of RFC 822's times."""
    prose = f'Your message of "Mon, 10 Mar 2025" (was: <a> hi) {f.answers} (Anna)'
    return f.text(In_Reply_To=prose, References=None)


@CASES.add
def no_message_id(f: Frame) -> bytes:
    """No Message-ID."""
    return f.text(Message_ID=None)


@CASES.add
def empty_message_id(f: Frame) -> bytes:
    """An empty Message-ID."""
    return f.text(Message_ID="<>")


@CASES.add
def duplicate_message_id(f: Frame) -> bytes:
    """Two Message-ID fields."""
    return b"Message-ID: <first@customer.test>\r\n" + f.text()


@CASES.add
def garbage_message_id(f: Frame) -> bytes:
    """A Message-ID of controls, quotes and 8-bit bytes."""
    return f.text(Message_ID=f"<a\x00b'\";--\x07{_LATIN}@ [x] >")


@CASES.add
def message_id_100kb(f: Frame) -> bytes:
    """A Message-ID of 100 kB, longer than a database index takes."""
    return f.text(Message_ID=f"<{'i' * 100_000}@customer.test>")


@CASES.add
def sql_message_id(f: Frame) -> bytes:
    """A Message-ID with SQL in it."""
    return f.text(Message_ID="<x'); DROP TABLE mail_message;--%s@customer.test>")


@CASES.add
def no_from(f: Frame) -> bytes:
    """No From."""
    return f.text(From=None)


@CASES.add
def two_from(f: Frame) -> bytes:
    """Two From fields, the second forged."""
    return f.text().replace(b"\r\nTo:", b"\r\nFrom: CEO <anna@brand-a.test>\r\nTo:", 1)


@CASES.add
def from_in_display(f: Frame) -> bytes:
    """A display name that looks like another address."""
    address = f.sender.rpartition("<")[2].rstrip(">")
    return f.text(From=f'"anna@brand-a.test <anna@brand-a.test>" <{address}>')


@CASES.add
def from_group(f: Frame) -> bytes:
    """A group in To, "undisclosed recipients"."""
    return f.text(
        To="undisclosed-recipients:;", Cc='Team: "A, B" <a@b.test>, c@d.test;'
    )


@CASES.add
def to_5000(f: Frame) -> bytes:
    """5,000 recipients in To."""
    return f.text(To=",\r\n ".join(f"R{n} <r{n}@many.test>" for n in range(5000)))


@CASES.add
def open_quote_in_from(f: Frame) -> bytes:
    """A quotation mark that is never closed."""
    return f.text(From='"Client ' + f.sender.partition(" ")[2])


@CASES.add
def many_quotes(f: Frame) -> bytes:
    """Thousands of quotes, brackets and backslashes in Cc: bad for backtracking."""
    return f.text(Cc='"\\"' * 9000 + "(" * 9000 + "<" * 9000)


@CASES.add
def raw_8bit_headers(f: Frame) -> bytes:
    """8-bit bytes in the subject and the sender's name."""
    address = f.sender.rpartition("<")[2].rstrip(">")
    return f.text(Subject=f"Re: {_LATIN}", From=f"{_LATIN} <{address}>")


@CASES.add
def nul_in_headers(f: Frame) -> bytes:
    """NUL bytes in the subject and the sender's name."""
    return f.text(Subject="Re: a\x00b", X_Nul="\x00" * 100)


@CASES.add
def endless_subject(f: Frame) -> bytes:
    """A subject of 200 kB."""
    return f.text(Subject="Re: " + "long " * 40_000)


@CASES.add
def subject_broken_words(f: Frame) -> bytes:
    """Encoded words: unknown charset, bad base64, cut, nested, in the middle."""
    return f.text(
        Subject="=?x-none?B?0J8=?= =?utf-8?B?0J/?= =?utf-8?Q?=D0?= =?utf-8?Q?=9F?="
        " =?utf-8?B? =?=?utf-8?Q?a?= x=?utf-8?q?=00=0A=0DBcc:_evil@x.test?=y"
    )


@CASES.add
def subject_header_injection(f: Frame) -> bytes:
    """An encoded subject with line ends and another field in it."""
    return f.text(Subject="=?utf-8?Q?Hi=0D=0ABcc:_all@victims.test=0D=0A=0D=0Abody?=")


@CASES.add
def subject_marks(f: Frame) -> bytes:
    """Direction marks, zero-width characters and 500 combining accents."""
    return f.text(Subject="Re: \u202egnp.exe\u202c \u200b\ufeff" + "e" + "\u0301" * 500)


@CASES.add
def no_subject(f: Frame) -> bytes:
    """No subject."""
    return f.text(Subject=None)


@CASES.add
def no_date(f: Frame) -> bytes:
    """No Date."""
    return f.text(Date=None)


@CASES.add
def senseless_date(f: Frame) -> bytes:
    """A date that is none."""
    return f.text(Date="yesterday, 31 Feb 99999 25:61:99 +9999 (ZZZ)")


@CASES.add
def date_year_0(f: Frame) -> bytes:
    """The first of January of the year 1, east of Greenwich: before all time."""
    return f.text(Date="Mon, 01 Jan 0001 00:00:00 +1400")


@CASES.add
def date_in_future(f: Frame) -> bytes:
    """The last day of the year 9999, west of Greenwich."""
    return f.text(Date="Fri, 31 Dec 9999 23:59:59 -1200")


@CASES.add
def no_space_after_colon(f: Frame) -> bytes:
    """Fields without the space, with spaces before the colon, in odd cases."""
    head = f.fields().replace(b": ", b":", 4).replace(b"References: ", b"REFERENCES : ")
    return head + b"\r\nThe answer.\r\n"


@CASES.add
def mbox_line_first(f: Frame) -> bytes:
    """The "From " line of an mbox file before the header."""
    return b"From client@customer.test Mon Mar 10 11:00:00 2025\r\n" + f.text()


@CASES.add
def continuation_first(f: Frame) -> bytes:
    """The header begins with a continuation line."""
    return b" folded from nothing\r\n" + f.text()


@CASES.add
def line_without_colon(f: Frame) -> bytes:
    """A line in the header that is no field."""
    return f.fields() + b"this is no field\r\nX-After: yes\r\n\r\nThe answer.\r\n"


@CASES.add
def spaces_only_line(f: Frame) -> bytes:
    """A line of spaces in the header, which is folding (RFC 5322, 4.2)."""
    return b"X-Odd: a\r\n   \r\n b\r\n" + f.text()


@CASES.add
def null_return_path(f: Frame) -> bytes:
    """A person's answer with the null envelope sender in its header."""
    return f.text(Return_Path="<>")
