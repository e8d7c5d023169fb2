"""Timeout(stall=...) from Python: blocking and on asyncio, on the fast path and off it."""

import asyncio

import pytest

import requestx

STALL = requestx.Timeout(20.0, stall=(10_000, 0.3))


@pytest.mark.parametrize("options", [{}, {"extensions": {}}], ids=["fast", "slow"])
def test_a_body_that_drips(ca, peer, options):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file, timeout=STALL) as client:
        with pytest.raises(requestx.ReadTimeout, match="fewer than 10000 bytes/s in 0.3 s") as caught:
            client.get(server.url("/drip?n=1000&ms=20"), **options)
        assert (caught.value.code, caught.value.phase) == ("stall_timeout", "timeout")
        assert client.get(server.url("/bytes?n=300000"), **options).status_code == 200
        with pytest.raises(requestx.ReadTimeout):
            client.get(server.url("/drip?n=1000&ms=20"), timeout=requestx.Timeout(STALL, stall=(1e30, 0.1)), **options)


def test_a_stream_and_a_slow_reader(ca, peer):
    server = peer()

    async def main():
        async with requestx.AsyncClient(ca_bundle=ca.ca_file, timeout=STALL) as client:
            async with client.stream("GET", server.url("/bytes?n=1000000")) as response:
                received = 0
                async for part in response.aiter_bytes():
                    received += len(part)
                    if received < 700_000:
                        await asyncio.sleep(0.05)
                assert received == 1_000_000
            async with client.stream("GET", server.url("/drip?n=1000&ms=20")) as response:
                with pytest.raises(requestx.ReadTimeout, match="fewer than"):
                    await response.aread()

    asyncio.run(main())


def test_a_stall_that_makes_no_sense(ca, peer):
    server = peer()
    with requestx.Client(ca_bundle=ca.ca_file) as client:
        for bad in (5, (1, 2, 3), ("a", 1)):
            with pytest.raises(TypeError):
                client.get(server.url("/"), extensions={"timeout": {"stall": bad}})
