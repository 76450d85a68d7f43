"""A zone with every kind of good, odd and broken record of SPF, DKIM and DMARC."""

import base64

LONG_KEY = base64.b64encode(b"\x30\x82\x01\x22" + bytes(290)).decode()
_FIRST, _REST = LONG_KEY[:200], LONG_KEY[200:]
ED_KEY = base64.b64encode(bytes(range(32))).decode()

#: name -> its SPF record, all TXT records of the name where there are several
SPF = {
    # sound
    "plain.test": "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
    "google.test": "v=spf1 include:_spf.google.com ~all",
    "only.test": "v=spf1",
    "capital.test": "V=SPF1 IP4:192.0.2.1 -ALL",
    "neutral.test": "v=spf1 ip4:192.0.2.1 ?all",
    "others.test": "v=spf1 mx ip4:192.0.2.1 -all",
    "soft.test": "v=spf1 a:mail.others.test ~all",
    "redirected.test": "v=spf1 redirect=google.test",
    "deep.test": "v=spf1 include:google.test -all",
    "behind.test": "v=spf1 ~all include:_spf.google.com",
    "denied.test": "v=spf1 -include:_spf.google.com +all",
    "softly.test": "v=spf1 include:denied-inside.test ~all",
    "denied-inside.test": "v=spf1 ?include:_spf.google.com -all",
    "own.test": "v=spf1 a:mail.own.test mx -all",
    "six.test": "v=spf1 a:mail.six.test//64 -all",
    "macro.test": "v=spf1 exists:%{i}._spf.macro.test -all",
    "sender.test": "v=spf1 exists:%{l}.users.sender.test -all",
    "named.test": "v=spf1 ptr -all",
    "unknown.test": "v=spf1 ip4:192.0.2.1 moo=cow ~all",
    "exp.test": "v=spf1 ip4:192.0.2.1 -all exp=why.exp.test",
    "split.test": "v=spf1 ip4:192.0.2.1 -all",
    # broken
    "several.test": ["v=spf1 ip4:192.0.2.1 ~all", "v=spf1 mx -all"],
    "typo.test": "v=spf1 ipv4:192.0.2.1 -all",
    "network.test": "v=spf1 ip4:192.0.2.300 -all",
    "prefix.test": "v=spf1 ip4:192.0.2.0/33 -all",
    "empty-include.test": "v=spf1 include: -all",
    "bare-include.test": "v=spf1 include -all",
    "two-redirects.test": "v=spf1 redirect=plain.test redirect=google.test",
    "loop.test": "v=spf1 include:loop2.test -all",
    "loop2.test": "v=spf1 include:loop.test -all",
    "itself.test": "v=spf1 include:itself.test -all",
    "dangling.test": "v=spf1 include:nothing.test -all",
    "dangling-redirect.test": "v=spf1 redirect=nothing.test",
    "broken-inside.test": "v=spf1 include:typo.test -all",
    "macro-typo.test": "v=spf1 exists:%{x}.macro.test -all",
    "percent.test": "v=spf1 exists:%test.macro.test -all",
    "void.test": "v=spf1 a:no1.void.test a:no2.void.test a:no3.void.test -all",
    "many.test": "v=spf1 " + " ".join(f"a:h{n}.many.test" for n in range(11)) + " -all",
    "early.test": "v=spf1 include:_spf.google.com "
    + " ".join(f"a:h{n}.many.test" for n in range(10))
    + " -all",
    "ten.test": "v=spf1 " + " ".join(f"a:h{n}.many.test" for n in range(10)) + " -all",
    "no-version.test": "v=spf10 ip4:192.0.2.1 -all",
    "none.test": "a text of another kind",
    "_spf.google.com": "v=spf1 ip4:198.51.100.0/24 ~all",
    "spf.protection.outlook.com": "v=spf1 ip4:203.0.113.0/24 -all",
}
#: domain -> records at _dmarc
DMARC = {
    "reject.test": "v=DMARC1; p=reject; rua=mailto:d@reject.test",
    "none-policy.test": "v=DMARC1; p=none",
    "quarantine.test": "v=DMARC1; p=quarantine; sp=reject; pct=50",
    "strict.test": "v=DMARC1; p=reject; aspf=s; adkim=s",
    "spaced.test": "v=DMARC1 ;  p = reject ; ",
    "no-p.test": "v=DMARC1; rua=mailto:d@no-p.test",
    "no-p-at-all.test": "v=DMARC1; sp=reject",
    "bad-p.test": "v=DMARC1; p=refuse",
    "bad-pct.test": "v=DMARC1; p=none; pct=two",
    "bad-aspf.test": "v=DMARC1; p=none; aspf=x",
    "doubled.test": "v=DMARC1; p=none; p=reject",
    "several-dmarc.test": ["v=DMARC1; p=none", "v=DMARC1; p=reject"],
    "late-version.test": "p=none; v=DMARC1",
    "lower.test": "v=dmarc1; p=none",
    "no-equals.test": "v=DMARC1; p=none; foo",
    "below.reject.test": "v=DMARC1; p=none",
}

_OTHER = f"""
mail.own.test. 60 IN A 192.0.2.77
own.test. 60 IN MX 10 mail.own.test.
mail.six.test. 60 IN AAAA 2001:db8:6::1
mail.others.test. 60 IN A 192.0.2.9
others.test. 60 IN MX 10 mail.others.test.
several.test. 60 IN MX 10 mail.others.test.
7.2.0.192._spf.macro.test. 60 IN A 127.0.0.2
192.0.2.7._spf.macro.test. 60 IN A 127.0.0.2
anna.users.sender.test. 60 IN A 127.0.0.2
host.named.test. 60 IN A 192.0.2.5
why.exp.test. 60 IN TXT "because"
google._domainkey.signed.test. 60 IN TXT "v=DKIM1; k=rsa; p={_FIRST}" "{_REST}"
ed._domainkey.signed.test. 60 IN TXT "k=ed25519; p={ED_KEY}"
revoked._domainkey.signed.test. 60 IN TXT "v=DKIM1; p="
broken._domainkey.signed.test. 60 IN TXT "v=DKIM1; p=!!!"
"""


def _records(name: str, texts: "str | list[str]") -> list[str]:
    values = [texts] if isinstance(texts, str) else texts
    return [f'{name}. 60 IN TXT "{value}"' for value in values]


def zone() -> str:
    """The whole of it, as in a zone file."""
    lines = [line for name, texts in SPF.items() for line in _records(name, texts)]
    for name, texts in DMARC.items():
        lines += _records(f"_dmarc.{name}", texts)
    lines += [f"h{number}.many.test. 60 IN A 192.0.2.99" for number in range(11)]
    lines += ["5.2.0.192.in-addr.arpa. 60 IN PTR host.named.test."]
    return "\n".join([*lines, _OTHER])
