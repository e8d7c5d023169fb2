"""Headers, URL and the small types, shared by threads that use and change them at once."""

import pickle
import sys
import threading
import zlib

import pytest

from requestx import URL, Headers, _core

THREADS = 8


@pytest.fixture(autouse=True)
def often():
    """Where one thread runs at a time, have them take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works):
    """Runs each of `works` in a thread of its own, all of them from one moment on; gives what they return."""
    barrier = threading.Barrier(len(works))
    outcomes = [None] * len(works)

    def run(i, work):
        barrier.wait(30)
        try:
            outcomes[i] = work(), None
        except BaseException as error:
            outcomes[i] = None, error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for _, error in outcomes:
        if error is not None:
            raise error
    return [value for value, _ in outcomes]


def each(work, count=THREADS):
    """together() of work(0), work(1), ..."""
    return together(*[lambda i=i: work(i) for i in range(count)])


def test_fields_that_are_added_are_all_there():
    headers = Headers()

    def add(i):
        for j in range(200):
            if j % 2:
                headers[f"X-{i}-{j}"] = str(j)
            else:
                headers.add(f"x-{i}-{j}".encode(), b"%d" % j)

    each(add)
    assert len(headers) == len(headers.raw) == THREADS * 200
    for i in range(THREADS):
        mine = [int(value) for name, value in headers.raw if name.lower().startswith(b"x-%d-" % i)]
        assert mine == list(range(200))


def test_a_field_that_is_set_is_there_once():
    headers = Headers([("a", "1"), ("x", "0"), ("b", "2")])

    def replace(i):
        for j in range(150):
            if i % 2:
                headers["X"] = f"{i}{j}"
            else:
                assert headers["x"].isdecimal()
                assert [name for name, _ in headers.multi_items()] == ["a", "x", "b"]

    each(replace)
    assert [name.lower() for name, _ in headers.raw] == [b"a", b"x", b"b"]


def test_a_field_is_popped_by_one():
    headers = Headers([(f"x-{i}", str(i)) for i in range(200)])
    gone = each(lambda _: [headers.pop(f"X-{i}", None) for i in range(200)])
    assert len(headers) == 0
    for i, values in enumerate(zip(*gone)):
        assert sorted(values, key=str) == sorted([str(i)] + [None] * (THREADS - 1), key=str)


def test_popitem_gives_each_field_once():
    headers = Headers([(f"x-{i}", str(i)) for i in range(400)])

    def take(_):
        taken = []
        while True:
            try:
                taken.append(headers.popitem())
            except KeyError:
                return taken

    assert sorted(sum(each(take), [])) == sorted((f"x-{i}", str(i)) for i in range(400))


def test_a_default_is_set_by_one():
    for _ in range(30):
        headers = Headers()
        assert len({*each(lambda i: headers.setdefault("x", str(i)))}) == 1
        assert len(headers.raw) == 1


def test_an_encoding_that_changes_while_it_is_used():
    raw = [(b"a", "é".encode()), (b"b", b"b")]
    headers = Headers(raw)
    readings = {"é", "Ã©"}
    shown = [f"Headers({{'a': {a!r}, 'b': 'b'}}, encoding={b!r})" for a, b in (("é", "utf-8"), ("Ã©", "iso-8859-1"))]
    # Ones of their own, which end with their last use.
    encodings = [lambda: "utf-8", lambda: "".join(["iso-", "8859-1"]), lambda: None]

    def change(i):
        for j in range(150):
            headers.encoding = encodings[(i + j) % 3]()

    def read():
        for _ in range(60):
            assert headers["a"] in readings and headers.get("a") in readings
            assert {*headers.values()} <= readings | {"b"}
            assert headers.encoding in ("utf-8", "iso-8859-1")
            copy = headers.copy()
            assert copy.raw == raw and copy["a"] in readings
            assert pickle.loads(pickle.dumps(headers)).raw == raw
            assert repr(headers) in shown
            assert headers.get_list("a", split_commas=True)[0] in readings

    together(*[lambda i=i: change(i) for i in range(3)], *[read] * 5)
    assert headers.raw == raw


def test_headers_that_are_made_anew_while_they_are_used():
    sources = [{"a": "1"}, [("b", "2"), ("b", "2")], Headers({"c": "3"}), {}]
    headers = Headers()
    known = {(b"a", b"1"), (b"b", b"2"), (b"c", b"3")}

    def make(i):
        for j in range(100):
            headers.__init__(sources[(i + j) % 4], encoding="".join(["utf", "-8"]))

    def use():
        for _ in range(60):
            assert {*headers.raw} <= known and {*Headers(headers).raw} <= known
            assert {*headers.keys()} <= {"a", "b", "c"} and {*headers} <= {"a", "b", "c"}
            assert isinstance(headers == Headers({"a": "1"}), bool)
            assert {*(headers.get("b") or "2").split(", ")} == {"2"}
            assert len(headers) >= 0 and ("a" in headers) in (True, False)
            headers.clear()

    together(*[lambda i=i: make(i) for i in range(4)], *[use] * 4)


def test_what_headers_are_made_of_changes_meanwhile():
    mapping = {f"x-{i}": "1" for i in range(50)}
    pair = ["a", "1"]
    headers = Headers(mapping)

    def change_mapping():
        for i in range(300):
            mapping[f"y-{i}"] = "1"
            mapping.pop(f"y-{i - 5}", None)

    def change_pair():
        for _ in range(300):
            pair.append("2")
            pair.pop()

    def change_headers():
        for i in range(300):
            headers[f"y-{i}"] = "1"
            headers.pop(f"y-{i - 5}", None)

    def make():
        for _ in range(40):
            assert {*Headers(mapping).values()} == {"1"}
            assert {*Headers(headers).values()} == {"1"}
            try:
                assert Headers([pair]).raw == [(b"a", b"1")]
            except ValueError as error:
                assert "too many values" in str(error)

    together(change_mapping, change_pair, change_headers, *[make] * 5)


def test_headers_that_take_from_one_another():
    left, right = Headers([("a", "1"), ("b", "2")]), Headers([("c", "3")])

    def cross(i):
        one, other = (left, right) if i % 2 else (right, left)
        for _ in range(100):
            one.update(other)
            assert isinstance(one == other, bool)

    each(cross)
    left.update(right)
    right.update(left)
    assert left == right and sorted(left.multi_items()) == [("a", "1"), ("b", "2"), ("c", "3")]


def test_fields_are_read_while_the_list_grows():
    headers = Headers([("x", "0")])

    def grow():
        for _ in range(2000):
            headers.add("y", "1")

    def read():
        while len(headers) < 2001:
            assert headers["x"] == "0"
            assert headers.get_list("x") == ["0"]

    together(grow, *[read] * 3)
    assert headers["y"].count("1") == 2000


def test_the_text_of_a_url_is_made_once():
    for i in range(60):
        url = URL(f"http://h/{i}")
        texts = each(lambda _: str(url))
        assert texts[0] == f"http://h/{i}"
        assert all(text is texts[0] for text in texts)


def test_a_url_that_was_never_made_is_empty_to_all():
    for _ in range(30):
        url = URL.__new__(URL)
        assert each(lambda i: (url.scheme, url.raw_path, url.port)[i % 3]) == ["", b"/", None, "", b"/", None, "", b"/"]


def test_a_url_that_is_made_anew_while_it_is_used():
    texts = ["http://jo:secret@one/a?b=c", "https://anna:secret@two.example:8443/longer/than/that?d=e#f"]
    hosts = {"one", "two.example"}
    url = URL(texts[0])

    def make(i):
        for j in range(150):
            url.__init__(texts[(i + j) % 2])

    def use():
        for _ in range(60):
            assert str(url) in texts and url.host in hosts and hash(url) in {hash(text) for text in texts}
            assert "secret" not in repr(url) and "[secure]" in repr(url)
            assert url.copy_with(path="/x").host in hosts and url.join("/y").host in hosts
            assert (url == texts[0]) in (True, False)
            assert url.username in ("jo", "anna") and url.password == "secret"
            assert str(pickle.loads(pickle.dumps(url))) in texts

    together(*[lambda i=i: make(i) for i in range(3)], *[use] * 4)
    assert str(url) in texts


def test_a_decoder_does_one_thing_at_a_time():
    payload = bytes(range(256)) * 40
    packer = zlib.compressobj(wbits=31)
    member = packer.compress(payload) + packer.flush()
    decoder = _core.Decoder("gzip")
    pieces = each(lambda _: [decoder.decode(member) for _ in range(20)])
    assert all(piece == payload for piece in sum(pieces, []))
    assert each(lambda _: decoder.flush()) == [b""] * THREADS


def test_a_decoder_that_is_made_anew_while_it_is_used():
    decoder = _core.Decoder("identity")

    def make(i):
        for j in range(200):
            decoder.__init__(["identity", "gzip"][(i + j) % 2])

    def use():
        for _ in range(200):
            try:
                assert decoder.decode(b"text") == b"text"
            except Exception as error:
                assert type(error).__name__ == "DecodingError"

    together(*[lambda i=i: make(i) for i in range(3)], *[use] * 4)


@pytest.mark.parametrize(
    ("cls", "args", "used"),
    [
        (_core.Tls, (), lambda tls: tls.load()),
        (_core.AddressRules, ("public", [], []), lambda rules: rules.allows("127.0.0.1")),
    ],
)
def test_what_clients_share_is_made_once(cls, args, used):
    for _ in range(5):
        shared = cls.__new__(cls)

        def make(_):
            try:
                shared.__init__(*args)
            except TypeError as error:
                return str(error)

        made = each(make)
        assert made.count(None) == 1 and len({*made} - {None}) == 1
        assert all("cannot be changed" in why for why in made if why is not None)
        assert len({*each(lambda _: used(shared))}) == 1


def test_rules_are_read_while_their_list_changes():
    denied = ["192.0.2.1"]

    def change():
        for _ in range(300):
            denied.extend(["192.0.2.2", "192.0.2.3"])
            del denied[1:]

    def read():
        for _ in range(60):
            assert not _core.AddressRules("any", [], denied).allows("192.0.2.1")

    together(change, *[read] * 3)
