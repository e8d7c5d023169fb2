"""requestx and httpx 0.28.1 side by side: what a server may answer - content codings, texts, challenges - and how it is read."""

import base64
import gzip
import json
import zlib

import hypothesis
import pytest
from hypothesis import strategies as st
from support.side_by_side import KINDS, Clients, error_of, httpx, same, settings

import requestx

brotli = pytest.importorskip("brotlicffi")
zstandard = pytest.importorskip("zstandard")

kinds = st.sampled_from(KINDS)


@pytest.fixture(scope="module")
def clients(ca):
    made = Clients(ca)
    yield made
    made.close_all()


def base_of(app, kind):
    return app.https_url("") if kind.endswith("/2") else app.http_url("")


# ---- bodies

ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "x-unknown": bytes,
}
CHARSETS = ("utf-8", "UTF-8", "iso-8859-1", "utf-16", "utf-16-le", "utf-8-sig", "shift_jis", "ascii", "cp1252", "unheard-of", "")
texts = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["a", "line", "\n", "\r", "\r\n", "\n\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
            + ["\u00e9", "\u65e5", "\U0001f600", " ", "\ufeff", "\0"]
        ),
        max_size=40,
    ).map("".join),
)
payloads = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.binary(min_size=1, max_size=8), st.integers(1, 3000)).map(lambda pair: (pair[0] * pair[1])[:6000]),
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
)
# zstd within a chain fails in httpx.
codings = st.lists(st.sampled_from(sorted(ENCODERS.keys() - {"zstd"})), max_size=3) | st.just(["zstd"])
written = st.sampled_from([str, str.upper, str.title, lambda name: f" {name} "])


@st.composite
def damages(draw):
    """A function that spoils a body a little, or nothing at all."""
    how = draw(st.sampled_from(["none"] * 6 + ["cut", "flip", "longer", "empty"]))
    where, what = draw(st.integers(0, 10_000)), draw(st.integers(1, 255))

    def damage(body):
        if how == "cut":
            return body[: where % (len(body) + 1)]
        if how == "flip" and body:
            at = where % len(body)
            return body[:at] + bytes([body[at] ^ what]) + body[at + 1 :]
        if how == "longer":
            return body + bytes([what]) * (where % 20 + 1)
        return b"" if how == "empty" else body

    damage.how = how
    return damage


def cut(body, cuts):
    """The body in pieces, one of which may be empty."""
    places = sorted({place % (len(body) + 1) for place in cuts} | {0, len(body)})
    return [body[start:end] for start, end in zip(places, places[1:])] or [body]


def order(pieces, headers, status=200):
    pieces = [base64.b64encode(piece).decode() for piece in pieces]
    return json.dumps({"status": status, "headers": headers, "pieces": pieces}).encode()


readings = st.one_of(
    st.tuples(st.sampled_from(["bytes", "raw", "text"]), st.sampled_from([None, 1, 2, 3, 7, 64, 1000, 10_000])),
    st.tuples(st.just("lines"), st.none()),
)


def whole(pieces):
    """What depends on how the network cut it, put together."""
    return b"".join(pieces) if pieces and isinstance(pieces[0], bytes) else "".join(pieces)


def read(clients, lib, kind, url, content, how, size, stop):
    """What was read, and what the response says of itself after that."""
    result, error = error_of(lambda: clients.read(lib, kind, "POST", url, how, size, stop, content=content))
    if error is not None:
        return error
    response, pieces = result
    told = {"closed": response.is_closed, "consumed": response.is_stream_consumed, "encoding": response.encoding}
    if stop is None:
        told["pieces"] = pieces if size is not None or how == "lines" else whole(pieces)
        told["downloaded"] = response.num_bytes_downloaded
    elif size is not None or how == "lines":
        told["pieces"] = pieces
    told["again"] = [error_of(lambda name=name: getattr(response, name))[1] for name in ("content", "text")]
    return told


@settings(400)
@hypothesis.given(
    kinds, payloads, codings, written, damages(), st.lists(st.integers(0, 10_000), max_size=4), readings, st.booleans()
)
def test_codings(app, clients, kind, payload, names, write, damage, cuts, reading, one_field):
    body = payload
    for name in names:
        body = ENCODERS[name](body)
    body = damage(body)
    fields = [", ".join(map(write, names))] if one_field and names else list(map(write, names))
    headers = [("Content-Encoding", field) for field in fields] + [("Content-Type", "text/plain; charset=utf-8")]
    content = order(cut(body, cuts), headers)
    url = base_of(app, kind) + "/answer"

    how, size = reading

    def at_once(lib):
        response, error = error_of(lambda: clients.request(lib, kind, "POST", url, content=content))
        return error or (response.content, response.text, response.num_bytes_downloaded)

    def streamed(lib):
        return read(clients, lib, kind, url, content, how, size, None)

    for get in (at_once, streamed):
        theirs, ours = get(httpx), get(requestx)
        # What ends too early, or does not end where it should, is what httpx lets pass; what it refuses we refuse, too.
        assert ours == theirs or (damage.how != "none" and ours == "DecodingError"), (ours, theirs)


@settings(200)
@hypothesis.given(
    kinds,
    texts,
    st.sampled_from(CHARSETS),
    st.sampled_from(CHARSETS),
    st.lists(st.integers(0, 500), max_size=6),
    readings,
    st.sampled_from([None, None, 0, 1, 3]),
)
def test_texts(app, clients, kind, text, charset, said, cuts, reading, stop):
    """In any charset, said or not; cut anywhere; read to its end or not."""
    body = text.encode("utf-8" if charset in ("unheard-of", "") else charset, "replace")
    headers = [("Content-Type", f"text/plain; charset={said}" if said else "text/plain")]
    content = order(cut(body, cuts), headers)
    url = base_of(app, kind) + "/answer"
    how, size = reading
    same(lambda lib: read(clients, lib, kind, url, content, how, size, stop), lambda call: call())
    same(lambda lib: clients.request(lib, kind, "POST", url, content=content))


content_types = st.one_of(
    st.sampled_from(
        ["", "text/html", 'text/html; charset="utf-8"', "text/html; charset='utf-8'", "text/html;charset=latin1;x=y"]
        + ["text/html; charset", "text/html; charset=", "text/html; CHARSET=ASCII", "; charset=utf-8", "application/json"]
        + ["text/html; x=\"; charset=cp1252\"; charset=utf-8", "text/html; charset=utf-8; charset=latin1"]
    ),
    st.text(st.sampled_from('ac hrset=utf-8;"\'\\/x'), max_size=30).map(lambda text: f"text/{text.strip()}"),
)


@settings(100)
@hypothesis.given(content_types, st.binary(max_size=10), st.integers(100, 599))
def test_heads(content_type, body, status):
    """A response that was made by hand: what is read of its head."""

    def tell(lib):
        response = lib.Response(status, headers=[("Content-Type", content_type)], content=body)
        names = "reason_phrase encoding charset_encoding is_success is_redirect is_error is_client_error is_server_error"
        told = [getattr(response, name) for name in f"{names} is_informational has_redirect_location http_version".split()]
        request = lib.Request("GET", "http://example.org/")
        answered = lib.Response(status, headers=[("Location", content_type)], content=body, request=request)
        raised, error = error_of(answered.raise_for_status)
        return told, error_of(lambda: response.text), error_of(response.json), error, raised is answered

    same(tell, lambda call: call())


# ---- challenges

tokens = st.text("abcXYZ019-._~", min_size=1, max_size=8)
quoted = st.one_of(tokens, st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\,'), max_size=12))
# Names that httpx does not know, and `auth-int` alone, are in docs/compatibility.rst.
algorithms = st.sampled_from(
    [None, "MD5", "MD5-SESS", "SHA", "SHA-SESS", "SHA-256", "SHA-256-SESS", "SHA-512", "SHA-512-SESS", "md5", "sha-256"]
)
qops = st.sampled_from([None, "auth", "auth,auth-int", "auth-int, auth", "unknown"])


@st.composite
def digest_challenges(draw):
    fields = {"realm": draw(quoted), "nonce": draw(quoted), "opaque": draw(st.none() | quoted)}
    parts = [f'{name}="{value}"' for name, value in fields.items() if value is not None]
    algorithm, qop = draw(algorithms), draw(qops)
    # Without qop, httpx keeps its part of a session's key to itself.
    hypothesis.assume(qop is not None or algorithm is None or not algorithm.endswith("SESS"))
    parts += [] if algorithm is None else [f"algorithm={algorithm}"]
    parts += [] if qop is None else [f'qop="{qop}"']
    if draw(st.integers(0, 9)) == 0:
        parts = parts[draw(st.integers(1, 2)) :]
    parts = draw(st.permutations(parts))
    return "Digest " + draw(st.sampled_from([", ", ","])).join(parts)


challenges = st.one_of(
    digest_challenges(),
    digest_challenges(),
    quoted.map(lambda realm: f'Basic realm="{realm}"'),
    st.sampled_from(["Negotiate", "Bearer", "", "Basic", 'Bearer error="invalid_token"']),
)


@pytest.fixture
def known_nonces(monkeypatch):
    """The clients' own part of the digest, which is random, is the same for both."""
    for lib in (httpx, requestx):
        monkeypatch.setattr(lib.DigestAuth, "_get_client_nonce", lambda self, count, nonce: b"%08d" % count)


@settings(200)
@hypothesis.given(
    kinds,
    st.lists(challenges, min_size=1, max_size=3),
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), max_size=8),
    st.text(max_size=8).filter(lambda text: text.isprintable()),
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.binary(max_size=20),
    st.sampled_from([401, 401, 401, 403, 407]),
    st.sampled_from(["", "?a=b", "?a=%20&b=c,d"]),
    st.booleans(),
)
def test_digest(app, clients, known_nonces, kind, fields, user, password, method, body, status, query, cookie):
    """Two requests, the second of which knows the challenge already: the credentials are the same to the letter."""
    headers = [("WWW-Authenticate", field) for field in fields] + ([("Set-Cookie", "c=1; Path=/")] if cookie else [])
    ordered = base64.urlsafe_b64encode(order([b"no"], headers, status)).decode()
    url = f"{base_of(app, kind)}/unless-authorized{query or '?'}&order={ordered}"
    for lib in (httpx, requestx):
        clients.get(lib, kind).cookies.clear()
    flows = {lib: lib.DigestAuth(user, password) for lib in (httpx, requestx)}
    given = {"content": body} if body else {}
    for _ in range(2):
        same(lambda lib: clients.request(lib, kind, method, url, auth=flows[lib], **given))
