"""The SDKs of OpenAI and Anthropic on this engine, by the public parameter that both have for a client of one's own.

Nothing of them, of httpx or of httpx2 is patched. The server is support/sdk_app.py.
"""

import asyncio
import importlib
import ssl

import pytest
from support.sdk_app import KEY
from support.servers import Hypercorn

import requestx

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")


@pytest.fixture(scope="module")
def server(ca, server_dir):
    with Hypercorn(ca, server_dir, "support.sdk_app:app") as server:
        yield server


@pytest.fixture(scope="module")
def context(ca):
    return ssl.create_default_context(cafile=ca.ca_file)


@pytest.fixture(params=["httpx", "httpx2"])
def lib(request):
    """Both are taken by OpenAI's SDK."""
    return importlib.import_module(request.param)


def of(module):
    """The one of the two libraries that the SDK itself uses."""
    return importlib.import_module(module.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])


@pytest.fixture
def make_openai(server, context, lib):
    def make(key=KEY, **options):
        client = lib.Client(transport=requestx.HTTPXTransport(verify=context))
        return openai.OpenAI(api_key=key, base_url=server.https_url("/v1"), http_client=client, **options)

    return make


@pytest.fixture
def make_async_openai(server, context, lib):
    def make(**options):
        client = lib.AsyncClient(transport=requestx.AsyncHTTPXTransport(verify=context))
        return openai.AsyncOpenAI(api_key=KEY, base_url=server.https_url("/v1"), http_client=client, **options)

    return make


@pytest.fixture
def make_anthropic(server, context):
    def make(key=KEY, **options):
        client = of(anthropic).Client(transport=requestx.HTTPXTransport(verify=context))
        return anthropic.Anthropic(api_key=key, base_url=server.https_url(""), http_client=client, **options)

    return make


@pytest.fixture
def make_async_anthropic(server, context):
    def make(**options):
        client = of(anthropic).AsyncClient(transport=requestx.AsyncHTTPXTransport(verify=context))
        return anthropic.AsyncAnthropic(api_key=KEY, base_url=server.https_url(""), http_client=client, **options)

    return make


def told(text):
    return {"model": "repeater", "messages": [{"role": "user", "content": text}]}


@pytest.fixture
def release(server, ca):
    """Lets the model say the rest of "hold NAME ..."."""

    def release(name):
        assert requestx.post(server.https_url("/release"), content=name, ca_bundle=ca.ca_file).status_code == 200

    return release


# OpenAI


def test_openai(make_openai, tmp_path):
    with make_openai() as client:
        assert client.models.list().data[0].owned_by == "2"
        answer = client.chat.completions.create(**told("one two \u00fc"))
        assert answer.choices[0].message.content == "one two \u00fc" and answer._request_id == "req-1"
        path = tmp_path / "f.jsonl"
        path.write_bytes(b"x" * 100_000)
        with path.open("rb") as file:
            assert client.files.create(file=file, purpose="batch").bytes > 100_000
        assert len(client.files.content("file-1").read()) == 1_000_000
        with client.files.with_streaming_response.content("file-1") as content:
            assert sum(map(len, content.iter_bytes())) == 1_000_000
        raw = client.chat.completions.with_raw_response.create(**told("raw"))
        assert raw.http_response.http_version == "HTTP/2" and raw.parse().choices[0].message.content == "raw"


def test_openai_streams(make_openai, release, lib):
    with make_openai() as client, client.chat.completions.create(stream=True, **told(f"hold {lib.__name__} on")) as stream:
        parts = (chunk.choices[0].delta.content for chunk in stream)
        assert next(parts) == "hold"
        release(lib.__name__)
        assert [part for part in parts if part] == [f" {lib.__name__}", " on"]


def test_openai_helper_of_streams(make_openai):
    with make_openai() as client, client.chat.completions.stream(**told("one two")) as stream:
        assert stream.get_final_completion().choices[0].message.content == "one two"


def test_openai_leaves_a_stream(make_openai):
    with make_openai() as client:
        for number in range(3):
            with client.chat.completions.create(stream=True, **told(f"hold left-{number} on")) as stream:
                next(iter(stream))
        assert client.chat.completions.create(**told("after")).choices[0].message.content == "after"


def test_openai_retries(make_openai, lib):
    with make_openai(max_retries=3) as client:
        answer = client.chat.completions.with_raw_response.create(**told(f"flaky 2 openai-{lib.__name__}"))
    assert answer.retries_taken == 2


def test_openai_errors(make_openai, unused_port, lib):
    with make_openai(key="wrong") as client, pytest.raises(openai.AuthenticationError, match="invalid key"):
        client.models.list()
    with make_openai(max_retries=0) as client:
        with pytest.raises(openai.APITimeoutError) as caught:
            stream = client.chat.completions.create(stream=True, timeout=0.2, **told("hold for ever"))
            list(stream)
        assert isinstance(caught.value.__cause__, lib.ReadTimeout)
        with pytest.raises(openai.APIConnectionError) as caught:
            client.with_options(base_url=f"http://127.0.0.1:{unused_port}/v1").models.list()
        assert isinstance(caught.value.__cause__, lib.ConnectError)


def test_openai_awaited(make_async_openai, release, lib):
    async def main():
        async with make_async_openai(max_retries=2) as client:
            assert [model.owned_by async for model in client.models.list()] == ["2"]
            calls = (client.chat.completions.create(**told(f"say {number}")) for number in range(20))
            answers = await asyncio.gather(*calls)
            assert [answer.choices[0].message.content for answer in answers] == [f"say {n}" for n in range(20)]
            name = f"async-{lib.__name__}"
            async with await client.chat.completions.create(stream=True, **told(f"hold {name} on")) as stream:
                parts = []
                async for chunk in stream:
                    if not parts:
                        await asyncio.to_thread(release, name)
                    parts.append(chunk.choices[0].delta.content)
            assert parts == ["hold", f" {name}", " on", None]
            async with client.files.with_streaming_response.content("file-1") as content:
                assert sum([len(part) async for part in content.iter_bytes()]) == 1_000_000
            flaky = await client.chat.completions.with_raw_response.create(**told(f"flaky 1 {name}"))
            assert flaky.retries_taken == 1
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(make_stream(client), 0.2)
            assert len((await client.models.list()).data) == 1

    async def make_stream(client):
        async for _ in await client.chat.completions.create(stream=True, **told("hold for ever")):
            pass

    asyncio.run(main())


# Anthropic


def asked(text):
    return {"max_tokens": 100, **told(text)}


def test_anthropic(make_anthropic):
    with make_anthropic() as client:
        message = client.messages.create(**asked("one two \u00fc"))
        assert message.content[0].text == "one two \u00fc" and message._request_id == "req-1"
        raw = client.messages.with_raw_response.create(**asked("raw"))
        assert raw.http_response.http_version == "HTTP/2"
        assert client.messages.with_raw_response.create(**asked("flaky 2 anthropic")).retries_taken == 2


def test_anthropic_streams(make_anthropic, release):
    with make_anthropic() as client:
        with client.messages.stream(**asked("hold anthropic on")) as stream:
            text = stream.text_stream
            assert next(text) == "hold"
            release("anthropic")
            assert list(text) == [" anthropic", " on"]
            assert stream.get_final_message().stop_reason == "end_turn"
        kinds = [event.type for event in client.messages.create(stream=True, **asked("one two"))]
        assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
        assert kinds.count("content_block_delta") == 2


def test_anthropic_errors(make_anthropic, unused_port):
    with make_anthropic(key="wrong") as client, pytest.raises(anthropic.AuthenticationError, match="invalid key"):
        client.messages.create(**asked("no"))
    with make_anthropic(max_retries=0) as client:
        with pytest.raises((anthropic.APITimeoutError, of(anthropic).ReadTimeout)):
            list(client.messages.create(stream=True, timeout=0.2, **asked("hold for ever")))
        with pytest.raises(anthropic.APIConnectionError):
            client.with_options(base_url=f"http://127.0.0.1:{unused_port}").messages.create(**asked("no"))


def test_anthropic_awaited(make_async_anthropic, release):
    async def main():
        async with make_async_anthropic() as client:
            messages = await asyncio.gather(*(client.messages.create(**asked(f"say {n}")) for n in range(20)))
            assert [message.content[0].text for message in messages] == [f"say {n}" for n in range(20)]
            async with client.messages.stream(**asked("hold async-anthropic on")) as stream:
                parts = []
                async for part in stream.text_stream:
                    if not parts:
                        await asyncio.to_thread(release, "async-anthropic")
                    parts.append(part)
            assert parts == ["hold", " async-anthropic", " on"]
            events = await client.messages.create(stream=True, **asked("one"))
            assert [event.type async for event in events][-1] == "message_stop"

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_both_on_trio(kind, make_async_openai, make_async_anthropic):
    trio = pytest.importorskip("trio")

    async def main():
        if kind == "openai":
            async with make_async_openai() as client:
                answer = await client.chat.completions.create(**told("trio"))
                assert answer.choices[0].message.content == "trio"
                stream = await client.chat.completions.create(stream=True, **told("one two"))
                assert [chunk.choices[0].delta.content async for chunk in stream] == ["one", " two", None]
        else:
            async with make_async_anthropic() as client:
                async with client.messages.stream(**asked("one two")) as stream:
                    assert [part async for part in stream.text_stream] == ["one", " two"]

    trio.run(main)
