"""Requests without a client: each of these makes one, and closes it."""

from ._client import Client
from ._config import DEFAULT_TIMEOUT_CONFIG
from ._utils import public

@public
def request(
    method,
    url,
    *,
    params=None,
    content=None,
    data=None,
    files=None,
    json=None,
    headers=None,
    cookies=None,
    auth=None,
    proxy=None,
    timeout=DEFAULT_TIMEOUT_CONFIG,
    follow_redirects=False,
    verify=True,
    trust_env=True,
    verify_ssl=None,
    ca_bundle=None,
    cert_file=None,
    address_policy=None,
    pins=None,
):
    """Sends a request and returns its response, the body read.

    `content` is a body as it is, `data` a form, `files` a form with files, and `json` a value to serialize.
    The other parameters are those of `Client`.
    """
    with Client(
        cookies=cookies,
        proxy=proxy,
        verify=verify,
        timeout=timeout,
        trust_env=trust_env,
        verify_ssl=verify_ssl,
        ca_bundle=ca_bundle,
        cert_file=cert_file,
        address_policy=address_policy,
        pins=pins,
    ) as client:
        return client.request(
            method,
            url,
            content=content,
            data=data,
            files=files,
            json=json,
            params=params,
            headers=headers,
            auth=auth,
            follow_redirects=follow_redirects,
        )


class _StreamContext:
    """`with requestx.stream(...) as response`: the response of a client that is closed with it."""

    __slots__ = ("_settings", "_arguments", "_client", "_stream")

    def __init__(self, settings: dict, arguments: dict):
        self._settings = settings
        self._arguments = arguments

    def __enter__(self):
        self._client = Client(**self._settings).__enter__()
        try:
            self._stream = self._client.stream(**self._arguments)
            return self._stream.__enter__()
        except BaseException:
            self._client.close()
            raise

    def __exit__(self, kind, error, traceback):
        try:
            self._stream.__exit__(kind, error, traceback)
        finally:
            self._client.close()


@public
def stream(
    method,
    url,
    *,
    params=None,
    content=None,
    data=None,
    files=None,
    json=None,
    headers=None,
    cookies=None,
    auth=None,
    proxy=None,
    timeout=DEFAULT_TIMEOUT_CONFIG,
    follow_redirects=False,
    verify=True,
    trust_env=True,
    verify_ssl=None,
    ca_bundle=None,
    cert_file=None,
    address_policy=None,
    pins=None,
):
    """`with requestx.stream(...) as response`: as `request()`, but that the body is read as the caller likes."""
    settings = {
        "cookies": cookies,
        "proxy": proxy,
        "verify": verify,
        "timeout": timeout,
        "trust_env": trust_env,
        "verify_ssl": verify_ssl,
        "ca_bundle": ca_bundle,
        "cert_file": cert_file,
        "address_policy": address_policy,
        "pins": pins,
    }
    arguments = {
        "method": method,
        "url": url,
        "content": content,
        "data": data,
        "files": files,
        "json": json,
        "params": params,
        "headers": headers,
        "auth": auth,
        "follow_redirects": follow_redirects,
    }
    return _StreamContext(settings, arguments)


def _name(function, method):
    function.__name__ = function.__qualname__ = method.lower()
    function.__doc__ = f"Sends a {method} request; the parameters are those of `request()`."
    return public(function)


def _without_body(method):
    def send(
        url,
        *,
        params=None,
        headers=None,
        cookies=None,
        auth=None,
        proxy=None,
        follow_redirects=False,
        verify=True,
        timeout=DEFAULT_TIMEOUT_CONFIG,
        trust_env=True,
        verify_ssl=None,
        ca_bundle=None,
        cert_file=None,
        address_policy=None,
        pins=None,
    ):
        return request(
            method,
            url,
            params=params,
            headers=headers,
            cookies=cookies,
            auth=auth,
            proxy=proxy,
            follow_redirects=follow_redirects,
            verify=verify,
            timeout=timeout,
            trust_env=trust_env,
            verify_ssl=verify_ssl,
            ca_bundle=ca_bundle,
            cert_file=cert_file,
            address_policy=address_policy,
            pins=pins,
        )

    return _name(send, method)


def _with_body(method):
    def send(
        url,
        *,
        content=None,
        data=None,
        files=None,
        json=None,
        params=None,
        headers=None,
        cookies=None,
        auth=None,
        proxy=None,
        follow_redirects=False,
        verify=True,
        timeout=DEFAULT_TIMEOUT_CONFIG,
        trust_env=True,
        verify_ssl=None,
        ca_bundle=None,
        cert_file=None,
        address_policy=None,
        pins=None,
    ):
        return request(
            method,
            url,
            content=content,
            data=data,
            files=files,
            json=json,
            params=params,
            headers=headers,
            cookies=cookies,
            auth=auth,
            proxy=proxy,
            follow_redirects=follow_redirects,
            verify=verify,
            timeout=timeout,
            trust_env=trust_env,
            verify_ssl=verify_ssl,
            ca_bundle=ca_bundle,
            cert_file=cert_file,
            address_policy=address_policy,
            pins=pins,
        )

    return _name(send, method)


get = _without_body("GET")
options = _without_body("OPTIONS")
head = _without_body("HEAD")
delete = _without_body("DELETE")
post = _with_body("POST")
put = _with_body("PUT")
patch = _with_body("PATCH")
