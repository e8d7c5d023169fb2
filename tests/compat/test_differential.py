"""requestx and httpx 0.28.1 side by side: the same generated requests to the same server, which tells what it saw."""

import json
import string

import hypothesis
import pytest
from hypothesis import strategies as st

import requestx

httpx = pytest.importorskip("httpx")

SETTINGS = hypothesis.settings(
    max_examples=200,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
LIBRARIES = (httpx, requestx)

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
methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "Post"])
params = st.one_of(st.none(), st.dictionaries(words, st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=3))
queries = st.sampled_from(["", "?", "?a=b", "?a=b&a=c", "?a=%20+b", "?\u00fc=\u00e9", "?a=[1]|'x'"])


def client_of(library, **options):
    """HTTP/1.1, which shows the fields as they were sent; httpx decodes what other packages let it."""
    if library is requestx:
        options["http2"] = False
    return library.Client(verify=False, headers={"Accept-Encoding": "gzip, deflate"}, **options)


@pytest.fixture(scope="module")
def clients():
    with client_of(httpx) as theirs, client_of(requestx) as ours:
        yield {httpx: theirs, requestx: ours}


def plain(text):
    """The agent's and the library's names are their own."""
    for library in LIBRARIES:
        text = text.replace(f"python-{library.__name__}/{library.__version__}", "AGENT")
    return text


def arguments(body, headers):
    given = dict(body)
    if "parts" in given:
        given["content"] = (part for part in given.pop("parts"))
    given["headers"] = list(headers)
    if given.pop("boundary", None):
        given["headers"].append(("Content-Type", "multipart/form-data; boundary=limit"))
    return given


def outcome(call):
    """What the caller got: the response's parts, or the exception's name."""
    try:
        response = call()
    except Exception as error:
        return type(error).__name__
    return {
        "status": response.status_code,
        "url": str(response.url),
        "text": plain(response.text),
        "sent": [plain(repr(pair)) for pair in response.request.headers.raw],
        "method": response.request.method,
        "history": [(each.status_code, str(each.url), each.request.method) for each in response.history],
        "next": response.next_request and (response.next_request.method, str(response.next_request.url)),
        "cookies": dict(response.cookies),
        "encoding": response.encoding,
    }


def told(text):
    """What the server says that it saw, without what may be another.

    That is the port that the client was given, and where among the fields the engine writes Content-Length.
    """
    try:
        seen = json.loads(text)
    except ValueError:
        return text
    if "headers" in seen:
        seen.pop("client")
        seen["headers"].sort(key=lambda pair: pair[0] == "content-length")
    return seen


def same(call):
    results = [outcome(lambda library=library: call(library)) for library in LIBRARIES]
    for result in results:
        if isinstance(result, dict):
            result["text"] = told(result["text"])
    assert results[1] == results[0]
    return results[0]


@SETTINGS
@hypothesis.given(methods, queries, params, header_lists, bodies)
def test_requests(app, clients, method, query, params, headers, body):
    url = app.http_url("/echo") + query
    same(lambda lib: clients[lib].request(method, url, params=params, **arguments(body, headers)))


@SETTINGS
@hypothesis.given(
    st.text(string.ascii_letters + "/.%~!$&'()*+,;=:@ \u00fc\"<>`{}|\\^[]", max_size=15),
    st.text(string.ascii_letters + "/.%?#&=+ \u00fc", max_size=10),
)
def test_urls(app, clients, path, rest):
    url = f"{app.http_url('/')}{path}?{rest}"
    same(lambda lib: clients[lib].get(url))


@SETTINGS
@hypothesis.given(
    methods,
    st.sampled_from([301, 302, 303, 307, 308]),
    st.sampled_from(["/echo", "/redirect/2", "echo?x=1", "?url=/echo", "//localhost:PORT/echo", "http://127.0.0.1:PORT/echo#f"]),
    st.booleans(),
    header_lists,
    bodies,
)
def test_redirects(app, clients, method, status, target, follow, headers, body):
    url = app.http_url("/redirect-to")
    query = {"url": target.replace("PORT", str(app.http_port)), "code": status}
    headers = [*headers, ("Authorization", "Basic eDp5"), ("Cookie", "a=b")]
    same(
        lambda lib: clients[lib].request(
            method, url, params=query, follow_redirects=follow, **arguments(body, headers)
        )
    )


@SETTINGS
@hypothesis.given(st.dictionaries(words, words, max_size=3), st.dictionaries(words, words, max_size=3), st.booleans())
def test_cookies(app, given_cookies, set_cookies, follow):
    def call(lib):
        with client_of(lib, cookies=given_cookies) as client:
            first = client.get(app.http_url("/cookies/set"), params=set_cookies, follow_redirects=follow)
            jars.append(sorted((cookie.name, cookie.value) for cookie in client.cookies.jar))
            assert client.get(app.http_url("/cookies")).status_code == 200
            return first

    jars = []
    same(call)
    assert jars[0] == jars[1]


@SETTINGS
@hypothesis.given(texts, texts, st.booleans(), methods)
def test_credentials(app, clients, user, password, right, method):
    for auth in ((user, password), ("user", "pass" if right else "wrong")):
        same(lambda lib, auth=auth: clients[lib].request(method, app.http_url("/echo"), auth=auth))
        same(lambda lib, auth=auth: clients[lib].request(method, app.http_url("/basic/user/pass"), auth=auth))
