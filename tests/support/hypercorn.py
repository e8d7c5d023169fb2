"""hypercorn: a Python HTTP/2 server, with httpbin (WSGI) or the tests' own application (ASGI)
behind it."""

from .process import PYTHON, Server, has_ipv6, python_environment

_CONFIG = """
bind = [{tls}]
insecure_bind = [{plain}]
certfile = "{cert}"
keyfile = "{key}"
workers = 1
errorlog = "-"
keep_alive_timeout = 60
keep_alive_max_requests = 100000000
graceful_timeout = 0.5
shutdown_timeout = 2
h2_max_concurrent_streams = {streams}
wsgi_max_body_size = 268435456
"""


class Hypercorn(Server):
    """`app` is "httpbin", or "module:attribute" of an ASGI application."""

    NAME = "hypercorn"
    PORTS = {"https": "https", "http": "http"}

    def __init__(self, ca, directory, app="httpbin", *, max_concurrent_streams=100):
        super().__init__(directory)
        self.ca = ca
        self.app = "wsgi:httpbin:app" if app == "httpbin" else f"asgi:{app}"
        self.max_concurrent_streams = max_concurrent_streams

    def configure(self):
        cert, key = self.ca.pair("server")
        text = _CONFIG.format(
            tls=self._binds("https"),
            plain=self._binds("http"),
            cert=cert,
            key=key,
            streams=self.max_concurrent_streams,
        )
        (self.dir / "hypercorn.toml").write_text(text)

    def _binds(self, port):
        hosts = ["127.0.0.1"] + ["[::1]"] * has_ipv6()
        return ", ".join(f'"{host}:{self.ports[port]}"' for host in hosts)

    def environment(self):
        return python_environment()

    def commands(self):
        # One process: with its own worker processes hypercorn would leave them behind when it is
        # killed.
        return [
            [PYTHON, "-m", "support.hypercorn_main", str(self.dir / "hypercorn.toml"), self.app]
        ]
