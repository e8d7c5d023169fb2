"""From what `verify` and `cert` may be to the extension's `Tls`; imported only where they are not the defaults."""

import os

from ._config import trust_paths, warn_of_tls_paths
from ._core import Tls

# Configurations that were made before, so that clients made alike share trusted certificates and TLS sessions.
_shared = {}
_SHARED_MAX = 64


def make_tls(verify, cert, trust_env):
    """The `Tls` for the settings of a client; files that cannot be used are an OSError here and now."""
    warn_of_tls_paths(verify, cert, stacklevel=5)
    if not isinstance(verify, (bool, str)):
        return _from_context(verify, cert)
    chain = _chain(cert)
    key = (verify, chain, trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")) + _stamps(
        verify, *chain[:2]
    )
    tls = _shared.get(key)
    if tls is None:
        tls = _from_files(verify, chain, trust_env)
        if len(_shared) >= _SHARED_MAX:
            _shared.clear()
        _shared[key] = tls
    return tls


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


def _from_files(verify, chain, trust_env):
    ca_file, ca_dir = trust_paths(verify, False) if isinstance(verify, str) else (None, None)
    cert_file, key_file, password = chain
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
    )
    if ca_file or ca_dir or cert_file:
        tls.load()
    return tls


def _from_context(context, cert):
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"verify must be a bool, a path or an ssl.SSLContext, not {type(context).__name__}")
    if cert:
        context.load_cert_chain(*(item for item in _chain(cert) if item is not None))
    if type(context).__module__.partition(".")[0] == "truststore":
        # It defers to the system's trusted certificates, as the engine does of itself.
        return Tls()
    tls = Tls.from_context(context)
    return _translated(context) if tls is None else tls


def _translated(context):
    """The settings of a context that belongs to another OpenSSL than the engine's, as far as they can be read."""
    import ssl
    import warnings

    warnings.warn(
        "The ssl.SSLContext belongs to another OpenSSL than requestx uses. Its trusted certificates, verification, "
        "minimum version and key log are carried over; client certificates, ciphers and callbacks cannot be.",
        RuntimeWarning,
        stacklevel=6,
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
    )
