"""Large messages without their large parts: nothing lost, the rest as it was."""

import base64
import email
import email.policy
import quopri
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devtools.testbed import nasty
from mailkit.message import lightening
from mailkit.message.lightening import FIELD, LightLimits, find_mark, lighten

# A tenth of everything, so that a test needs no megabytes.
SMALL = LightLimits(
    message=2000, part=300, plain=2000, html=3000, kept=600, left=8000, parts=60
)
FILE = bytes(range(256)) * 20


def read(raw: bytes) -> EmailMessage:
    """As Odoo's gateway reads it."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def payload(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def with_file(data: bytes = FILE, how: str = "base64", kind: str = "zip") -> bytes:
    encoded = {
        "base64": base64.encodebytes,
        "quoted-printable": quopri.encodestring,
        "8bit": bytes,
    }[how](data)
    return (
        b"From: a@b.test\r\nSubject: Big\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="edge"\r\n\r\nPreamble\r\n'
        b"--edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe text\r\n"
        b'--edge\r\nContent-Type: application/%s; name="a.%s"\r\n'
        b"Content-ID: <x@y>\r\nContent-Disposition: attachment\r\n"
        b"Content-Transfer-Encoding: %s\r\n\r\n%s\r\n--edge--\r\n"
        % (kind.encode(), kind.encode(), how.encode(), encoded)
    )


@pytest.mark.parametrize("how", ["base64", "quoted-printable", "8bit"])
def test_a_large_file_is_taken_out_and_keeps_its_header(how: str) -> None:
    data = FILE.replace(b"\r", b"").replace(b"\n", b"")
    raw = with_file(data, how)
    light = lighten(raw, SMALL)
    [part] = light.parts
    assert len(light.raw) < 1000
    text, file = read(light.raw).iter_parts()
    assert payload(text) == b"The text"
    assert file.get_filename() == "a.zip"
    assert file["Content-ID"] == "<x@y>"
    assert find_mark(payload(file)) == part.mark
    [_text, whole] = read(raw).iter_parts()
    assert part.content(raw) == payload(whole) == data


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b"==", b""),
        lambda data: data.replace(b"A", b"%A!"),
        lambda data: data[:-9],
        lambda data: data.replace(b"\n", b"\r\n"),
    ],
)
def test_base64_is_decoded_as_python_does_it(spoil) -> None:  # type: ignore[no-untyped-def]
    encoded = base64.encodebytes(FILE)
    raw = with_file().replace(encoded, spoil(encoded))
    [part] = lighten(raw, SMALL).parts
    _text, whole = read(raw).iter_parts()
    assert part.content(raw) == payload(whole)


def test_two_messages_have_different_marks() -> None:
    first, second = (lighten(with_file(), SMALL).parts[0].mark for _ in range(2))
    assert first != second


def test_of_a_long_text_the_beginning_is_left() -> None:
    lines = b"".join(b"Line %d\r\n" % n for n in range(1000))
    raw = b"From: a@b.test\r\nContent-Type: text/plain\r\n\r\n" + lines
    light = lighten(raw, SMALL)
    [part] = light.parts
    message = read(light.raw)
    assert message[FIELD] == part.mark.decode()
    assert part.is_beginning
    assert lines.startswith(payload(message))
    assert payload(message).endswith(b"\r\n")
    assert 500 < len(payload(message)) <= SMALL.kept
    assert part.content(raw) == lines
    assert part.name == "message.txt"


def test_of_a_long_text_in_base64_without_lines_too() -> None:
    text = "Відповідь ".encode() * 300
    raw = (
        b"Content-Type: text/html; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(text)
    )
    light = lighten(raw, SMALL)
    assert text.startswith(payload(read(light.raw)))
    assert light.parts[0].content(raw) == text
    assert light.parts[0].name == "message.html"


def test_an_attached_message_with_a_large_file_is_given_back_as_it_was() -> None:
    inner = with_file()
    raw = (
        b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\n'
        b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--outer--\r\n"
    )
    light = lighten(raw, SMALL)
    parts = {part.mark: part for part in light.parts}
    [attached] = read(light.raw).iter_parts()
    content = attached.get_content()
    assert content["Subject"] == "Big"
    mark = find_mark(content.as_bytes())
    assert mark
    assert parts[mark].content(raw) == inner
    [_text, file] = content.iter_parts()
    mark = find_mark(payload(file))
    assert mark
    assert parts[mark].content(raw) == FILE


def test_a_message_of_too_many_parts_becomes_a_file() -> None:
    pieces = b"".join(b"--edge\r\n\r\npiece %d\r\n" % n for n in range(100))
    raw = (
        b"From: a@b.test\r\nSubject: =?utf-8?q?Many?=\r\n parts\r\n"
        b"Content-Type: multipart/mixed; boundary=edge\r\n\r\n" + pieces
    )
    light = lighten(raw, SMALL)
    message = read(light.raw)
    assert not message.is_multipart()
    assert message["Subject"] == "Many parts"
    assert message["From"] == "a@b.test"
    assert payload(message) == b"piece 0"
    [part] = light.parts
    assert (part.name, part.content(raw)) == ("message.eml", raw)


def test_so_does_what_stays_too_large() -> None:
    raw = b"Content-Type: application/x\r\nContent-Transfer-Encoding: x-z\r\n\r\n"
    raw += b"z" * 9000
    [part] = lighten(raw, SMALL).parts
    assert part.content(raw) == raw


def test_and_what_has_endless_names() -> None:
    raw = with_file(b"x").replace(b'name="a.zip"', b'name="%s"' % (b". " * 5000))
    light = lighten(raw)
    assert light.parts[0].content(raw) == raw
    assert payload(read(light.raw)) == b"The text"


@pytest.mark.parametrize("name", ["To", "Subject"])
def test_long_header_fields_are_shortened_and_the_whole_is_a_file(name: str) -> None:
    value = ",\r\n ".join(f"Somebody <somebody{n}@b.test>" for n in range(5000))
    raw = f"From: a@b.test\r\n{name}: {value}\r\nX-Junk: 1\r\n\r\nThe text".encode()
    light = lighten(raw)
    message = read(light.raw)
    assert len(light.raw) < 15_000
    assert message["X-Junk"] == "1"
    assert payload(message) == b"The text"
    told = str(message[name])
    assert told.startswith("Somebody <somebody0@b.test>")
    assert light.parts[0].content(raw) == raw
    if name == "To":
        assert len(message["To"].addresses) > 200
        assert all(a.domain == "b.test" for a in message["To"].addresses)


def test_of_many_references_the_newest_stay() -> None:
    many = "\r\n ".join(f"<{n}.junk@elsewhere.test>" for n in range(5000))
    raw = f"From: a@b.test\r\nReferences: {many}\r\n <last@x>\r\n\r\nText".encode()
    light = lighten(raw)
    assert len(light.raw) < 15_000
    assert str(read(light.raw)["References"]).endswith(
        "4999.junk@elsewhere.test> <last@x>"
    )
    assert not light.parts


CORPUS = nasty.corpus()
TOUCHED = {
    "endless_line",
    "endless_subject",
    "many_quotes",
    "message_id_100kb",
    "name_100kb",
    "name_continuations",
    "parts_2000",
    "quoted_history_2mb",
    "references_50000",
    "to_5000",
}


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_of_the_nasty_messages_only_the_endless_are_touched(name: str) -> None:
    raw = CORPUS[name].raw
    assert (lighten(raw).raw != raw) == (name in TOUCHED)


# Properties

# So small that most of what is drawn has something to take out.
TINY = LightLimits(message=100, part=20, plain=80, html=120, kept=40, parts=500)
small_text = st.text("abc >\n-é=", min_size=1, max_size=90).map(str.encode)
kinds = st.sampled_from(
    ["text/plain", "text/html", "image/png", "application/pdf", "text/csv", "x", "a/b"]
)
encodings = st.sampled_from(["", "7bit", "base64", "quoted-printable", "x-uu"])
line_ends = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def leaves(draw: st.DrawFn) -> bytes:
    body = draw(small_text) * draw(st.sampled_from([1, 10, 40]))
    how = draw(encodings)
    if how == "base64":
        body = base64.encodebytes(body)
    elif how == "quoted-printable":
        body = quopri.encodestring(body)
    head = b"Content-Type: %s\n" % draw(kinds).encode()
    if draw(st.booleans()):
        head += b'Content-Disposition: attachment; filename="f"\n'
    if how:
        head += b"Content-Transfer-Encoding: %s\n" % how.encode()
    return head + b"\n" + body


def joined(parts: list[bytes], boundary: bytes, *, closed: bool, kind: bytes) -> bytes:
    head = b'Content-Type: multipart/%s; boundary="%s"\n\n' % (kind, boundary)
    body = b"".join(b"--%s\n%s\n" % (boundary, part) for part in parts)
    return head + body + (b"--%s--\n" % boundary if closed else b"")


@st.composite
def multiparts(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    return joined(
        draw(st.lists(inner, min_size=1, max_size=4)),
        draw(st.sampled_from([b"a", b"b", b"ab", b"a-"])),
        closed=draw(st.booleans()),
        kind=draw(st.sampled_from([b"mixed", b"alternative", b"signed", b"digest"])),
    )


attached = st.builds(
    lambda inner: b"Content-Type: message/rfc822\n\n" + inner, leaves()
)
entities = st.recursive(leaves() | attached, multiparts, max_leaves=8)
messages = st.builds(
    lambda entity, end: (b"Subject: S\n" + entity).replace(b"\n", end),
    entities,
    line_ends,
)


def outline(message: EmailMessage) -> list[tuple[str, str | None, str]]:
    """What Odoo goes by when it walks through a message."""
    return [
        (part.get_content_type(), part.get_filename(), str(part.get("Subject")))
        for part in message.walk()
    ]


@given(messages)
def test_what_is_taken_out_is_what_python_finds_there(raw: bytes) -> None:
    light = lighten(raw, TINY)
    parts = {part.mark: part for part in light.parts}
    if any(part.name == "message.eml" and not part.start for part in light.parts):
        assert light.parts[0].content(raw) == raw
        return
    before, after = read(raw), read(light.raw)
    assert outline(before) == outline(after)
    found = set()
    for whole, left in zip(before.walk(), after.walk(), strict=True):
        marks = [m.strip().encode() for m in left.get_all(FIELD, ())]
        found.update(marks)
        if whole.is_multipart():
            continue
        assert isinstance(left, EmailMessage)
        assert isinstance(whole, EmailMessage)
        cut = [parts[mark] for mark in marks if parts[mark].is_beginning]
        mark = find_mark(payload(left))
        if mark:
            found.add(mark)
            assert parts[mark].content(raw) == payload(whole)
        elif cut:
            assert cut[0].content(raw) == payload(whole)
        else:
            assert payload(left) == payload(whole)
    assert found == set(parts)


@given(messages)
def test_light_messages_stay_as_they_are(raw: bytes) -> None:
    assert lighten(raw) == lightening.LightMessage(raw)


@given(
    st.binary(max_size=4000) | st.text('\r\n-a: ;="b', max_size=4000).map(str.encode)
)
def test_any_bytes_are_taken(raw: bytes) -> None:
    light = lighten(raw, SMALL)
    assert light.parts or light.raw == raw


PARTS = "--e\n\n" * 3000
MANY = f"Content-Type: multipart/mixed; boundary=e\n\n{PARTS}"


# What Python's parser finds parts in, though it is not plainly well-formed.
@pytest.mark.parametrize(
    "raw",
    [
        f"Content-Type: multipart/mixed; {boundary}\n\n{PARTS}"
        for boundary in (
            "boundary*=us-ascii''e",
            "BOUNDARY*=''e",
            'boundary="=?us-ascii?q?e?="',
            "boundary=(x)e",
            "boundary=e(x)",
            "boundary=e/",
            "boundary=e:x",
            'boundary="\\e"',
        )
    ]
    + [
        f"Content-Type: {kind}; boundary=e\n\n{PARTS}"
        for kind in (
            "multipart/mixed (x)",
            "multipart/mi{xed",
            "multipart/mixed x",
            "multipart/",
            "multipart/mixed, x",
        )
    ]
    + [
        f"Content-Type: {kind}\n\n{MANY}"
        for kind in (
            "message/x",
            "message/partial",
            "message/rfc822 (x)",
            "message/rfc822\nContent-Transfer-Encoding: base64",
            "message/delivery-status",
        )
    ]
    + ["Content-Type: message/delivery-status\n\n" + "a: b\n\n" * 3000]
    + [MANY.replace("--e\n", "--e\nContent-Type: message/delivery-status\n")],
)
def test_what_python_may_find_parts_in_is_counted(raw: str) -> None:
    light = lighten(f"From: a@b.test\n{raw}".encode())
    assert len(list(read(light.raw).walk())) < 1100


@pytest.mark.parametrize(
    "value",
    [
        'multipart/mixed; boundary="=_Part 1"',
        "multipart/signed; micalg=pgp-sha512;\r\n protocol="
        '"application/pgp-signature";\r\n boundary="edge"',
        "multipart/mixed; boundary=Apple-Mail-1_2.x; charset=utf-8",
        'Multipart/Related;boundary="b1_abc/def";type="text/html";',
    ],
)
def test_what_mail_programs_write_is_looked_into(value: str) -> None:
    boundary = read(f"Content-Type: {value}\r\n\r\n".encode()).get_boundary()
    raw = with_file().replace(b'multipart/mixed; boundary="edge"', value.encode())
    raw = raw.replace(b"--edge", f"--{boundary}".encode())
    [part] = lighten(raw, SMALL).parts
    assert part.content(raw) == FILE
