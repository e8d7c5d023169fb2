"""nghttpx as a proxy that is spoken to over TLS, HTTP/2 or HTTP/1.1 by ALPN, in front of a plain one."""

import re

from .process import Server


class Nghttpx(Server):
    """`.proxy_url` is for clients; `backend` the port of the HTTP proxy that does the work."""

    NAME = "nghttpx"
    PORTS = {"proxy": "https"}
    url_host = "127.0.0.1"

    def __init__(self, ca, directory, backend, *, h2=True):
        super().__init__(directory)
        self.ca = ca
        self.backend = backend
        self.h2 = h2

    def commands(self):
        return [
            [
                "nghttpx",
                "--conf=/dev/null",
                "--http2-proxy",
                "--no-ocsp",
                f"--frontend=127.0.0.1,{self.ports['proxy']}",
                f"--backend=127.0.0.1,{self.backend}",
                "--workers=1",
                "--single-process",
                f"--npn-list={'h2,' if self.h2 else ''}http/1.1",
                "--log-level=INFO",
                "--accesslog-file=/dev/stderr",
                "--accesslog-format=$http_user_agent|$request|$alpn",
                self.ca.server_key,
                self.ca.server_cert,
            ]
        ]

    @property
    def port(self):
        return self.ports["proxy"]

    @property
    def proxy_url(self):
        return f"https://127.0.0.1:{self.port}"

    def requests(self):
        """(request line, protocol) of everything it was asked for and is done with."""
        return re.findall(r"\|((?:[A-Z]+) \S+ HTTP/\S+)\|(\S+)", self.log())
