"""Certificates that no sane authority issues, made as they are asked for.

Files are PEM in one directory. Names of hosts go into a certificate as they are: nothing is checked.
"""

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_DAY = datetime.timedelta(days=1)
_SAN = x509.ObjectIdentifier("2.5.29.17")


def _name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _der(tag, content):
    """An element of DER, its length below 64 KiB."""
    size = len(content)
    head = bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + head + content


def alternative_names(names):
    """The extension subjectAltName with dNSNames of raw bytes, and iPAddress for ("ip", bytes)."""
    parts = [_der(0x87, name[1]) if isinstance(name, tuple) else _der(0x82, name) for name in names]
    return x509.UnrecognizedExtension(_SAN, _der(0x30, b"".join(parts)))


class OddAuthority:
    """Issues what it is asked to; `ca_file` is its root."""

    def __init__(self, directory, name="Odd Root"):
        self.dir = Path(directory)
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign(_name(name), self.key, [], None, None, True)
        self.ca_file = self._write("root.pem", self.root.public_bytes(serialization.Encoding.PEM))
        self._count = 0

    def _write(self, name, *parts):
        path = self.dir / name
        path.write_bytes(b"".join(parts))
        return str(path)

    def _sign(self, subject, key, names, issuer, signer, is_ca, days=(-1, 30), purpose=None):
        builder = x509.CertificateBuilder(
            issuer_name=subject if issuer is None else issuer.subject,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=self.now + days[0] * _DAY,
            not_valid_after=self.now + days[1] * _DAY,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(alternative_names(names), critical=False)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.sign(key if signer is None else signer, hashes.SHA256())

    def issue(self, *names, common_name="odd", rsa_bits=None, is_ca=False, days=(-1, 30), purpose=None, under=None):
        """(certificate, key, file) for dNSNames as bytes; `under` is what another issue() gave, an authority below."""
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        issuer, signer = (self.root, self.key) if under is None else under[:2]
        cert = self._sign(_name(common_name), key, names, issuer, signer, is_ca, days, purpose)
        self._count += 1
        chain = [cert] if under is None else [cert, under[0]]
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._write(
            f"{self._count}.pem", private, *(each.public_bytes(serialization.Encoding.PEM) for each in chain)
        )
        return cert, key, path

    def revoke(self, *certs, under=None, days=(-1, 30), name="crl.pem"):
        """The file of a list that has these certificates, of this authority or of one below."""
        issuer, signer = (self.root, self.key) if under is None else under[:2]
        entries = [x509.RevokedCertificateBuilder(cert.serial_number, self.now - _DAY).build() for cert in certs]
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=issuer.subject,
            last_update=self.now + days[0] * _DAY,
            next_update=self.now + days[1] * _DAY,
            revoked_certificates=entries,
        )
        return self._write(name, builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    @staticmethod
    def context(issued, alpn=("http/1.1",), ciphers=None, version=None):
        """A server's context that shows what issue() gave; `version` is the only one that it speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if ciphers is not None:
            context.set_ciphers(ciphers)
        context.load_cert_chain(issued[2])
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context
