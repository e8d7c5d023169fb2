"""What a sound client makes of a hostile behaviour, exactly.

An expectation is a word and, where something fails, the name of the error without RQX_ERR_:

- `ok`: the request succeeds, the connection goes on;
- `replayed`: the request succeeds on another connection, by itself;
- `stream CODE`: this request fails, the connection goes on;
- `connection CODE`: this request fails, and the connection with all it carries;
- `timeout CODE`: nothing comes; the client's own deadline ends it, the connection goes on;
- `abandon`: something comes for ever; the user closes the response, the connection goes on.

What follows from the word can be overridden: `status` is what a good response has, `outcome` what this
request gets where the connection fails with another code, `siblings` what requests beside it on the same connection get (a status or a code), `after` is where the next request
is served: "same" or "new" connection, or the code with which it fails. `options` are of the request
that meets the behaviour: `method`, `content` (bytes or their number), `headers`, `read` (seconds),
`hold` (the body is not read until the connection has been cut), `protocols`; `field` is one that a good
response has, `refuses` a stream that the client resets, `times` how often the request is sent, with `retry` tries of the program's; `python` is the exception where it is not the usual one for the code.
"""

SCOPES = ("ok", "replayed", "stream", "connection", "timeout", "abandon")


class Expect:
    def __init__(self, text, *, status=200, outcome=None, siblings=None, after=None, python=None, **options):
        self.scope, _, self.code = text.partition(" ")
        assert self.scope in SCOPES, text
        assert bool(self.code) == (self.scope in ("stream", "connection", "timeout")), text
        self.outcome = outcome or self.code or ("closed" if self.scope == "abandon" else str(status))
        self.siblings = siblings or (self.code if self.scope == "connection" else "200")
        self.after = after or ("new" if self.scope in ("replayed", "connection") else "same")
        self.python = python
        self.options = options

    def __repr__(self):
        return f"<{self.outcome}, siblings {self.siblings}, after it {self.after}>"
