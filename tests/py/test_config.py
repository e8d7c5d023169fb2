"""Timeout, Limits, Proxy, and the settings of TLS."""

import pickle
import ssl
import warnings

import pytest

import requestx
from requestx import _config

# Timeout


def test_timeout_default():
    timeout = requestx.Timeout(5.0)
    assert (timeout.connect, timeout.read, timeout.write, timeout.pool, timeout.total) == (5.0, 5.0, 5.0, 5.0, None)
    assert repr(timeout) == "Timeout(timeout=5.0)"
    assert timeout.as_dict() == {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}


def test_timeout_exception():
    timeout = requestx.Timeout(5.0, connect=10.0, pool=None)
    assert repr(timeout) == "Timeout(connect=10.0, read=5.0, write=5.0, pool=None)"


def test_timeout_total():
    timeout = requestx.Timeout(5.0, total=60)
    assert timeout.total == 60
    assert repr(timeout) == "Timeout(timeout=5.0, total=60)"
    assert timeout.as_dict()["total"] == 60
    assert timeout != requestx.Timeout(5.0)
    assert requestx.Timeout(timeout) == timeout
    assert requestx.Timeout(timeout, total=1).total == 1
    assert requestx.Timeout(timeout, total=None) == requestx.Timeout(5.0)
    assert requestx.Timeout((1, 2), total=3).total == 3


def test_timeout_stall():
    timeout = requestx.Timeout(5.0, stall=(1000, 10))
    assert timeout.stall == (1000, 10) and requestx.Timeout(5.0).stall is None
    assert repr(timeout) == "Timeout(timeout=5.0, stall=(1000, 10))"
    assert timeout.as_dict()["stall"] == (1000, 10) and "stall" not in requestx.Timeout(5.0).as_dict()
    assert timeout != requestx.Timeout(5.0) and timeout == requestx.Timeout(timeout)
    assert requestx.Timeout(timeout, stall=None) == requestx.Timeout(5.0)
    assert pickle.loads(pickle.dumps(timeout)) == timeout
    for bad in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ValueError, match="above 0"):
            requestx.Timeout(5.0, stall=bad)
    for bad in (1, (1,), (1, 2, 3)):
        with pytest.raises((TypeError, ValueError)):
            requestx.Timeout(5.0, stall=bad)


def test_timeout_all_four_need_no_default():
    timeout = requestx.Timeout(connect=1, read=2, write=3, pool=4)
    assert timeout.as_dict() == {"connect": 1, "read": 2, "write": 3, "pool": 4}
    assert timeout == requestx.Timeout(9, connect=1, read=2, write=3, pool=4)


@pytest.mark.parametrize("given", [{}, {"read": 1}, {"connect": 1, "read": 2, "write": 3}, {"total": 5}])
def test_timeout_needs_a_default(given):
    with pytest.raises(ValueError, match="default"):
        requestx.Timeout(**given)


def test_timeout_of_none_is_none():
    assert repr(requestx.Timeout(None)) == "Timeout(timeout=None)"


def test_timeout_tuples():
    assert requestx.Timeout((1, 2)) == requestx.Timeout(connect=1, read=2, write=None, pool=None)
    assert requestx.Timeout((1, 2, 3)) == requestx.Timeout(connect=1, read=2, write=3, pool=None)
    assert requestx.Timeout((1, 2, 3, 4)) == requestx.Timeout(connect=1, read=2, write=3, pool=4)


def test_timeout_is_not_hashable_and_travels():
    with pytest.raises(TypeError):
        hash(requestx.Timeout(1))
    timeout = requestx.Timeout(1, total=2)
    assert pickle.loads(pickle.dumps(timeout)) == timeout
    assert timeout != 1


def test_limits():
    limits = requestx.Limits(max_connections=10)
    assert limits == requestx.Limits(max_connections=10, max_keepalive_connections=None, keepalive_expiry=5.0)
    assert limits != requestx.Limits()
    assert repr(limits) == "Limits(max_connections=10, max_keepalive_connections=None, keepalive_expiry=5.0)"


# Proxy


@pytest.mark.parametrize(
    ("url", "options", "auth"),
    [
        ("http://proxy:3128", {}, None),
        ("http://user:pass@proxy:3128", {}, ("user", "pass")),
        ("http://proxy:3128", {"auth": ("user", "pass")}, ("user", "pass")),
        ("http://user:pass@proxy:3128", {"auth": ("other", "x")}, ("user", "pass")),
        ("http://proxy:3128", {"username": "user", "password": "pass"}, ("user", "pass")),
        ("http://user:pass@proxy:3128", {"username": "me", "password": "word"}, ("me", "word")),
        ("http://proxy:3128", {"username": "user"}, ("user", "")),
        ("socks5://proxy:1080", {"username": "u\u00e9", "password": "p"}, ("u\u00e9", "p")),
    ],
)
def test_proxy_credentials(url, options, auth):
    proxy = requestx.Proxy(url, **options)
    assert proxy.auth == auth
    assert proxy.url.userinfo == b""
    assert proxy.raw_auth == (None if auth is None else tuple(part.encode() for part in auth))
    if auth:
        assert repr(proxy) == f"Proxy({str(proxy.url)!r}, auth=({auth[0]!r}, '********'))"


def test_proxy_by_keyword_and_headers():
    proxy = requestx.Proxy(url="http://proxy:3128", headers={"X-Name": "value"})
    assert repr(proxy) == "Proxy('http://proxy:3128', headers={'x-name': 'value'})"


@pytest.mark.parametrize("url", ["ftp://proxy", "socks4://proxy", "proxy:3128"])
def test_proxy_schemes(url):
    with pytest.raises(ValueError, match="Unknown scheme"):
        requestx.Proxy(url)


# TLS


def test_aliases():
    merge = _config.merge_tls_aliases
    assert merge(True, None) == (True, None)
    assert merge(True, None, False) == (False, None)
    assert merge(True, None, True) == (True, None)
    assert merge(True, None, None, "/etc/ca.pem") == ("/etc/ca.pem", None)
    assert merge(True, None, None, None, "client.pem") == (True, ("client.pem",))
    assert merge(True, None, None, None, ("client.pem", "client.key")) == (True, ("client.pem", "client.key"))


@pytest.mark.parametrize(
    "arguments",
    [
        (False, None, False),
        (True, None, "no"),
        (False, None, None, "ca.pem"),
        (True, None, False, "ca.pem"),
        (True, "a.pem", None, None, "b.pem"),
    ],
)
def test_aliases_that_contradict(arguments):
    with pytest.raises(TypeError):
        _config.merge_tls_aliases(*arguments)


def test_paths_are_deprecated_as_verify_but_not_as_aliases(ca):
    with pytest.warns(DeprecationWarning, match="verify=<str>"):
        requestx.create_ssl_context(ca.ca_file)
    with pytest.warns(DeprecationWarning, match="cert=..."):
        requestx.create_ssl_context(cert=ca.pair("client"))
    verify, cert = _config.merge_tls_aliases(True, None, None, ca.ca_file, ca.pair("client"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        context = requestx.create_ssl_context(verify, cert)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509_ca"] == 1


def test_context_from_the_environment(ca, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    assert requestx.create_ssl_context().cert_store_stats()["x509_ca"] == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert requestx.create_ssl_context().cert_store_stats()["x509_ca"] == 0
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    assert requestx.create_ssl_context().cert_store_stats()["x509_ca"] == 1, "the file comes first"


def test_context_without_the_environment(ca, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    context = requestx.create_ssl_context(trust_env=False)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_context_that_verifies_nothing():
    context = requestx.create_ssl_context(verify=False)
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname


def test_context_given():
    given = ssl.create_default_context()
    assert requestx.create_ssl_context(given) is given


def test_missing_bundle():
    with pytest.raises(FileNotFoundError), pytest.warns(DeprecationWarning):
        requestx.create_ssl_context("/path/to/nowhere.pem")


def test_encrypted_client_key(ca):
    cert = _config.ClientCert((ca.client_cert, ca.client_key_encrypted, ca.client_key_password))
    requestx.create_ssl_context(cert=cert)
    wrong = _config.ClientCert((ca.client_cert, ca.client_key_encrypted, "wrong"))
    with pytest.raises(ssl.SSLError):
        requestx.create_ssl_context(cert=wrong)


# Retry


def test_retry_default():
    retry = requestx.Retry()
    assert (retry.total, retry.connect, retry.read, retry.status) == (3, None, None, None)
    assert retry.statuses == (429, 502, 503, 504)
    assert retry.methods == ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")
    assert (retry.backoff, retry.backoff_max, retry.jitter) == (0.5, 30.0, 0.5)
    assert (retry.respect_retry_after, retry.retry_after_max) == (True, 120.0)
    assert repr(retry) == "Retry(3)"


def test_retry_never_changes_and_travels():
    retry = requestx.Retry(5, connect=1, methods=["get", "POST"], statuses={503}, jitter=0)
    assert repr(retry) == "Retry(5, connect=1, statuses=(503,), methods=('GET', 'POST'), jitter=0)"
    with pytest.raises(AttributeError):
        retry.total = 9
    with pytest.raises(AttributeError):
        del retry.total
    with pytest.raises(AttributeError):
        retry.other = 9
    again = pickle.loads(pickle.dumps(retry))
    assert again == retry and hash(again) == hash(retry) and again is not retry
    assert retry != requestx.Retry(5) and retry != 5
    assert len({retry, again, requestx.Retry(), requestx.Retry()}) == 2


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"total": -1}, ValueError),
        ({"connect": -1}, ValueError),
        ({"read": -2}, ValueError),
        ({"status": -1}, ValueError),
        ({"statuses": [200]}, ValueError),
        ({"statuses": [-1]}, ValueError),
        ({"statuses": [10**30]}, OverflowError),
        ({"statuses": range(400, 500)}, ValueError),
        ({"statuses": ["503"]}, TypeError),
        ({"statuses": 503}, TypeError),
        ({"methods": "GET"}, TypeError),
        ({"methods": ["GE T"]}, ValueError),
        ({"methods": [b"GET"]}, TypeError),
        ({"methods": ["GET"] * 65}, ValueError),
        ({"backoff": -0.0001}, ValueError),
        ({"backoff_max": 4e7}, ValueError),
        ({"retry_after_max": -1}, ValueError),
        ({"backoff": float("inf")}, OverflowError),
        ({"jitter": 1.1}, ValueError),
        ({"jitter": -0.1}, ValueError),
        ({"total": "3"}, TypeError),
    ],
)
def test_retry_refuses_nonsense(given, error):
    with pytest.raises(error):
        requestx.Retry(**given)


@pytest.mark.parametrize("kind", [requestx.HTTPTransport, requestx.AsyncHTTPTransport])
def test_transports_take_a_number_or_a_retry(kind):
    kind(retries=2)
    kind(retries=requestx.Retry())
    for bad in ("2", None, 1.5):
        with pytest.raises(TypeError):
            kind(retries=bad)


def test_the_settings_behind_a_retry_are_the_library_s():
    with pytest.raises(TypeError):
        _config.NativeRetry(1)
    with pytest.raises(TypeError, match="a Retry is needed"):
        requestx._core.EngineTransport(retry=3)
    with pytest.raises(TypeError, match="keywords"):
        _config.NativeRetry(total=1)


def test_a_client_cannot_retry_for_a_transport_of_its_user():
    with pytest.raises(ValueError, match="retries"):
        requestx.Client(transport=requestx.HTTPTransport(), retries=requestx.Retry())
    requestx.Client(transport=requestx.HTTPTransport(retries=requestx.Retry()), retries=0).close()
