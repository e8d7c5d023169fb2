"""The authentication guide: each of its programs runs as it stands, but for the names of its hosts.

The programs are in snippets/, in the guide's order. A snippet is executed as a program would be, and then its variables
and what it printed are looked at. Servers are real ones that speak HTTP/2: httpbin, the tests' application as API and
OAuth 2.0 server, and tinyproxy as the proxy that wants credentials.
"""

import ast
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

SNIPPETS = Path(__file__).with_name("snippets")


@pytest.fixture
def run(ca, httpbin, app, monkeypatch, capsys):
    """run(name, **hosts): executes a snippet; gives its variables, and in `printed` the lines that it printed."""
    monkeypatch.setenv("SSL_CERT_FILE", ca.ca_file)
    hosts = {
        "https://httpbin.org": httpbin.https_url(""),
        "https://api.example.com": app.https_url(""),
        "http://api.example.com": app.http_url(""),
        "https://auth.example.com": app.https_url(""),
    }

    def run(name, namespace=None, **others):
        source = (SNIPPETS / f"{name}.py").read_text()
        for host, address in {**hosts, **others}.items():
            source = source.replace(host, address)
        assert "example.com" not in source and "httpbin.org" not in source, "a host is left that is not ours"
        capsys.readouterr()
        namespace = {} if namespace is None else namespace
        exec(compile(source, f"{name}.py", "exec"), namespace)
        return SimpleNamespace(**namespace, printed=capsys.readouterr().out.splitlines())

    return run


def test_every_snippet_is_run():
    ours = Path(__file__).read_text()
    names = [path.stem for path in sorted(SNIPPETS.glob("*.py"))]
    assert len(names) == 15
    assert [name for name in names if f'run("{name}"' not in ours] == []


def test_basic(run):
    ran = run("01_basic")
    assert ran.printed == ["200"]
    assert ran.response.http_version == "HTTP/2"
    assert ran.response.json() == {"authenticated": True, "user": "username"}


def test_basic_client(run):
    ran = run("02_basic_client")
    assert ran.response.status_code == 200
    assert ran.response.json()["by"] == "basic"
    assert ran.response.http_version == "HTTP/2"
    assert ran.client.is_closed


def test_bearer(run):
    ran = run("03_bearer")
    assert ran.printed == ["200"]
    assert ran.response.json() == {"authenticated": True, "token": "your-api-token-here"}
    assert ran.response.http_version == "HTTP/2"


def test_bearer_client(run):
    ran = run("04_bearer_client")
    assert ran.users == {"authenticated": True, "by": "bearer", "path": "/users", "protocol": "2"}
    assert ran.profile == {"authenticated": True, "by": "bearer", "path": "/profile", "protocol": "2"}


def test_header(run):
    assert run("05_header").response.json()["by"] == "key"


def test_header_client(run):
    assert run("06_header_client").response.json()["by"] == "key"


def test_query(run):
    ran = run("07_query")
    assert ran.response.json()["by"] == "key"
    assert ran.response.url.query == b"api_key=your-api-key"


def test_client_credentials(run):
    ran = run("08_client_credentials")
    assert len(ran.token) > 20
    assert ran.data == {"authenticated": True, "by": "bearer", "path": "/protected", "protocol": "2"}


def test_client_credentials_refused(run, app):
    ran = run("08_client_credentials")
    with pytest.raises(ran.requestx.HTTPStatusError) as caught:
        ran.get_oauth_token("your-client-id", "wrong", app.https_url("/oauth/token"))
    assert caught.value.response.status_code == 401
    assert caught.value.response.json() == {"error": "invalid_client"}


def test_token_refresh(run):
    ran = run("09_token_refresh")
    assert ran.response.json()["by"] == "bearer"
    assert ran.client.is_closed
    manager, first = ran.token_manager, ran.token_manager.access_token
    assert manager.get_token() == first, "a token that is still good is used again"
    manager.expires_at = datetime.now() - timedelta(seconds=1)
    second = manager.get_token()
    assert second != first
    assert manager.expires_at > datetime.now() + timedelta(seconds=3000)


def test_async(run):
    (line,) = run("10_async").printed
    assert ast.literal_eval(line) == {"authenticated": True, "by": "bearer", "path": "/data", "protocol": "2"}


def test_async_token_refresh(run):
    (line,) = run("11_async_token_refresh").printed
    assert ast.literal_eval(line) == {"authenticated": True, "by": "bearer", "path": "/data", "protocol": "2"}


def test_async_token_is_shared(run, app):
    ran = run("11_async_token_refresh")

    async def ask():
        manager = ran.AsyncTokenManager("client-id", "client-secret", app.https_url("/oauth/token"))
        async with ran.requestx.AsyncClient() as client:
            before = (await client.get(app.https_url("/stats"))).json()["tokens"]
            tokens = await ran.asyncio.gather(*(manager.get_token(client) for _ in range(20)))
            after = (await client.get(app.https_url("/stats"))).json()["tokens"]
        return set(tokens), after - before

    tokens, issued = ran.asyncio.run(ask())
    assert len(tokens) == issued == 1


def test_proxy(run, app, tinyproxy_auth):
    before = len(tinyproxy_auth.connects())
    ran = run("12_proxy", **{"http://proxy.example.com:8080": tinyproxy_auth.url})
    # The proxy let it pass; the API behind it wants a token, which this program does not have.
    assert ran.response.status_code == 401
    assert ran.response.http_version == "HTTP/2", "inside the tunnel, too"
    assert tinyproxy_auth.connects()[before:] == [f"localhost:{app.https_port}"]


def test_proxy_refuses_others(run, tinyproxy_auth, app):
    ran = run("12_proxy", **{"http://proxy.example.com:8080": tinyproxy_auth.url})
    proxy = ran.requestx.Proxy(url=tinyproxy_auth.url, username="proxy-user", password="wrong")
    with ran.requestx.Client(proxy=proxy) as client, pytest.raises(ran.requestx.ProxyError):
        client.get(app.https_url("/data"))


def test_environment(run, monkeypatch):
    monkeypatch.setenv("API_KEY", "api-token")
    ran = run("13_environment")
    with ran.requestx.Client(auth=ran.auth) as client:
        request = client.build_request("GET", "https://api.example.com/")
        sent = next(client.auth.sync_auth_flow(request))
    assert sent.headers["Authorization"] == "Bearer api-token"


def test_environment_without_the_variable(run, monkeypatch):
    monkeypatch.delenv("API_KEY", raising=False)
    with pytest.raises(TypeError, match="bearer token"):
        run("13_environment")


def test_https(run, monkeypatch):
    monkeypatch.setenv("API_KEY", "api-token")
    namespace = {}
    run("13_environment", namespace)
    source = (SNIPPETS / "14_https.py").read_text()
    good, bad = source.split("# Bad")
    assert good.count("https://") == bad.count("http://") == 1
    ran = run("14_https", namespace)
    assert ran.response.json() == {"authenticated": True, "by": "bearer", "path": "/data", "protocol": "1.1"}
    assert ran.response.url.scheme == "http"


def test_https_alone(run, monkeypatch, app):
    monkeypatch.setenv("API_KEY", "api-token")
    namespace = {}
    run("13_environment", namespace)
    # With both names going to the same place, the last response is the secure one's.
    ran = run("14_https", namespace, **{"http://api.example.com": app.https_url("")})
    assert ran.response.json()["protocol"] == "2"
    assert ran.response.url.scheme == "https"


def test_errors(run):
    ran = run("15_errors")
    assert ran.response.status_code == 401
    assert ran.printed == ["Authentication failed - check your credentials"]


def test_errors_forbidden(run, peer):
    server = peer(handlers={"/data": lambda stream: stream.respond(403)})
    ran = run("15_errors", **{"https://api.example.com": server.url("")})
    assert ran.printed == ["Access denied - insufficient permissions"]


def test_errors_others(run, peer):
    import requestx

    server = peer(handlers={"/data": lambda stream: stream.respond(500)})
    with pytest.raises(requestx.HTTPStatusError, match="500 Internal Server Error"):
        run("15_errors", **{"https://api.example.com": server.url("")})


def test_errors_none(run, peer):
    server = peer(handlers={"/data": lambda stream: stream.respond(200, b"{}")})
    ran = run("15_errors", **{"https://api.example.com": server.url("")})
    assert ran.printed == []
    assert ran.response.json() == {}
