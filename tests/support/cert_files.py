"""Makes the certificates of `certs.CertAuthority`: a program, and a module, that need cryptography and trustme.

All files are PEM in one directory.  As a program it prints where each of them is, as JSON.
"""

import datetime
import ipaddress
import json
import sys
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOSTS = ("localhost", "127.0.0.1", "::1", "*.example.test")
CLIENT_KEY_PASSWORD = "correct horse"
_DAY = datetime.timedelta(days=1)


def make(directory):
    """Makes all of them; gives a dict of names and paths, and `client_key_password`."""
    return _Maker(directory).paths | {"client_key_password": CLIENT_KEY_PASSWORD}


class _Maker:
    def __init__(self, directory):
        self.dir = Path(directory)
        self.paths = {}
        now = datetime.datetime.now(datetime.timezone.utc)
        root = trustme.CA(organization_name="requestx tests")
        other = trustme.CA(organization_name="somebody else")
        middle = root.create_child_ca()
        self._write("ca_file", "ca.pem", root.cert_pem.bytes())
        self._write("untrusted_ca_file", "untrusted-ca.pem", other.cert_pem.bytes())

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
        self._revoke(root, revoked, now)

    def _write(self, name, file, *parts):
        path = self.dir / file
        path.write_bytes(b"".join(parts))
        self.paths[name] = str(path)

    def _pair(self, name, chain, key):
        self._write(f"{name}_cert", f"{name}.pem", *chain)
        self._write(f"{name}_key", f"{name}.key", key)

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
        cert, key = (Path(self.paths[f"client_{part}"]).read_bytes() for part in ("cert", "key"))
        self._write("client_combined", "client-combined.pem", key, cert)
        locked = serialization.load_pem_private_key(key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(CLIENT_KEY_PASSWORD.encode()),
        )
        self._write("client_key_encrypted", "client-encrypted.key", locked)

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
        self._write("crl_file", "crl.pem", crl.public_bytes(serialization.Encoding.PEM))


def _addresses():
    return ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")


def _plain_key(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


if __name__ == "__main__":
    json.dump(make(sys.argv[1]), sys.stdout)
