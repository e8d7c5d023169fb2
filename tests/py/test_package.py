"""The package as others see it: names, what an import costs, and what it leaves alone."""

import inspect
import json
import pickle
import shutil
import subprocess
import sys
import tarfile
import types
from pathlib import Path

import pytest

import requestx

HTTPX_NAMES = """
__description__ __title__ __version__ ASGITransport AsyncBaseTransport AsyncByteStream AsyncClient AsyncHTTPTransport
Auth BaseTransport BasicAuth ByteStream Client CloseError codes ConnectError ConnectTimeout CookieConflict Cookies
create_ssl_context DecodingError delete DigestAuth get head Headers HTTPError HTTPStatusError HTTPTransport InvalidURL
Limits LocalProtocolError main MockTransport NetRCAuth NetworkError options patch PoolTimeout post ProtocolError Proxy
ProxyError put QueryParams ReadError ReadTimeout RemoteProtocolError request Request RequestError RequestNotRead
Response ResponseNotRead stream StreamClosed StreamConsumed StreamError SyncByteStream Timeout TimeoutException
TooManyRedirects TransportError UnsupportedProtocol URL USE_CLIENT_DEFAULT WriteError WriteTimeout WSGITransport
""".split()


def python(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout


def test_every_name_of_httpx():
    assert set(requestx.__all__) == {*HTTPX_NAMES, "AddressPolicy", "FunctionAuth", "Retry"}
    assert requestx.__all__ == sorted(requestx.__all__, key=str.casefold)


def test_nothing_else_is_public():
    public = [name for name in vars(requestx) if not name.startswith("_")]
    assert sorted(public) == sorted(name for name in requestx.__all__ if not name.startswith("_"))
    assert sorted(name for name in dir(requestx) if not name.startswith("_")) == sorted(public)


def test_nothing_else_is_public_before_anything_was_asked_for():
    program = (
        "import requestx\n"
        "print([n for n in vars(requestx) if not n.startswith('_') and n not in requestx._EXPORTED])\n"
        "print([n for n in dir(requestx) if not n.startswith('_') and n not in requestx._EXPORTED])\n"
    )
    assert python(program) == "[]\n[]\n"


@pytest.mark.parametrize("name", [name for name in requestx.__all__ if not name.startswith("__")])
def test_everything_says_that_it_is_ours(name):
    thing = getattr(requestx, name)
    assert thing.__module__ == "requestx"
    if isinstance(thing, type) or inspect.isfunction(thing):
        assert thing.__qualname__ == name
        assert pickle.loads(pickle.dumps(thing)) is thing
    if name != "USE_CLIENT_DEFAULT":
        assert thing.__doc__


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        requestx.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        exec("from requestx import nonsense")


def test_import_star():
    names = {}
    exec("from requestx import *", names)
    assert set(requestx.__all__) <= set(names)


COLD = "asyncio ssl json http.cookiejar typing logging email urllib.request enum re hashlib inspect click httpx trio"


def test_import_brings_little():
    program = "import sys; before = set(sys.modules); import requestx; print(*sorted(set(sys.modules) - before))"
    brought = python(program).split()
    assert [name for name in COLD.split() if name in brought] == []
    ours = [name for name in brought if name.startswith("requestx")]
    assert len(ours) <= 20
    assert len(brought) - len(ours) <= 6, brought


def test_first_plain_client_brings_little():
    program = (
        "import sys; before = set(sys.modules); import requestx\n"
        "requestx.Client(headers={'a': 'b'}, auth=('u', 'p'), params={'c': 'd'}, timeout=1).close()\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    brought = python(program).split()
    assert [name for name in COLD.split() if name in brought] == []


def test_private_names_that_others_use():
    from requestx import _config, _content, _multipart, _types, _urls, _utils

    assert requestx.Timeout(5.0) == _config.DEFAULT_TIMEOUT_CONFIG
    assert issubclass(_content.IteratorByteStream, requestx.SyncByteStream)
    assert issubclass(_content.AsyncIteratorByteStream, requestx.AsyncByteStream)
    assert issubclass(_multipart.MultipartStream, requestx.SyncByteStream)
    assert _types.SyncByteStream is requestx.SyncByteStream
    assert _urls.QueryParams is requestx.QueryParams
    assert callable(_utils.get_environment_proxies)
    with requestx.Client() as client:
        assert client._transport_for_url(requestx.URL("http://example.org")) is client._transport
        assert client._transport._pool is not None


# signatures


def parameters(function):
    return {
        name: (parameter.kind.name, parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    }


BODY = ("content", "data", "files", "json")


@pytest.mark.parametrize("kind", [requestx.Client, requestx.AsyncClient])
@pytest.mark.parametrize("name", ["get", "options", "head", "delete", "post", "put", "patch", "request", "stream"])
def test_methods_of_clients(kind, name):
    got = parameters(getattr(kind, name))
    names = ["method", "url"] if name in ("request", "stream") else ["url"]
    has_body = name not in ("get", "options", "head", "delete")
    names += BODY if has_body else ()
    names += ["params", "headers", "cookies", "auth", "follow_redirects", "timeout", "extensions"]
    assert list(got) == names
    for each, (passing, value) in got.items():
        if each in ("method", "url"):
            assert passing == "POSITIONAL_OR_KEYWORD" and value is inspect.Parameter.empty
        else:
            assert passing == "KEYWORD_ONLY"
            deferred = each in ("auth", "follow_redirects", "timeout")
            assert value is (requestx.USE_CLIENT_DEFAULT if deferred else None)


@pytest.mark.parametrize("name", ["get", "options", "head", "delete", "post", "put", "patch", "request", "stream"])
def test_module_functions(name):
    got = parameters(getattr(requestx, name))
    wanted = {"params", "headers", "cookies", "auth", "proxy", "follow_redirects", "verify", "timeout", "trust_env"}
    wanted |= {"url", "verify_ssl", "ca_bundle", "cert_file", "address_policy", "pins"}
    wanted |= {"method"} if name in ("request", "stream") else set()
    wanted |= set(BODY) if name not in ("get", "options", "head", "delete") else set()
    assert set(got) == wanted
    assert got["timeout"][1] == requestx.Timeout(5.0)
    assert got["verify"][1] is got["trust_env"][1] is True
    assert got["follow_redirects"][1] is False


def test_constructors():
    got = parameters(requestx.Client.__init__)
    assert got == parameters(requestx.AsyncClient.__init__)
    assert {name: value for name, (_, value) in got.items() if value is not None} == {
        "verify": True, "trust_env": True, "http1": True, "http2": True, "timeout": requestx.Timeout(5.0),
        "follow_redirects": False, "max_redirects": 20, "base_url": "", "default_encoding": "utf-8",
        "limits": requestx.Limits(max_connections=100, max_keepalive_connections=20), "retries": 0,
    }  # fmt: skip
    assert {passing for passing, _ in got.values()} == {"KEYWORD_ONLY"}


# codes


def test_codes():
    assert requestx.codes.NOT_FOUND == requestx.codes.not_found == 404
    assert requestx.codes(404) is requestx.codes["NOT_FOUND"] is requestx.codes.NOT_FOUND
    assert str(requestx.codes.NOT_FOUND) == "404"
    assert type(requestx.codes.not_found) is int
    assert requestx.codes.get_reason_phrase(404) == "Not Found"
    assert requestx.codes.get_reason_phrase(599) == ""
    assert len(requestx.codes) == 62
    kinds = ("informational", "success", "redirect", "client_error", "server_error")
    for code in requestx.codes:
        is_kind = [getattr(requestx.codes, f"is_{kind}")(code) for kind in kinds]
        assert is_kind.index(True) == code // 100 - 1 and is_kind.count(True) == 1
        assert requestx.codes.is_error(code) is (code >= 400)
        assert json.dumps(code) == str(int(code))


def test_the_module_is_a_plain_module():
    assert type(requestx) is types.ModuleType
    assert requestx.__title__ == "requestx"
    assert requestx.__description__


def test_one_version():
    from requestx import _core

    assert requestx.__version__ == _core.versions()["requestx"]


TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """What "pip install" builds from, without what was built there already."""
    copy = tmp_path_factory.mktemp("sdist") / "tree"
    built = ("*.o", "*.lo", "*.la", ".libs", ".deps", "__pycache__", "*.so", "stage", "*.egg-info", "version.h")
    for name in ("include", "lib", "pyext"):
        shutil.copytree(TOP / name, copy / name, ignore=shutil.ignore_patterns(*built))
    for name in "COPYING ChangeLog MANIFEST.in README.md SECURITY.md configure.ac pyproject.toml setup.py".split():
        shutil.copy(TOP / name, copy / name)
    return copy


def test_a_source_distribution_has_all_that_is_compiled(sources, tmp_path):
    pytest.importorskip("setuptools")
    kinds = (".c", ".h", ".py", ".pyi")
    wanted = {str(path.relative_to(sources)) for path in sources.rglob("*") if path.suffix in kinds}
    command = [sys.executable, "setup.py", "-q", "sdist", "--formats=tar", f"--dist-dir={tmp_path}"]
    subprocess.run(command, cwd=sources, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted - packed == set()
    others = "COPYING configure.ac include/requestx/version.h.in lib/sources.am pyext/sources.am"
    assert {*others.split(), "pyext/requestx/py.typed"} - packed == set()


def test_a_build_says_which_libraries_are_missing(sources):
    program = (
        "import sys; sys.path.insert(0, 'pyext'); import sources\n"
        "sources.PACKAGES += ['no-such-library']; sources.libraries()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=sources, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "requestx needs pkg-config and the development files of no-such-library (see README.md)\n"
