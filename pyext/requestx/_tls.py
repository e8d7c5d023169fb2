"""From what `verify` and `cert` may be to the extension's `Tls`; imported only where they are not the defaults."""

import os

from ._config import trust_paths, warn_of_tls_paths
from ._core import Tls

# Configurations that were made before, so that clients made alike share trusted certificates and TLS sessions.
_shared = {}
_SHARED_MAX = 64


def make_tls(verify, cert, trust_env, pins=None):
    """The `Tls` for the settings of a client; files that cannot be used are an OSError here and now."""
    warn_of_tls_paths(verify, cert, stacklevel=4)
    pins = _checked_pins(pins)
    if not isinstance(verify, (bool, str)):
        return _from_context(verify, cert, pins)
    chain = _chain(cert)
    key = (verify, chain, trust_env, pins, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) + _stamps(
        verify, *chain[:2]
    )
    tls = _shared.get(key)
    if tls is None:
        tls = _from_files(verify, chain, trust_env, pins)
        if len(_shared) >= _SHARED_MAX:
            _shared.clear()
        _shared[key] = tls
    return tls


def _checked_pins(pins):
    """The pins as a tuple, or None; each is "sha256/" and base64 of 32 bytes."""
    from base64 import b64decode, b64encode

    if pins is None:
        return None
    if isinstance(pins, (str, bytes)):
        raise TypeError(f"pins must be a list of pins, not {type(pins).__name__}")
    pins = tuple(pins)
    if not pins:
        raise ValueError("pins has no pin, so that no server could have it: leave it out")
    for pin in pins:
        if not isinstance(pin, str):
            raise TypeError(f"a pin must be str, not {type(pin).__name__}")
        kind, _, digest = pin.partition("/")
        if len(digest) == 45 and digest[0] == "/":  # as curl has it
            digest = digest[1:]
        try:
            raw = b64decode(digest, validate=True)
        except ValueError:
            raw = b""
        if kind != "sha256" or len(raw) != 32 or b64encode(raw).decode() != digest:
            raise ValueError(f"{pin!r} is no pin: 'sha256/' and base64 of the SHA-256 of a public key")
    return pins


def _chain(cert):
    """(certificate, key, password), each None where it is not given."""
    if not cert:
        return (None, None, None)
    if isinstance(cert, str):
        return (cert, None, None)
    return (*cert, None, None)[:3]


def _stamps(*paths):
    """When the files were changed, so that a renewed certificate is read again."""
    stamps = []
    for path in paths:
        try:
            status = os.stat(path) if isinstance(path, str) else None
        except OSError:
            status = None
        stamps.append(None if status is None else (status.st_mtime_ns, status.st_ino))
    return tuple(stamps)


def _from_files(verify, chain, trust_env, pins):
    ca_file, ca_dir = trust_paths(verify, False) if isinstance(verify, str) else (None, None)
    cert_file, key_file, password = chain
    for path in (ca_file, cert_file, key_file):
        if path is not None:
            # The engine's OSError would say so as well, but is of no kind that a program can tell from others.
            os.stat(path)
    if callable(password):
        password = password()
    tls = Tls(
        verify=verify is not False,
        ca_file=ca_file,
        ca_dir=ca_dir,
        cert_file=cert_file,
        key_file=key_file,
        key_password=password,  # pyright: ignore[reportArgumentType] - the library refuses what it cannot be
        trust_env=trust_env,
        system_trust=not isinstance(verify, str),
        pins=pins,
    )
    if ca_file or ca_dir or cert_file:
        tls.load()
    return tls


def tls_of_context(context):
    """The `Tls` for the `ssl_context` of a proxy."""
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl_context must be an ssl.SSLContext, not {type(context).__name__}")
    return _from_context(context, None, None)


def _from_context(context, cert, pins):
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"verify must be a bool, a path or an ssl.SSLContext, not {type(context).__name__}")
    if cert:
        context.load_cert_chain(*(item for item in _chain(cert) if item is not None))
    if type(context).__module__.partition(".")[0] == "truststore":
        # It defers to the system's trusted certificates, as the engine does of itself.
        return Tls(pins=pins)
    tls = Tls.from_context(context, pins)
    return _translated(context, pins) if tls is None else tls


def _translated(context, pins):
    """The settings of a context that belongs to another OpenSSL than the engine's, as far as they can be read."""
    import ssl
    import warnings

    if context.verify_flags & (ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN):
        # The lists cannot be read from a context; to go on without them would trust what they revoke.
        raise ValueError("revocation lists cannot be carried over from an ssl.SSLContext that cannot be borrowed")
    warnings.warn(
        "The ssl.SSLContext belongs to another OpenSSL than requestx uses. Its trusted certificates, verification, "
        "minimum version and key log are carried over; client certificates, ciphers and callbacks cannot be.",
        RuntimeWarning,
        stacklevel=5,
    )
    trusted = "".join(map(ssl.DER_cert_to_PEM_cert, context.get_ca_certs(binary_form=True)))
    if context.verify_mode != ssl.CERT_NONE and not context.check_hostname:
        raise ValueError("check_hostname=False needs verify_mode=CERT_NONE where the ssl.SSLContext cannot be borrowed")
    return Tls(
        verify=context.verify_mode != ssl.CERT_NONE,
        ca_pem=trusted or None,
        system_trust=not trusted,
        min_version=0x0304 if context.minimum_version == ssl.TLSVersion.TLSv1_3 else 0x0303,
        keylog_file=context.keylog_filename,
        pins=pins,
    )
