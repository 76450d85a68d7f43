"""A certificate authority for tests: valid, expired and untrusted certificates."""

import datetime
import hashlib
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


class TestCA:
    """Issues server certificates; everything is kept in, and reused from, `folder`.

    `pem` / `pem_file` hold the certificate a client has to trust.
    """

    __test__ = False  # the name looks like a test class to pytest

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pem_file = self.folder / "ca.pem"
        self._key_file = self.folder / "ca.key"
        if not (self.pem_file.exists() and self._key_file.exists()):
            self._create_root()
        self.pem = self.pem_file.read_text(encoding="ascii")

    def issue(
        self,
        names: Sequence[str],
        *,
        expired: bool = False,
        untrusted: bool = False,
    ) -> tuple[Path, Path]:
        """Return (certificate file, key file) for DNS names and IP addresses.

        `expired`: its validity ended yesterday. `untrusted`: another authority,
        which nobody was told about, signed it. International domain names are
        given in their ASCII form (xn--...).
        """
        if untrusted:
            return TestCA(self.folder / "other").issue(names, expired=expired)
        wanted = "\n".join([*names, str(expired)])
        stem = hashlib.sha256(wanted.encode()).hexdigest()[:16]
        cert_file = self.folder / f"{stem}.pem"
        key_file = self.folder / f"{stem}.key"
        if not (cert_file.exists() and key_file.exists()):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign(key.public_key(), names, expired)
            _write_key(key_file, key)
            _write_certificate(cert_file, certificate)
        return cert_file, key_file

    def _create_root(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"Test CA {os.urandom(4).hex()}")
        public = key.public_key()
        builder = _builder(name, name, public, expired=False)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        ).add_extension(_key_usage(authority=True), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = builder.add_extension(identifier, critical=False)
        _write_key(self._key_file, key)
        _write_certificate(self.pem_file, builder.sign(key, hashes.SHA256()))

    def _sign(
        self, public: ec.EllipticCurvePublicKey, names: Sequence[str], expired: bool
    ) -> x509.Certificate:
        root = x509.load_pem_x509_certificate(self.pem.encode())
        root_key = serialization.load_pem_private_key(
            self._key_file.read_bytes(), password=None
        )
        if not isinstance(root_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._key_file} holds no elliptic curve key")
        root_public = root_key.public_key()
        builder = _builder(_name(names[0]), root.subject, public, expired)
        builder = (
            builder.add_extension(
                x509.SubjectAlternativeName([_general_name(n) for n in names]),
                critical=False,
            )
            .add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_public),
                critical=False,
            )
        )
        return builder.sign(root_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    expired: bool,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now - DAY if expired else now + 3650 * DAY)
    )


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(path, pem, 0o600)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    _write(path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` in one step, so that a parallel reader sees no half file."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
