"""Requests, responses, cookies and clients that many threads use at once: each finds them whole."""

import http.server
import threading

import pytest

import requestx
from requestx import _core

THREADS = 8


def at_once(*functions):
    """Runs the functions in threads of their own, all from the same moment on; gives what they returned."""
    barrier = threading.Barrier(len(functions))
    results, errors = [None] * len(functions), []

    def run(index):
        barrier.wait()
        try:
            results[index] = functions[index]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def by_all(function, count=THREADS):
    """Runs function(number) in `count` threads at once."""
    return at_once(*(lambda number=number: function(number) for number in range(count)))


def until(stop, function):
    """A function that runs `function(round)` until the event is set, and once at least."""

    def run():
        number = 0
        while True:
            function(number)
            number += 1
            if stop.is_set():
                return

    return run


def ends(stop, function):
    """A function that runs `function()` and sets the event, whatever comes of it."""

    def run():
        try:
            return function()
        finally:
            stop.set()

    return run


class Echo(http.server.BaseHTTPRequestHandler):
    """Sends back what came: the body, and the path and fields as fields."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"caf\xc3\xa9"
        self.send_response_only(302 if self.path == "/moved" else 200)
        for name, value in self.headers.items():
            if name.startswith("X-") or name == "Authorization":
                self.send_header(f"Got-{name}", value)
        self.send_header("Location", "/elsewhere")
        self.send_header("Got-Path", self.path)
        if self.path == "/cookie":
            self.send_header("Set-Cookie", "name=value")
        charset = "latin-1" if self.path == "/latin" else "utf-8"
        self.send_header("Content-Type", f"text/plain; charset={charset}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture(scope="module")
def url():
    server = Server(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client():
    with requestx.Client(trust_env=False) as client:
        yield client


# responses

LAZY = ("headers", "content", "text", "request", "_request", "extensions", "history", "stream", "elapsed", "cookies")


@pytest.mark.parametrize("path", ["/cookie", "/latin"])
def test_each_thread_gets_the_same_parts_of_a_response(client, url, path):
    for _ in range(15):
        response = client.get(url + path)

        def look(number):
            names = LAZY[number:] + LAZY[:number]
            return {name: getattr(response, name) for name in names}

        first, *others = by_all(look)
        assert first["text"] == ("café" if path != "/latin" else "cafÃ©")
        assert first["request"].url == url + path
        assert first["request"] is first["_request"]
        for other in others:
            assert [name for name in LAZY if other[name] is not first[name]] == []


def test_each_thread_gets_the_same_parts_of_a_response_that_was_made_by_hand():
    for _ in range(50):
        response = requestx.Response(200, content=b"text", request=requestx.Request("GET", "http://example.test/"))
        first, *others = by_all(lambda number: [response.stream, response.history, response.text, response.cookies])
        assert all(all(mine is theirs for mine, theirs in zip(first, other)) for other in others)


def test_the_fields_of_a_response_may_be_replaced_while_others_read_them(client, url):
    response, stop = client.get(url + "/moved"), threading.Event()
    makers = {
        "headers": lambda number: [("Location", f"/{number}"), ("Content-Type", "text/plain; charset=utf-8")],
        "extensions": lambda number: {"http_version": b"HTTP/1.1", "reason_phrase": b"Reason %d" % number},
        "history": lambda number: [number],
        "next_request": lambda number: requestx.Request("GET", f"http://example.test/{number}"),
        "default_encoding": lambda number: f"utf-{8 if number % 2 else 16}",
        "status_code": lambda number: 301 + number % 2,
        "request": lambda number: requestx.Request("GET", f"http://example.test/{number}"),
    }

    def replace(name, make):
        def run():
            for number in range(300):
                setattr(response, name, make(number))

        return run

    def read(number):
        assert response.headers["location"].startswith("/")
        assert response.has_redirect_location and response.is_redirect
        assert response.http_version == "HTTP/1.1"
        assert response.reason_phrase in ("Found", "Moved Permanently") or response.reason_phrase.startswith("Reason")
        assert response.text == "café"
        assert response.url.scheme == "http"
        assert isinstance(response.history, list)
        assert response.next_request is None or response.next_request.method == "GET"
        assert response.default_encoding.startswith("utf-")
        assert response.content == "café".encode()
        repr(response)

    writers = [replace(name, make) for name, make in makers.items()]
    at_once(ends(stop, lambda: at_once(*writers)), *(until(stop, read) for _ in range(3)))


def test_the_body_of_a_response_may_be_forgotten_while_others_read_it():
    request = requestx.Request("GET", "http://example.test/")
    for _ in range(30):
        response = requestx.Response(200, content=b"body", request=request)

        def read(number):
            if number == 0:
                del response._content
            try:
                return response.content
            except requestx.ResponseNotRead:
                return b"body"

        assert set(by_all(read)) == {b"body"}


def test_one_thread_reads_a_stream_and_the_others_are_told_so():
    whole = b"".join(b"%d," % number for number in range(100))
    for _ in range(50):
        response = requestx.Response(200, content=(b"%d," % number for number in range(100)))

        def read(number):
            try:
                return response.read()
            except requestx.StreamError:
                return None

        got = [result for result in by_all(read) if result is not None]
        assert got and set(got) == {whole}
        assert response.num_bytes_downloaded == len(whole)


def test_one_thread_closes_a_stream():
    closed = []

    class Stream(requestx.SyncByteStream):
        def __iter__(self):
            yield b"body"

        def close(self):
            closed.append(self)

    for number in range(1, 50):
        response = requestx.Response(200, stream=Stream())
        by_all(lambda number, response=response: response.close())
        assert response.is_closed
        assert len(closed) == number


# requests


def test_each_thread_gets_the_same_parts_of_a_request():
    for _ in range(50):
        request = requestx.Request("POST", "http://example.test/", content=b"body")
        first, *others = by_all(lambda number: [request.stream, request.extensions, request.headers, request.content])
        assert all(all(mine is theirs for mine, theirs in zip(first, other)) for other in others)


def test_a_request_may_be_changed_while_others_send_it(client, url):
    request = client.build_request("POST", url + "/0", content=b"0")
    stop = threading.Event()

    def change(number):
        request.headers = requestx.Headers([("Host", request.url.netloc), ("X-A", "a" * 50), ("X-B", "b" * 50)])
        request.url = requestx.URL(f"{url}/{number % 10}")
        request.extensions = {"timeout": {"connect": 5, "read": 5, "write": 5, "pool": 5}}
        request.stream = requestx.ByteStream(b"%d" % number)
        request.headers["X-A"] = f"{number}"
        del request.headers["X-B"]

    def send(number):
        for _ in range(25):
            response = client.send(request)
            assert response.status_code == 200
            assert response.content.isdigit()
            assert response.headers["got-path"][1:].isdigit()
            assert response.headers.get("got-x-a", "0") == "a" * 50 or response.headers.get("got-x-a", "0").isdigit()

    at_once(ends(stop, lambda: by_all(send, 4)), until(stop, change))


def test_one_request_object_may_be_made_anew_by_many_threads():
    request = requestx.Request("GET", "http://example.test/")

    def make(number):
        for _ in range(50):
            request.__init__("POST", f"http://example.test/{number}", headers={"X": "y"}, content=b"%d" % number)
            assert request.method == "POST"
            assert request.headers["x"] == "y"
            assert request.content.isdigit()

    by_all(make)


# clients


def test_settings_may_change_while_others_send(client, url):
    client.headers = {"X-A": "0", "X-B": "0"}
    stop = threading.Event()

    def change(number):
        client.headers = {"X-A": f"{number}" * 20, "X-B": f"{number}" * 20}
        client.auth = (f"user{number}", "password") if number % 3 else None
        client.timeout = 5 + number % 5
        client.base_url = f"{url}/{number % 10}/"
        client.cookies = None
        client.event_hooks = {}

    client.base_url = f"{url}/0/"

    def send(number):
        for turn in range(20):
            response = client.get("path" if turn % 2 else "other")
            assert response.headers["got-x-a"] == response.headers["got-x-b"]
            assert response.headers["got-path"][1].isdigit() and response.headers["got-path"][2:] in ("/path", "/other")
            assert response.request.url.path == response.headers["got-path"]

    at_once(ends(stop, lambda: by_all(send, 4)), until(stop, change), until(stop, change))


def test_no_setting_is_lost_when_threads_change_several(client, url):
    for number in range(40):
        at_once(
            lambda: setattr(client, "headers", {"X-Number": f"{number}"}),
            lambda: setattr(client, "auth", ("user", f"{number}")),
            lambda: setattr(client, "base_url", f"{url}/{number}/"),
        )
        response = client.get("path")
        assert response.headers["got-x-number"] == f"{number}"
        assert response.headers["got-authorization"] == requestx.BasicAuth("user", f"{number}")._header.decode()
        assert response.headers["got-path"] == f"/{number}/path"


def test_the_fields_of_a_client_may_be_changed_in_place_while_others_send(client, url):
    stop = threading.Event()

    def change(number):
        client.headers["X-A"] = f"{number}" * 30
        client.headers["X-B"] = "b"
        client.headers.pop("X-B", None)

    def send(number):
        for _ in range(25):
            got = client.get(url).headers.get("got-x-a")
            assert got is None or got.isdigit()

    at_once(ends(stop, lambda: by_all(send, 4)), until(stop, change))
    client.headers["X-A"] = "at last"
    assert client.get(url).headers["got-x-a"] == "at last"


@pytest.mark.parametrize("kind", [dict, requestx.Headers, list])
def test_the_fields_of_a_request_may_be_changed_while_it_is_sent(client, url, kind):
    given, stop = kind([("X-A", "0")]), threading.Event()

    def change(number):
        if kind is list:
            given[:] = [("X-A", f"{number}" * 30)] * (1 + number % 3)
        else:
            given["X-A"] = f"{number}" * 30
            given[f"X-{number % 20}"] = "more"
            given.pop(f"X-{number % 7}", None)

    def send(number):
        for _ in range(20):
            assert client.get(url, headers=given).headers["got-x-a"].replace(", ", "").isdigit()

    at_once(ends(stop, lambda: by_all(send, 4)), until(stop, change))


def test_hooks_and_attributes_may_come_while_others_send(client, url):
    seen, stop = [], threading.Event()

    def change(number):
        client.event_hooks["request"].append(seen.append)
        setattr(client, f"attribute{number % 50}", number)
        client.event_hooks["request"].clear()

    def send(number):
        for _ in range(20):
            assert client.get(url).status_code == 200

    at_once(ends(stop, lambda: by_all(send, 4)), until(stop, change))
    client.event_hooks["request"].append(seen.append)
    del seen[:]
    client.get(url)
    assert len(seen) == 1


def test_a_client_that_was_closed_while_others_sent_stays_closed(url):
    for _ in range(10):
        client = requestx.Client(trust_env=False)

        def send(number, client=client):
            for _ in range(5):
                try:
                    assert client.get(url).status_code == 200
                except (RuntimeError, requestx.TransportError):
                    return

        at_once(*(lambda: send(0) for _ in range(4)), client.close)
        assert client.is_closed
        with pytest.raises(RuntimeError, match="closed"):
            client.get(url)


def test_one_thread_enters_a_client_and_one_closes_it():
    closed = []

    class Transport(requestx.BaseTransport):
        def close(self):
            closed.append(self)

    for number in range(1, 30):
        client = requestx.Client(transport=Transport())

        def enter(number, client=client):
            try:
                return client.__enter__()
            except RuntimeError:
                return None

        assert [result for result in by_all(enter) if result is not None] == [client]
        by_all(lambda number, client=client: client.close())
        assert len(closed) == number


# cookies


def test_threads_that_set_cookies_set_them_in_the_same_jar():
    for _ in range(30):
        cookies = requestx.Cookies()

        def fill(number, cookies=cookies):
            cookies.set(f"name{number}", "value")
            return cookies.jar

        jars = by_all(fill)
        assert all(jar is cookies.jar for jar in jars)
        assert sorted(cookies) == [f"name{number}" for number in range(THREADS)]


def test_cookies_may_be_set_while_others_look_at_them():
    cookies, stop = requestx.Cookies({"first": "value"}), threading.Event()

    def change():
        for number in range(300):
            cookies.set(f"name{number}", "value", domain=f"{number % 30}.example.test")

    def look(number):
        assert cookies
        assert len(cookies) >= 1
        assert cookies.get("first") == "value"
        assert "first" in list(cookies)
        assert requestx.Cookies(cookies)["first"] == "value"
        assert "first" in repr(cookies)

    at_once(ends(stop, change), until(stop, look), until(stop, look))
    assert len(cookies) == 301


# what all share


def test_what_the_module_makes_once_is_made_once(client, url):
    """The JSON encoder, the logger and the like, from many threads at the first time: in a program of its own that is.

    Here they were made long ago; what is looked at is that nothing of it goes away.
    """

    def work(number):
        for _ in range(50):
            assert _core.RequestBase("POST", "http://example.test/", json=[number]).content == b"[%d]" % number
            assert requestx.Response(200, content=b"[1]").json() == [1]

    by_all(work)
