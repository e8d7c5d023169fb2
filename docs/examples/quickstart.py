"""The program that ./quickstart runs: authenticate, then a thousand requests at once over one HTTP/2 connection.

    quickstart.py BASE-URL CA-FILE
"""

import asyncio
import sys
import time

import requestx

REQUESTS = 1000


def get_token(base: str, ca: str) -> str:
    """OAuth 2.0 client credentials (RFC 6749 section 4.4)."""
    response = requestx.post(
        f"{base}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=requestx.Auth.basic("client-id", "client-secret"),
        verify=ca,
    )
    response.raise_for_status()
    return response.json()["access_token"]


async def get_timed(client: requestx.AsyncClient, url: str) -> tuple:
    begin = time.perf_counter()
    response = await client.get(url)
    response.raise_for_status()
    return response, begin, time.perf_counter() - begin


async def get_all(base: str, ca: str, token: str, http2: bool) -> dict:
    async with requestx.AsyncClient(
        auth=requestx.Auth.bearer(token), verify=ca, http2=http2, timeout=30
    ) as client:
        begin = time.perf_counter()
        results = await asyncio.gather(
            *(get_timed(client, f"{base}/items/{n}") for n in range(REQUESTS))
        )
        seconds = time.perf_counter() - begin
    times = sorted(elapsed for _, _, elapsed in results)
    return {
        "protocol": ", ".join(sorted({response.http_version for response, _, _ in results})),
        "connections": len({response.connection_id for response, _, _ in results}),
        "streams": streams_at_once(results) if http2 else 1,
        "rate": REQUESTS / seconds,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
    }


def streams_at_once(results: list) -> int:
    """The most streams that were open on one connection at the same time, from the responses' own timings."""
    changes = []
    for response, begin, _ in results:
        changes.append((begin + response.timings.queue, 1))
        # the program's clock and the library's are read some microseconds apart: what begins as another ends is not counted twice
        changes.append((begin + response.timings.total - 0.0002, -1))
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def main() -> None:
    base, ca = sys.argv[1:3]

    profile = requestx.get(f"{base}/profile", auth=requestx.Auth.basic("user", "pass"), verify=ca)
    print(f"Basic:   {profile.status_code} {profile.json()}")
    token = get_token(base, ca)
    print(f"OAuth:   a Bearer token of {len(token)} characters")

    print(f"\n{REQUESTS} concurrent GETs with one AsyncClient:\n")
    print(f"{'':10} {'protocol':10} {'connections':>11} {'streams at once':>16} {'requests/s':>11} {'p50':>9} {'p99':>9}")
    for name, http2 in (("HTTP/2", True), ("HTTP/1.1", False)):
        figures = asyncio.run(get_all(base, ca, token, http2))
        print(
            f"{name:10} {figures['protocol']:10} {figures['connections']:>11} {figures['streams']:>16}"
            f" {figures['rate']:>11,.0f} {figures['p50']:>6.1f} ms {figures['p99']:>6.1f} ms"
        )


if __name__ == "__main__":
    main()
