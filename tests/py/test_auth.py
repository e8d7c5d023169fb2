"""Authentication, without a network."""

import asyncio
import hashlib
import pickle
import threading

import pytest

import requestx
from requestx import _auth

# Basic and Bearer


def sent_header(auth):
    request = requestx.Request("GET", "https://example.org/")
    return next(auth.sync_auth_flow(request)).headers["Authorization"]


def test_basic():
    assert sent_header(requestx.Auth.basic("user", "pass")) == "Basic dXNlcjpwYXNz"
    assert sent_header(requestx.BasicAuth(b"user", "pass")) == "Basic dXNlcjpwYXNz"
    assert sent_header(requestx.Auth.basic("us\u00e9r", "p\u00e4ss")) == "Basic dXPDqXI6cMOkc3M="
    assert type(requestx.Auth.basic("user", "pass")) is requestx.BasicAuth


@pytest.mark.parametrize("scheme", [requestx.Auth.basic, requestx.Auth.digest, requestx.BasicAuth, requestx.DigestAuth])
def test_credentials_of_another_type(scheme):
    with pytest.raises(TypeError, match="A user name is str or bytes, not int"):
        scheme(7, "pass")
    with pytest.raises(TypeError, match="A password is str or bytes, not NoneType"):
        scheme("user", None)


def test_bearer():
    assert sent_header(requestx.Auth.bearer("abc.def-ghi")) == "Bearer abc.def-ghi"
    assert sent_header(requestx.Auth.bearer(b"abc")) == "Bearer abc"


@pytest.mark.parametrize("token", [None, 5, ["a"]])
def test_bearer_of_another_type(token):
    with pytest.raises(TypeError, match="bearer token"):
        requestx.Auth.bearer(token)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "a\n", "a\0", "t\u00f6ken", b"t\xf6ken", "\x7f"])
def test_bearer_that_cannot_be_sent(token):
    with pytest.raises(ValueError, match="bearer token"):
        requestx.Auth.bearer(token)


def test_plain_schemes_say_their_header_beforehand():
    assert requestx.Auth.basic("user", "pass")._header == b"Basic dXNlcjpwYXNz"
    assert requestx.Auth.bearer("abc")._header == b"Bearer abc"
    assert requestx.Auth()._header is None
    assert requestx.Auth.digest("user", "pass")._header is None


def test_a_changed_scheme_does_not():
    class Shouting(requestx.BasicAuth):
        def auth_flow(self, request):
            request.headers["X-Shout"] = "yes"
            yield from super().auth_flow(request)

    class Waiting(requestx.BasicAuth):
        async def async_auth_flow(self, request):
            yield request

    class Same(requestx.BasicAuth):
        pass

    assert Shouting("user", "pass")._header is None
    assert Waiting("user", "pass")._header is None
    assert Same("user", "pass")._header == b"Basic dXNlcjpwYXNz"


def test_credentials_can_be_pickled():
    auth = pickle.loads(pickle.dumps(requestx.Auth.basic("user", "pass")))
    assert sent_header(auth) == "Basic dXNlcjpwYXNz"
    assert sent_header(pickle.loads(pickle.dumps(requestx.Auth.bearer("abc")))) == "Bearer abc"


# netrc


def test_netrc(tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine example.org login user password pass\nmachine example.com login other\n")
    auth = requestx.NetRCAuth(str(path))
    assert sent_header(auth) == "Basic dXNlcjpwYXNz"
    request = requestx.Request("GET", "https://example.net/")
    assert "Authorization" not in next(auth.sync_auth_flow(request)).headers


# Digest: the peer below checks the answer by itself, from the RFC's text


HASHES = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-512": "sha512", "SHA-512-256": "sha512_256"}


class DigestServer:
    """A handler for MockTransport that challenges, and checks what comes back (RFC 7616, section 3.4)."""

    def __init__(self, algorithm="MD5", qop="auth", opaque="op,aque", extra=(), nonce="abc/+="):
        self.algorithm, self.qop, self.opaque, self.extra, self.nonce = algorithm, qop, opaque, extra, nonce
        self.counts = []
        self.requests = 0

    def challenge(self):
        fields = [f'realm="a \\"realm\\", quoted"', f'nonce="{self.nonce}"', f'opaque="{self.opaque}"']
        if self.algorithm:
            fields.append(f"algorithm={self.algorithm}")
        if self.qop:
            fields.append(f'qop="{self.qop}"')
        headers = [*(("WWW-Authenticate", value) for value in self.extra)]
        headers.append(("WWW-Authenticate", "Digest " + ", ".join(fields)))
        return requestx.Response(401, headers=headers, content=b"go away")

    def __call__(self, request):
        self.requests += 1
        header = request.headers.get("Authorization")
        if header is None or not self.check(request, header):
            return self.challenge()
        return requestx.Response(200, json={"user": "user"})

    def check(self, request, header):
        ((scheme, got),) = _auth._parse_challenges(header)
        assert scheme == "Digest"
        algorithm = self.algorithm or "MD5"
        name = HASHES[algorithm.upper().removesuffix("-SESS")]

        def digest(*parts):
            return hashlib.new(name, ":".join(parts).encode()).hexdigest()

        assert got["username"] == "us\"er"
        assert got["opaque"] == self.opaque
        assert got["uri"] == request.url.raw_path.decode()
        secret = digest("us\"er", 'a "realm", quoted', "pass")
        if algorithm.upper().endswith("-SESS"):
            secret = digest(secret, got["nonce"], got["cnonce"])
        subject = [request.method, got["uri"]]
        if got.get("qop") == "auth-int":
            subject.append(hashlib.new(name, request.content).hexdigest())
        if self.qop:
            self.counts.append(int(got["nc"], 16))
            expected = digest(secret, got["nonce"], got["nc"], got["cnonce"], got["qop"], digest(*subject))
        else:
            assert "qop" not in got and "nc" not in got
            expected = digest(secret, got["nonce"], digest(*subject))
        return got["response"] == expected and got["nonce"] == self.nonce


@pytest.fixture
def auth():
    return requestx.Auth.digest('us"er', "pass")


@pytest.mark.parametrize("algorithm", [None, *HASHES, *(f"{name}-sess" for name in HASHES)])
@pytest.mark.parametrize("qop", [None, "auth", "auth-int", "auth-int,auth", "auth, auth-int"])
def test_digest(auth, algorithm, qop):
    server = DigestServer(algorithm, qop)
    with requestx.Client(transport=requestx.MockTransport(server), auth=auth) as client:
        response = client.post("https://example.org/a/b?c=d", content=b"body")
        assert response.status_code == 200
        assert [one.status_code for one in response.history] == [401]
        assert client.get("https://example.org/").status_code == 200
    assert server.requests == 3, "the challenge is used again"
    assert server.counts == ([1, 2] if qop else [])


@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_digest_async(auth, qop):
    server = DigestServer("SHA-512-256", qop)

    async def body():
        yield b"in "
        yield b"pieces"

    class Replayable:
        def __aiter__(self):
            return body()

    async def main():
        async with requestx.AsyncClient(transport=requestx.MockTransport(server), auth=auth) as client:
            first = await client.post("https://example.org/", content=Replayable())
            second = await client.post("https://example.org/", content=Replayable())
            return first.status_code, second.status_code

    assert asyncio.run(main()) == (200, 200)
    assert server.counts == [1, 2]


def test_digest_prefers_what_it_knows(auth):
    server = DigestServer("SHA-256", extra=['Digest realm="x", nonce="y", algorithm=SHA3-512'])
    with requestx.Client(transport=requestx.MockTransport(server), auth=auth) as client:
        assert client.get("https://example.org/").status_code == 200


def test_digest_among_other_schemes_in_one_field(auth):
    server = DigestServer()
    one = 'Basic realm="x, y", Negotiate, Bearer realm="z", ' + server.challenge().headers["WWW-Authenticate"]

    def handler(request):
        response = server(request)
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = one
        return response

    with requestx.Client(transport=requestx.MockTransport(handler), auth=auth) as client:
        assert client.get("https://example.org/").status_code == 200


@pytest.mark.parametrize(
    ("challenge", "message"),
    [
        ('Digest realm="x"', "Malformed"),
        ('Digest nonce="x"', "Malformed"),
        ('Digest realm="x", nonce="y", algorithm=SHA3-512', "Unsupported algorithm"),
        ('Digest realm="x", nonce="y", qop="other"', "Unexpected qop"),
        ('Digest realm="x", nonce="y", qop=""', "Unexpected qop"),
    ],
)
def test_digest_challenges_that_cannot_be_answered(auth, challenge, message):
    transport = requestx.MockTransport(lambda request: requestx.Response(401, headers={"WWW-Authenticate": challenge}))
    with requestx.Client(transport=transport, auth=auth) as client:
        with pytest.raises(requestx.ProtocolError, match=message) as caught:
            client.get("https://example.org/")
    assert caught.value.request.url == "https://example.org/"


@pytest.mark.parametrize(
    "headers", [{}] + [{"WWW-Authenticate": field} for field in ('Basic realm="x"', "", "Digest", 'Digest, Basic realm="x"')]
)
def test_digest_without_a_challenge(auth, headers):
    transport = requestx.MockTransport(lambda request: requestx.Response(401, headers=headers))
    with requestx.Client(transport=transport, auth=auth) as client:
        assert client.get("https://example.org/").status_code == 401


def test_digest_cookies_of_the_challenge(auth):
    server = DigestServer()
    seen = []

    def handler(request):
        seen.append(request.headers.get("Cookie"))
        response = server(request)
        response.headers["Set-Cookie"] = "session=1; Path=/"
        return response

    with requestx.Client(transport=requestx.MockTransport(handler)) as client:
        client.get("https://example.org/", auth=auth)
    assert seen == [None, "session=1"]


def test_digest_body_that_is_gone(auth):
    def body():
        yield b"once"

    with requestx.Client(transport=requestx.MockTransport(DigestServer(qop="auth-int")), auth=auth) as client:
        # MockTransport keeps what it read, so a real stream is needed to see it used up.
        flow = auth.sync_auth_flow(client.build_request("POST", "https://example.org/", content=body()))
        request = next(flow)
        list(request.stream)
        with pytest.raises(requestx.StreamConsumed):
            flow.send(DigestServer(qop="auth-int").challenge())


def test_digest_counts_are_never_used_twice(auth):
    challenge = _auth._Challenge({"realm": "x", "nonce": "y", "qop": "auth"})
    got = []

    def count():
        got.extend(challenge.next_count() for _ in range(1000))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 4001))


def test_digest_copy_begins_anew(auth):
    server = DigestServer()
    with requestx.Client(transport=requestx.MockTransport(server), auth=auth) as client:
        client.get("https://example.org/")
    copy = pickle.loads(pickle.dumps(auth))
    assert copy._last_challenge is None
    with requestx.Client(transport=requestx.MockTransport(server), auth=copy) as client:
        assert client.get("https://example.org/").status_code == 200


def test_digest_vectors_of_the_rfc(monkeypatch):
    """RFC 7616, section 3.9.1."""
    monkeypatch.setattr(
        requestx.DigestAuth,
        "_get_client_nonce",
        lambda *_: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    expected = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, response in expected.items():
        auth = requestx.DigestAuth("Mufasa", "Circle of Life")
        request = requestx.Request("GET", "http://www.example.org/dir/index.html")
        flow = auth.sync_auth_flow(request)
        next(flow)
        challenge = (
            'Digest realm="http-auth@example.org", qop="auth, auth-int", '
            f"algorithm={algorithm}, "
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        answer = flow.send(requestx.Response(401, headers={"WWW-Authenticate": challenge}, request=request))
        assert f'response="{response}"' in answer.headers["Authorization"]


# flows


def test_a_flow_of_several_requests():
    class Twice(requestx.Auth):
        requires_response_body = True

        def auth_flow(self, request):
            response = yield requestx.Request("POST", "https://auth.example.org/token")
            request.headers["X-Token"] = response.json()["token"]
            yield request

    def handler(request):
        if request.url.path == "/token":
            return requestx.Response(200, json={"token": "abc"})
        return requestx.Response(200, json={"token": request.headers["X-Token"]})

    with requestx.Client(transport=requestx.MockTransport(handler), auth=Twice()) as client:
        response = client.get("https://example.org/")
    assert response.json() == {"token": "abc"}
    assert [str(one.url) for one in response.history] == ["https://auth.example.org/token"]


def test_a_flow_is_closed_when_the_request_fails():
    closed = []

    class Watching(requestx.Auth):
        def auth_flow(self, request):
            yield request

        def sync_auth_flow(self, request):
            try:
                yield request
            finally:
                closed.append("sync")

        async def async_auth_flow(self, request):
            try:
                yield request
            finally:
                closed.append("async")

    def handler(request):
        raise requestx.ConnectError("no")

    transport = requestx.MockTransport(handler)
    with requestx.Client(transport=transport, auth=Watching()) as client, pytest.raises(requestx.ConnectError):
        client.get("https://example.org/")

    async def main():
        async with requestx.AsyncClient(transport=transport, auth=Watching()) as client:
            with pytest.raises(requestx.ConnectError):
                await client.get("https://example.org/")

    asyncio.run(main())
    assert closed == ["sync", "async"]


def test_a_flow_that_fails_closes_the_response():
    closed = []

    class Stream(requestx.SyncByteStream):
        def __iter__(self):
            yield b"body"

        def close(self):
            closed.append(True)

    class Failing(requestx.Auth):
        def auth_flow(self, request):
            yield request
            raise LookupError("no such user")

    transport = requestx.MockTransport(lambda request: requestx.Response(200, stream=Stream()))
    with requestx.Client(transport=transport, auth=Failing()) as client, pytest.raises(LookupError):
        client.get("https://example.org/")
    assert closed == [True]


@pytest.mark.parametrize("auth", ["user:pass", 5, ["user", "pass"]])
def test_credentials_of_another_type(auth):
    with pytest.raises(TypeError, match='Invalid "auth" argument'):
        requestx.Client(auth=auth)
    with requestx.Client(transport=requestx.MockTransport(lambda _: requestx.Response(200))) as client:
        with pytest.raises(TypeError, match='Invalid "auth" argument'):
            client.get("https://example.org/", auth=auth)


def test_precedence():
    transport = requestx.MockTransport(lambda r: requestx.Response(200, text=r.headers.get("Authorization", "")))
    with requestx.Client(transport=transport, auth=("client", "x")) as client:
        assert client.get("https://url:x@example.org/").text == "Basic Y2xpZW50Ong="
        assert client.get("https://url:x@example.org/", auth=("me", "x")).text == "Basic bWU6eA=="
        assert client.get("https://url:x@example.org/", auth=None).text == "Basic dXJsOng="
        assert client.get("https://example.org/", auth=None).text == ""
        client.auth = None
        assert client.get("https://url:x@example.org/").text == "Basic dXJsOng="
        client.auth = lambda request: request
        assert isinstance(client.auth, requestx.FunctionAuth)
