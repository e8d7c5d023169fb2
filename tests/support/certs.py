"""A certificate authority for the tests, with every kind of certificate that a client must accept
or refuse.

Attributes are paths as `str`, made by `cert_files`, so that they can be handed to a server's
configuration, to OpenSSL and to the client under test alike.
"""

import json
import os
import ssl
import subprocess
from pathlib import Path

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


class CertAuthority:
    """Issues all certificates at once; `directory` must exist."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.__dict__.update(_made(self.dir))

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


def _made(directory):
    """Where each file is.  Another interpreter makes them where this one can have no cryptography."""
    try:
        from . import cert_files
    except ImportError:
        maker = Path(__file__).with_name("cert_files.py")
        command = [os.environ["RQX_TEST_PYTHON"], str(maker), str(directory)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return cert_files.make(directory)
