"""The connection under a response, as far as the extension `network_stream` shows it."""


class NetworkStream:
    """What a response's `network_stream` extension is: it tells of the connection, which is the engine's alone."""

    def __init__(self, peer, local, tls=None):
        self._addresses = {"server_addr": _address(peer), "client_addr": _address(local)}
        self._tls = tls
        self._ssl_object = None

    def get_extra_info(self, info):
        """`server_addr` and `client_addr` as (host, port), `ssl_object` as an `SSLObject` if there is TLS; else None.

        There is no `socket`, for the engine reads and writes it when it likes.
        """
        if info != "ssl_object":
            return self._addresses.get(info)
        if self._ssl_object is None and self._tls is not None:
            self._ssl_object = SSLObject(*self._tls)
        return self._ssl_object

    def __repr__(self):
        return f"<NetworkStream to {self._addresses['server_addr']}>"


class SSLObject:
    """What `ssl.SSLObject` tells of a connection, of one that is the engine's: nothing here reads or writes."""

    server_side = False
    # The engine keeps sessions by itself, and has no SSLContext.
    session = None
    context = None

    def __init__(self, version, cipher, bits, alpn, server_name, certificate, verified, resumed):
        self._version = version
        self._cipher = (cipher, version, bits)
        self._alpn = alpn or None
        self._certificate = certificate
        self._verified = verified
        self.server_hostname = server_name
        self.session_reused = bool(resumed)

    def version(self):
        """The protocol, as "TLSv1.3"."""
        return self._version

    def cipher(self):
        """(name of the cipher, protocol, secret bits)"""
        return self._cipher

    def selected_alpn_protocol(self):
        """"h2" or "http/1.1"; None if the server chose none."""
        return self._alpn

    def selected_npn_protocol(self):
        """None: NPN is not spoken."""
        return None

    def compression(self):
        """None: TLS compression is never used."""
        return None

    def shared_ciphers(self):
        """None: that is known to servers."""
        return None

    def getpeercert(self, binary_form=False):
        """The server's certificate: DER, or a dictionary, which is empty if the certificate was not verified."""
        if not self._certificate:
            return None
        if binary_form:
            return self._certificate
        return _decoded(self._certificate) if self._verified else {}

    def __repr__(self):
        return f"<SSLObject {self._version} {self._cipher[0]} to {self.server_hostname}>"


def _decoded(certificate):
    """The dictionary that `ssl` makes of a certificate, which it reads from files alone."""
    import ssl
    import tempfile
    from _ssl import _test_decode_cert  # pyright: ignore[reportAttributeAccessIssue]

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(ssl.DER_cert_to_PEM_cert(certificate))
        file.flush()
        return _test_decode_cert(file.name)


def _address(text):
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None
