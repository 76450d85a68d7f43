"""Thunderbird's configuration files for tests: an honest one, and others."""

EMAIL = "anna.k@brand-a.test"

GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="brand-a.test">
    <domain>brand-a.test</domain>
    <displayName>Brand A &amp; Sons</displayName>
    <incomingServer type="exchange"><hostname>ex.test</hostname></incomingServer>
    <incomingServer type="imap">
      <hostname>imap.%EMAILDOMAIN%</hostname><port>993</port>
      <socketType>SSL</socketType><username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication>
      <authentication>password-cleartext</authentication>
      <pop3><leaveMessagesOnServer>true</leaveMessagesOnServer></pop3>
    </incomingServer>
    <incomingServer type="pop3">
      <hostname>POP.brand-a.test.</hostname><port> 110 </port>
      <socketType>STARTTLS</socketType><username>%EMAILLOCALPART%</username>
      <authentication>password-encrypted</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.brand-a.test</hostname><port>587</port>
      <socketType>STARTTLS</socketType><username>mail/%EMAILLOCALPART%</username>
      <authentication>plain</authentication><restriction>client-IP-address</restriction>
    </outgoingServer>
    <documentation url="https://x.test"><descr lang="en">Read me</descr></documentation>
  </emailProvider>
  <webMail><loginPage url="https://x.test"/></webMail>
</clientConfig>
"""


def server(kind: str = "smtp", **values: str) -> str:
    """A configuration with one server."""
    values = {
        "hostname": "mail.brand-a.test",
        "port": "465",
        "socketType": "SSL",
        "username": "%EMAILADDRESS%",
        "authentication": "password-cleartext",
        **values,
    }
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in values.items())
    name = "outgoingServer" if kind == "smtp" else "incomingServer"
    return (
        '<clientConfig version="1.1"><emailProvider id="x">'
        f'<{name} type="{kind}">{inside}</{name}></emailProvider></clientConfig>'
    )


def bomb(kind: str) -> str:
    """Entities that grow."""
    if kind == "laughs":
        lines = ['<!ENTITY a0 "ha">'] + [
            f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
        ]
        text = "&a9;"
    elif kind == "quadratic":
        lines, text = [f'<!ENTITY b "{"x" * 50_000}">'], "&b;" * 10_000
    elif kind == "file":
        lines, text = ['<!ENTITY c SYSTEM "file:///etc/passwd">'], "&c;"
    elif kind == "web":
        lines, text = ['<!ENTITY c SYSTEM "http://127.0.0.1:1/x">'], "&c;"
    else:
        lines, text = ['<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;'], ""
    return f"<!DOCTYPE clientConfig [{''.join(lines)}]>" + server(hostname=text)
