"""A certificate authority for the tests, with every kind of certificate that a client must accept
or refuse.

All files are PEM in one directory; attributes are paths as `str`, made by `_pair`, so that they can
be handed to a server's configuration, to OpenSSL and to the client under test alike.
"""

import datetime
import ipaddress
import ssl
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOSTS = ("localhost", "127.0.0.1", "::1", "*.example.test")
PAIRS = (
    "server",
    "client",
    "expired",
    "not_yet_valid",
    "wrong_host",
    "self_signed",
    "untrusted",
    "revoked",
    "intermediate",
    "missing_intermediate",
)
_DAY = datetime.timedelta(days=1)


class CertAuthority:
    """Issues all certificates at once; `directory` must exist."""

    client_key_password = "correct horse"

    def __init__(self, directory):
        self.dir = Path(directory)
        now = datetime.datetime.now(datetime.timezone.utc)
        root = trustme.CA(organization_name="requestx tests")
        other = trustme.CA(organization_name="somebody else")
        middle = root.create_child_ca()
        self.ca_file = self._write("ca.pem", root.cert_pem.bytes())
        self.untrusted_ca_file = self._write("untrusted-ca.pem", other.cert_pem.bytes())

        self._issue("server", root, *HOSTS)
        self._issue("client", root, "client@example.test", common_name="requestx test client")
        self._issue("expired", root, *HOSTS, not_before=now - 30 * _DAY, not_after=now - _DAY)
        self._issue(
            "not_yet_valid", root, *HOSTS, not_before=now + 30 * _DAY, not_after=now + 60 * _DAY
        )
        self._issue("wrong_host", root, "other.invalid")
        self._issue("untrusted", other, *HOSTS)
        revoked = self._issue("revoked", root, *HOSTS)
        self._self_signed(now)
        self._chain(middle)
        self._client_files()
        self.crl_file = self._revoke(root, revoked, now)

    def pair(self, name):
        """(certificate file, key file) for one of PAIRS."""
        return getattr(self, f"{name}_cert"), getattr(self, f"{name}_key")

    def server_context(self, name="server", alpn=("h2",), ask_client=False):
        """A server's SSLContext; `alpn` None answers no ALPN at all."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair(name))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        return context

    def client_context(self, alpn=None):
        """A client's SSLContext that trusts `ca_file` alone."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def _write(self, name, *parts):
        path = self.dir / name
        path.write_bytes(b"".join(parts))
        return str(path)

    def _pair(self, name, chain, key):
        setattr(self, f"{name}_cert", self._write(f"{name}.pem", *chain))
        setattr(self, f"{name}_key", self._write(f"{name}.key", key))

    def _issue(self, name, authority, *hosts, **options):
        leaf = authority.issue_cert(*hosts, **options)
        self._pair(
            name, [blob.bytes() for blob in leaf.cert_chain_pems], leaf.private_key_pem.bytes()
        )
        return x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())

    def _self_signed(self, now):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        names = x509.SubjectAlternativeName(
            [
                x509.DNSName("localhost"),
                x509.DNSName("*.example.test"),
                *map(x509.IPAddress, _addresses()),
            ]
        )
        builder = x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _DAY,
            not_valid_after=now + 30 * _DAY,
        )
        cert = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
        self._pair("self_signed", [cert.public_bytes(serialization.Encoding.PEM)], _plain_key(key))

    def _chain(self, middle):
        leaf = middle.issue_cert(*HOSTS)
        blobs = [blob.bytes() for blob in leaf.cert_chain_pems]
        assert len(blobs) == 2, "a leaf and its intermediate"
        self._pair("intermediate", blobs, leaf.private_key_pem.bytes())
        self._pair("missing_intermediate", blobs[:1], leaf.private_key_pem.bytes())

    def _client_files(self):
        cert, key = (Path(path).read_bytes() for path in self.pair("client"))
        self.client_combined = self._write("client-combined.pem", key, cert)
        locked = serialization.load_pem_private_key(key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(self.client_key_password.encode()),
        )
        self.client_key_encrypted = self._write("client-encrypted.key", locked)

    def _revoke(self, root, cert, now):
        key = serialization.load_pem_private_key(root.private_key_pem.bytes(), None)
        entry = x509.RevokedCertificateBuilder(cert.serial_number, now - _DAY).build()
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=x509.load_pem_x509_certificate(root.cert_pem.bytes()).subject,
            last_update=now - _DAY,
            next_update=now + 30 * _DAY,
            revoked_certificates=[entry],
        )
        crl = builder.sign(key, hashes.SHA256())
        return self._write("crl.pem", crl.public_bytes(serialization.Encoding.PEM))


def _addresses():
    return ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")


def _plain_key(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
