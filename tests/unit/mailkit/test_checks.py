"""The connect window's checks against every fault, and the time they take."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from check_cases import FaultCase, cases

from devtools.testbed.faults import FaultServer
from mailkit import checks
from mailkit.checks import CheckResult, Step
from mailkit.connection.settings import Credentials, Protocol, Security, Server
from mailkit.errors import MailError

TIMEOUT = 1.5  # seconds for one check
TOLERANCE = 0.7
ADDRESS = "anna@brand-a.test"
PASSWORD = 'pässwörd-"42\\'
CASES = cases()


def run_lines(case: FaultCase) -> list[CheckResult]:
    """Run the checks as the connect window does: up to the first that fails."""
    protocol, served = case.served or (case.protocol, case.security)
    results = []
    with FaultServer(
        protocol,
        served,
        certificate=case.certificate,
        faults=case.faults,
        features=case.features,
    ) as faulty:
        server = Server(
            Protocol(case.protocol),
            "localhost",
            faulty.port,
            Security(case.security),
            ca_pem=faulty.ca_pem,
            allow_private=True,
            timeout=TIMEOUT,
        )
        prefix = "smtp" if case.protocol == "smtp" else "incoming"
        for step in Step:
            if step.value.startswith(prefix):
                credentials = Credentials(ADDRESS, PASSWORD)
                results.append(checks.run(step, server, credentials, ADDRESS))
                if results[-1].error:
                    break
    return results


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Future[list[CheckResult]]]:
    """Several at once: most of their time is waiting, but TLS is not."""
    # What takes long the first time only: the test's certificates, the system's CAs.
    run_lines(FaultCase("", "smtp", "starttls", "", ""))
    with ThreadPoolExecutor(20) as pool:
        return {case.name: pool.submit(run_lines, case) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_right_line_fails_in_time(
    case: FaultCase, outcomes: dict[str, Future[list[CheckResult]]]
) -> None:
    results = outcomes[case.name].result()
    error = results[-1].error
    told = (results[-1].step.value, error.code.value) if error else ("", "")
    assert told == (case.line, case.code), error
    assert max(result.seconds for result in results) < TIMEOUT + TOLERANCE


def test_case_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_facts_of_a_good_account() -> None:
    case = FaultCase("", "imap", "ssl", "", "")
    *_, host, port, _login, listing = run_lines(case)
    assert host.facts == {"private": True}
    assert port.facts["tls"] == "TLSv1.3"
    assert listing.facts["messages"] == 3


def test_a_public_host_is_not_private() -> None:
    server = Server(Protocol.IMAP, "9.9.9.9", 993, Security.SSL, allow_private=True)
    nobody = Credentials("a", "b")
    result = checks.run(Step.INCOMING_HOST, server, nobody, ADDRESS)
    assert result.facts == {"private": False}


@pytest.mark.parametrize("protocol", list(Protocol))
def test_closed_port(protocol: Protocol) -> None:
    with FaultServer(protocol.value, "none") as gone:
        port = gone.port
    server = Server(protocol, "localhost", port, Security.SSL, allow_private=True)
    step = Step.SMTP_PORT if protocol is Protocol.SMTP else Step.INCOMING_PORT
    error = checks.run(step, server, Credentials(ADDRESS, PASSWORD), ADDRESS).error
    assert error is not None
    assert (error.code.value, error.field) == ("port_refused", "port")


def test_wrong_address_is_a_result() -> None:
    with FaultServer("smtp", "none") as sound:
        server = Server(
            Protocol.SMTP, "127.0.0.1", sound.port, Security.NONE, allow_private=True
        )
        credentials = Credentials(ADDRESS, PASSWORD)
        result = checks.run(Step.SMTP_SENDER, server, credentials, "a@b\r\nDATA")
        sent = list(sound.commands)
    assert isinstance(result.error, MailError)
    assert (result.error.code.value, result.error.field) == ("address_invalid", "email")
    assert not any(line.startswith(("MAIL", "DATA")) for line in sent)


def test_step_of_another_protocol() -> None:
    server = Server(Protocol.IMAP, "mail.example.com", 993, Security.SSL)
    with pytest.raises(ValueError, match="smtp_host"):
        checks.run(Step.SMTP_HOST, server, Credentials("a", "b"), ADDRESS)
