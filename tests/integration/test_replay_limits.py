"""What may have been processed is not sent again, whatever became of its connection."""


def test_a_broken_connection_replays_nothing_that_was_sent(any_probe, peer):
    """HTTP/2: the requests' HEADERS went out, and nothing says that they were not processed."""
    server = peer()
    client = any_probe()
    assert client.get(server.url("/")).error == ""  # the connection has been used before
    waiting = [client.submit(server.url("/never")) for _ in range(5)]
    server.wait(lambda: len(server.requests("/never")) == 5)
    breaking = client.submit(server.url("/abort"))
    for run in [*waiting, breaking]:
        done = run.wait()
        assert done.error in ("READ", "TRUNCATED", "WRITE"), done
        assert done.retries == 0
    assert len(server.requests("/never")) == 5
    assert len(server.requests("/abort")) == 1
    assert client.get(server.url("/")).error == ""
