"""requestx and httpx 0.28.1 side by side: the same generated requests to the same server, which tells what it saw.

By clients that wait and clients that are awaited, in HTTP/1.1 and HTTP/2. To try more:

    RQX_EXAMPLES=2500 pytest -o timeout=0 -o faulthandler_timeout=0 tests/compat -k differential
"""

import string

import hypothesis
import pytest
from hypothesis import strategies as st
from support.side_by_side import KINDS, Clients, error_of, httpx, same, seen, settings, told_by

import requestx

words = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), max_size=12)
scalars = st.one_of(texts, st.integers(-1000, 1000), st.booleans(), st.none())
header_names = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=10).map(lambda name: f"X-{name}")
header_values = st.text(string.ascii_letters + string.digits + " ,;=/\"'", max_size=20).map(str.strip)
header_lists = st.lists(st.tuples(header_names, header_values), max_size=4)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31), texts),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=5,
)
forms = st.dictionaries(words, st.one_of(scalars, st.lists(texts, max_size=3)), max_size=3)
bodies = st.one_of(
    st.just({}),
    st.binary(max_size=200).map(lambda data: {"content": data}),
    texts.map(lambda text: {"content": text}),
    json_values.map(lambda value: {"json": value}),
    forms.map(lambda form: {"data": form}),
    st.lists(st.binary(max_size=50), max_size=4).map(lambda parts: {"parts": parts}),
    st.tuples(forms, st.binary(max_size=50)).map(
        lambda pair: {"data": pair[0], "files": {"f": ("name.txt", pair[1])}, "boundary": True}
    ),
)
kinds = st.sampled_from(KINDS)
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "get", "Post"])
params = st.one_of(st.none(), st.dictionaries(words, st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=3))
queries = st.sampled_from(["", "?", "?a=b", "?a=b&a=c", "?a=%20+b", "?\u00fc=\u00e9", "?a=[1]|'x'"])


@pytest.fixture(scope="module")
def clients(ca):
    made = Clients(ca)
    yield made
    made.close_all()


def base_of(app, kind):
    return app.https_url("") if kind.endswith("/2") else app.http_url("")


def arguments(body, headers):
    given = dict(body)
    if "parts" in given:
        given["content"] = (part for part in given.pop("parts"))
    given["headers"] = list(headers)
    if given.pop("boundary", None):
        given["headers"].append(("Content-Type", "multipart/form-data; boundary=limit"))
    return given


@settings(200)
@hypothesis.given(kinds, methods, queries, params, header_lists, bodies)
def test_requests(app, clients, kind, method, query, params, headers, body):
    url = base_of(app, kind) + "/echo" + query
    same(lambda lib: clients.request(lib, kind, method, url, params=params, **arguments(body, headers)))


@settings(200)
@hypothesis.given(
    kinds,
    st.text(string.ascii_letters + "/.%~!$&'()*+,;=:@ \u00fc\"<>`{}|\\^[]", max_size=15),
    st.text(string.ascii_letters + "/.%?#&=+ \u00fc", max_size=10),
)
def test_urls(app, clients, kind, path, rest):
    url = f"{base_of(app, kind)}/{path}?{rest}"
    same(lambda lib: clients.request(lib, kind, "GET", url))


@settings(200)
@hypothesis.given(
    kinds,
    methods,
    st.sampled_from([301, 302, 303, 307, 308]),
    st.sampled_from(
        ["/echo", "/redirect/2", "echo?x=1", "?url=/echo", "//localhost:PORT/echo", "http://127.0.0.1:PORT/echo#f"]
        + ["https://localhost:TLS/echo", "https://127.0.0.1:TLS/redirect/1", "http:/echo", "nonsense://x/", "//[x", ""]
    ),
    st.booleans(),
    st.sampled_from([None, ("user", "pass"), "header", "client", "url"]),
    header_lists,
    bodies,
)
def test_redirects(app, clients, kind, method, status, target, follow, auth, headers, body):
    """Also to another origin, where credentials must not go."""
    url = base_of(app, kind) + "/redirect-to"
    query = {"url": target.replace("PORT", str(app.http_port)).replace("TLS", str(app.https_port)), "code": status}
    headers = [*headers, ("Cookie", "a=b")]
    given = {"auth": auth} if isinstance(auth, tuple) else {}
    if auth == "header":
        headers.append(("Authorization", "Basic eDp5"))
    elif auth == "url":
        url = url.replace("://", "://user:p%40ss@")

    def call(lib):
        if auth == "client":
            clients.get(lib, kind).auth = ("of", "the client")
        try:
            return clients.request(
                lib, kind, method, url, params=query, follow_redirects=follow, **given, **arguments(body, headers)
            )
        except lib.ConnectError:
            # An iterator that is used up, and a server that is not there: we find out the first, httpx the second.
            raise lib.StreamConsumed() if "parts" in body else lib.ConnectError("")
        finally:
            clients.get(lib, kind).auth = None

    same(call)


@settings(60)
@hypothesis.given(
    kinds, st.dictionaries(words, words, max_size=3), st.dictionaries(words, words, max_size=3), st.booleans()
)
def test_cookies(app, clients, kind, given_cookies, set_cookies, follow):
    """Those of a client, and those that it is given."""

    def call(lib):
        client = clients.make(lib, kind, cookies=given_cookies)
        try:
            url = base_of(app, kind)
            first = clients.run(client.get(f"{url}/cookies/set", params=set_cookies, follow_redirects=follow))
            jars.append(sorted((cookie.name, cookie.value) for cookie in client.cookies.jar))
            sent.append(clients.run(client.get(f"{url}/cookies")).json())
            return first
        finally:
            clients.close(client)

    jars, sent = [], []
    same(call)
    assert jars[0] == jars[1] and sent[0] == sent[1]


@settings(100)
@hypothesis.given(kinds, texts, texts, st.booleans(), methods)
def test_credentials(app, clients, kind, user, password, right, method):
    url = base_of(app, kind)
    for auth in ((user, password), ("user", "pass" if right else "wrong")):
        same(lambda lib, auth=auth: clients.request(lib, kind, method, f"{url}/echo", auth=auth))
        same(lambda lib, auth=auth: clients.request(lib, kind, method, f"{url}/basic/user/pass", auth=auth))


# ---- what servers and clients that are stood in for would see


hosts = st.sampled_from(
    ["example.org", "www.example.org", "a.www.example.org", "EXAMPLE.org", "example.com", "badexample.org"]
    + ["localhost", "127.0.0.1", "[::1]", "b\u00fccher.example", "org", "example.co.uk"]
)
paths = st.sampled_from(["/", "/a", "/a/", "/a/b", "/ab", "/a%20b", "/a?q=1", ""])
schemes = st.sampled_from(["http", "https"])
ports = st.sampled_from(["", ":80", ":443", ":8080"])
origins = st.tuples(schemes, hosts, ports).map(lambda parts: f"{parts[0]}://{parts[1]}{parts[2]}")
urls = st.tuples(origins, paths).map("".join)
dates = st.sampled_from(
    ["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21-Oct-15 07:28:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"]
    + ["Friday, 01-Jan-2100 00:00:00 GMT", "Fri Jan  1 00:00:00 2100", "0", "-1", "nonsense", ""]
)
attributes = st.one_of(
    hosts.map(lambda host: f"Domain={host}"),
    hosts.map(lambda host: f"domain=.{host}"),
    st.sampled_from(["Domain=", "Domain=.", "Domain=.org", "Domain=com"]),
    paths.map(lambda path: f"Path={path}"),
    st.sampled_from(["Max-Age=0", "Max-Age=3600", "max-age=-1", "Max-Age=x", "Max-Age=", "Max-Age=99999999999"]),
    dates.map(lambda date: f"Expires={date}"),
    st.sampled_from(["Secure", "HttpOnly", "SameSite=Lax", "Version=1", "Comment=c", "Discard", 'Port="80,8080"', "x", "="]),
)
cookie_values = st.one_of(words, st.sampled_from(["", '"quoted"', '"a;b"', "a b", "a=b", "a,b"]))
set_cookies = st.tuples(words | st.sampled_from(["", "$n"]), cookie_values, st.lists(attributes, max_size=3)).map(
    lambda cookie: "; ".join([f"{cookie[0]}={cookie[1]}", *cookie[2]]).encode("latin-1", "replace")
)


@pytest.fixture
def same_policy(monkeypatch):
    """Our jars refuse public suffixes, and keep a cookie without a domain to its host; theirs do not by themselves."""
    from requestx._cookiejar import new_jar

    monkeypatch.setattr(httpx._models, "CookieJar", new_jar)


def jar_of(client):
    """Every cookie, but for the second in which it expires, which depends on when it came."""
    return sorted(
        (
            *(cookie.domain, cookie.path, cookie.name, cookie.value, cookie.secure, cookie.discard, cookie.version),
            *(cookie.domain_specified, cookie.path_specified, cookie.port, cookie.is_expired()),
            cookie.expires and cookie.expires // 600,
        )
        for cookie in client.cookies.jar
    )


def stand_in(lib, handler, **options):
    transport = lib.MockTransport(lambda request: handler(lib, request))
    return lib.Client(transport=transport, headers={"Accept-Encoding": "gzip"}, **options)


@settings(300)
@hypothesis.given(st.lists(st.tuples(urls, st.lists(set_cookies, max_size=3)), min_size=1, max_size=5))
def test_cookies_by_domain_path_and_age(same_policy, steps):
    """Any server may set any cookie: which are kept, and who gets them back."""

    def run(lib):
        def handler(lib, request):
            sent.append((str(request.url), request.headers.get("Cookie")))
            return lib.Response(200, headers=[(b"Set-Cookie", value) for value in setting])

        sent, got = [], []
        with stand_in(lib, handler) as client:
            for url, values in steps:
                setting = values
                response, error = error_of(lambda url=url: client.get(url))
                got.append(error or sorted((cookie.name, cookie.value) for cookie in response.cookies.jar))
            for url, _ in steps:
                setting = []
                got.append(error_of(lambda url=url: client.get(url))[1])
            return sent, got, jar_of(client)

    assert run(requestx) == run(httpx)


locations = st.one_of(
    urls,
    paths,
    st.tuples(hosts, paths).map(lambda pair: f"//{pair[0]}{pair[1]}"),
    st.sampled_from(["https:/a", "http:", "..", "./x", "?q=2", "#f", "/a#f", "ftp://example.org/", "//", "https://\u00fc.example"]),
    st.tuples(schemes, hosts).map(lambda pair: f"{pair[0]}://user:pass@{pair[1]}/"),
)


@settings(300)
@hypothesis.given(
    urls,
    methods,
    st.lists(st.tuples(st.sampled_from([301, 302, 303, 307, 308, 300, 304]), locations), min_size=1, max_size=4),
    st.sampled_from([None, ("u", "p"), "client", "header"]),
    bodies.filter(lambda body: "parts" not in body),
    st.sampled_from([20, 1, 0]),
)
def test_redirects_between_origins(same_policy, url, method, hops, auth, body, limit):
    """What goes along to where, with any origin in any place."""

    def run(lib):
        def handler(lib, request):
            fields = [pair for pair in request.headers.raw if pair[0].lower() != b"user-agent"]
            sent.append((request.method, str(request.url), fields, request.read()))
            if len(sent) > len(hops):
                return lib.Response(200, text="there")
            status, location = hops[len(sent) - 1]
            location = location.encode("utf-8").decode("latin-1")
            return lib.Response(status, headers=[("Location", location), ("Set-Cookie", f"hop{len(sent)}=x; Path=/")])

        sent = []
        options = {"auth": ("of", "the client")} if auth == "client" else {}
        given = {"auth": auth} if isinstance(auth, tuple) else {}
        headers = [("Authorization", "Bearer x")] if auth == "header" else []
        with stand_in(lib, handler, follow_redirects=True, max_redirects=limit, **options) as client:
            try:
                told = told_by(client.request(method, url, **given, **arguments(body, headers)))
                told.pop("sent")
                told["text"] = seen(told["text"])
            except Exception as error:
                told = type(error).__name__
            return sent, told, jar_of(client)

    assert run(requestx) == run(httpx)
