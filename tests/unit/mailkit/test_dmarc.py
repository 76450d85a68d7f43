"""Authentication-Results as servers write them, and as forgers do."""

import pytest

from mailkit.message.author import dmarc_passed

OURS = "mx.corp.test"

CASES = [
    # (headers, the topmost first, whether anna@brand-a.test is proven)
    ([], False),
    (["mx.corp.test; dmarc=pass header.from=brand-a.test"], True),
    (
        [
            "mx.corp.test;\r\n\tdkim=pass header.d=brand-a.test;\r\n\tspf=none;\r\n\t"
            "dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=Brand-A.test"
        ],
        True,
    ),
    (['"mx.corp.test" 1; dmarc=pass header.from=brand-a.test'], True),
    (["MX.corp.test; dmarc=pass (policy (nested)) header.from=brand-a.test"], True),
    (["mx.corp.test; dmarc=fail header.from=brand-a.test"], False),
    (["mx.corp.test; none"], False),
    (["mx.corp.test; spf=pass smtp.mailfrom=brand-a.test; dkim=pass"], False),
    # the pass of another domain, or inside a comment
    (["mx.corp.test; dmarc=pass header.from=evil.test"], False),
    (["mx.corp.test; dmarc=pass"], False),
    (["mx.corp.test; spf=fail (; dmarc=pass header.from=brand-a.test)"], False),
    (
        ["mx.corp.test; dmarc=pass header.from=evil.test header.from=brand-a.test"],
        False,
    ),
    # another server's word, ours below what ours already said
    (["mx.evil.test; dmarc=pass header.from=brand-a.test"], False),
    (
        [
            "mx.corp.test; dmarc=fail header.from=brand-a.test",
            "mx.corp.test; dmarc=pass header.from=brand-a.test",
        ],
        False,
    ),
    (
        [
            "mx.other.test; dmarc=fail header.from=brand-a.test",
            "mx.corp.test; dmarc=pass header.from=brand-a.test",
        ],
        True,
    ),
    (["", ";", "   ", "mx.corp.test"], False),
    (["(" * 50_000 + ")" * 50_000], False),
]


@pytest.mark.parametrize(("headers", "proven"), CASES)
def test_only_our_own_servers_word_counts(headers: list[str], proven: bool) -> None:
    assert dmarc_passed(headers, OURS, "brand-a.test") is proven


def test_without_a_server_to_trust_nothing_is_proven() -> None:
    assert not dmarc_passed(
        ["; dmarc=pass header.from=brand-a.test"], "", "brand-a.test"
    )
