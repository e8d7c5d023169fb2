"""From Python: a peer that hangs in each phase, certificates that are not good, and bad input, each
with the right exception, which names host, phase and cause, while a sibling stream goes on."""

import asyncio
import time

import pytest

requestx = pytest.importorskip("requestx")


def sync_get(settings, url, **options):
    with requestx.Client(**settings) as client:
        return client.request(options.pop("method", "GET"), url, **options)


def async_get(settings, url, **options):
    async def main():
        async with requestx.AsyncClient(**settings) as client:
            return await client.request(options.pop("method", "GET"), url, **options)

    return asyncio.run(main())


@pytest.fixture(params=[sync_get, async_get], ids=["sync", "async"])
def fails(request, ca):
    """fails(exception, url, *words, **options) -> the exception, whose text has all the words"""

    def run(exception, url, *words, settings=None, **options):
        settings = {"ca_bundle": ca.ca_file, **(settings or {})}
        begin = time.monotonic()
        with pytest.raises(exception) as caught:
            request.param(settings, url, **options)
        caught.value.seconds = time.monotonic() - begin
        for word in words:
            assert str(word) in str(caught.value), (word, str(caught.value))
        return caught.value

    return run


# ---- a peer that hangs in each phase

HASTY = 0.25


def test_silence_while_connecting(fails, black_hole):
    url = f"https://127.0.0.1:{black_hole}/"
    error = fails(requestx.ConnectTimeout, url, black_hole, "connect", timeout=HASTY)
    assert HASTY <= error.seconds < HASTY + 1
    assert error.request.url == url


def test_silence_in_the_tls_handshake(fails, h1peer):
    server = h1peer(lambda conn: conn.stall())
    url = server.url("/", scheme="https")
    error = fails(requestx.ConnectTimeout, url, server.address, "TLS", timeout=HASTY)
    assert HASTY <= error.seconds < HASTY + 1


def test_silence_after_the_preface(fails, peer):
    server = peer(lambda conn: conn.stall())
    fails(requestx.ReadTimeout, server.url("/"), server.address, "response", timeout=HASTY)


@pytest.mark.parametrize("path", ["/never", "/headers-then-nothing", "/partial?n=10&of=20"])
def test_silence_before_and_in_the_response(fails, peer, path):
    server = peer()
    words = (server.address, "waiting for the response" if path == "/never" else "body")
    error = fails(requestx.ReadTimeout, server.url(path), *words, timeout=HASTY)
    assert HASTY <= error.seconds < HASTY + 1
    server.one().assert_each_reset_once()


def test_silence_while_uploading(fails, peer):
    server = peer()
    fails(
        requestx.WriteTimeout,
        server.url("/stall-upload"),
        server.address,
        "sending",
        method="POST",
        content=b"x" * 500_000,
        timeout=requestx.Timeout(5, write=HASTY),
    )


@pytest.mark.parametrize("mode", ["hang", "hang-after-connect"])
def test_a_proxy_that_hangs(fails, proxy_peer, peer, mode):
    proxy, server = proxy_peer(mode), peer()
    error = fails(
        requestx.ConnectTimeout,
        server.url("/"),
        settings={"proxy": proxy.proxy},
        timeout=HASTY,
    )
    assert HASTY <= error.seconds < HASTY + 1


# ---- certificates

CAUSES = {"expired": "expired", "self_signed": "self-signed", "wrong_host": "other.invalid"}


@pytest.mark.parametrize("name", sorted(CAUSES))
def test_bad_certificates(fails, nginx, name):
    url = nginx.bad_cert_url(name, "/")
    error = fails(requestx.ConnectError, url, url.split("/")[2], CAUSES[name], "certificate")
    assert error.phase == "tls"


# ---- bad input

BAD = [
    ({"headers": {"x-a": "one\r\nx-b: two"}}, requestx.LocalProtocolError),
    ({"headers": {"x-a": "one\0two"}}, requestx.LocalProtocolError),
    ({"headers": {"x a": "one"}}, requestx.LocalProtocolError),
    ({"headers": [(b"x-a\n", b"one")]}, requestx.LocalProtocolError),
    ({"method": "GE T"}, requestx.LocalProtocolError),
    ({"method": "GET\r\nx:"}, requestx.LocalProtocolError),
    ({"headers": {"content-length": "4"}, "content": b"12345"}, requestx.LocalProtocolError),
    ({"headers": {"content-length": "6"}, "content": b"12345"}, requestx.LocalProtocolError),
]


@pytest.mark.parametrize("options, exception", BAD)
def test_bad_input_harms_no_other_stream(ca, peer, options, exception):
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            await client.get(server.url("/"))
            sibling = asyncio.create_task(client.get(server.url("/slow?ms=150")))
            await asyncio.sleep(0.05)
            wrong = dict(options)
            with pytest.raises(exception):
                await client.request(wrong.pop("method", "POST"), server.url("/bad"), **wrong)
            assert (await sibling).content == b"slow"
            assert (await client.get(server.url("/"))).connection_id == 1

    asyncio.run(main())
    assert server.requests("/bad") == []
    assert server.one().resets == {}


@pytest.mark.parametrize("parts", [[b"1234"], [b"123", b"456"]])
def test_a_body_of_another_length_than_announced(ca, peer, parts):
    server = peer()

    async def body():
        for part in parts:
            yield part

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file) as client:
            sibling = asyncio.create_task(client.get(server.url("/slow?ms=150")))
            with pytest.raises(requestx.LocalProtocolError):
                await client.post(
                    server.url("/bad"), content=body(), headers={"content-length": "5"}
                )
            assert (await sibling).content == b"slow"

    asyncio.run(main())
    assert not any(request.ended for request in server.requests("/bad"))
    server.one().assert_each_reset_once()
