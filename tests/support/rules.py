"""Rules of HTTP/2 that a client must keep, checked on the fields and frames it sends (RFC 9113,
section 8)."""

FORBIDDEN = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
_TOKEN = set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def check_request_fields(fields):
    """What is wrong with a request's field section, as a list of sentences."""
    wrong = []
    pseudo = [name for name, _ in fields if name.startswith(":")]
    regular = [name for name, _ in fields if not name.startswith(":")]
    if [name for name, _ in fields[: len(pseudo)]] != pseudo:
        wrong.append(f"a pseudo field comes after a regular one: {[name for name, _ in fields]}")
    if len(set(pseudo)) != len(pseudo):
        wrong.append(f"a pseudo field comes twice: {pseudo}")
    wrong += _check_pseudo(dict(fields), set(pseudo))
    wrong += _check_regular(regular, fields)
    return wrong


def _check_pseudo(values, pseudo):
    method = values.get(":method")
    if method == "CONNECT" and ":protocol" not in pseudo:
        needed, allowed = {":method", ":authority"}, {":method", ":authority"}
    else:
        needed = {":method", ":scheme", ":path"}
        allowed = needed | {":authority", ":protocol"}
    if not needed <= pseudo:
        yield f"pseudo fields are missing: {sorted(needed - pseudo)}"
    if pseudo - allowed:
        yield f"pseudo fields that do not belong there: {sorted(pseudo - allowed)}"
    if ":path" in pseudo and not values[":path"].startswith("/") and values[":path"] != "*":
        yield f":path is {values[':path']!r}"
    if "@" in values.get(":authority", ""):
        yield f":authority carries user information: {values[':authority']!r}"


def _check_regular(names, fields):
    for name in names:
        if not name or set(name) - _TOKEN:
            yield f"the field name {name!r} is not a lower-case token"
        if name in FORBIDDEN:
            yield f"{name} is specific to a connection"
    for name, value in fields:
        if value != value.strip(" \t") or set(value) & {"\r", "\n", "\0"}:
            yield f"the value of {name} is {value!r}"
        if name == "te" and value != "trailers":
            yield f"te is {value!r}"
    if names.count("content-length") > 1 or names.count("host") > 1:
        yield "content-length or host comes twice"


def check_trailer_fields(fields):
    """What is wrong with a request's trailer section."""
    names = [name for name, _ in fields]
    wrong = [f"pseudo field in trailers: {name}" for name in names if name.startswith(":")]
    return wrong + list(_check_regular([n for n in names if not n.startswith(":")], fields))


def check_length(request):
    """Whether the body is as long as content-length said, once the request has ended."""
    said = request.header("content-length")
    if said is None:
        return []
    if not said.isdigit():
        return [f"content-length is {said!r}"]
    if int(said) != request.body_length:
        return [f"content-length says {said}, the body has {request.body_length} bytes"]
    return []
