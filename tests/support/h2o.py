"""h2o: h2 and h1 over TLS, and h1 with h2c prior knowledge in cleartext."""

import os

from .process import Server, has_ipv6
from .www import write_files

_CONFIG = """
{user}
pid-file: {dir}/h2o.pid
error-log: {dir}/errors
access-log:
  path: {dir}/access
  format: '{{"connection":%{{connection-id}}x,"method":"%m","path":"%U","status":%s}}'
temp-buffer-path: {dir}
num-threads: 1
max-connections: 4096
{limits}
{listen}
hosts:
  default:
    paths:
      "/":
        file.dir: {root}
        file.index: [index.html]
        file.mime.setdefaulttype: "text/plain"
        compress: [gzip]
        header.add: "x-server: h2o"
      "/redirect":
        redirect: {{ status: 302, url: "/small" }}
"""


class H2o(Server):
    """Serves the common static files; `/gzip` comes compressed when asked for."""

    NAME = "h2o"
    PORTS = {"https": "https", "http": "http"}

    def __init__(self, ca, directory, *, max_concurrent_streams=None):
        super().__init__(directory)
        self.ca = ca
        self.max_concurrent_streams = max_concurrent_streams
        self.root = write_files(self.dir / "www")

    def configure(self):
        limit = self.max_concurrent_streams
        text = _CONFIG.format(
            dir=self.dir,
            root=self.root,
            user="user: root" if os.geteuid() == 0 else "",
            limits=f"http2-max-concurrent-requests-per-connection: {limit}" if limit else "",
            listen="\n".join(self._listeners()),
        )
        (self.dir / "h2o.conf").write_text(text)

    def _listeners(self):
        cert, key = self.ca.pair("server")
        for host in ["127.0.0.1"] + ["::1"] * has_ipv6():
            yield (
                f"listen:\n  host: '{host}'\n  port: {self.ports['https']}\n"
                f"  ssl:\n    certificate-file: {cert}\n    key-file: {key}\n"
                f"    ocsp-update-interval: 0"
            )
            yield f"listen:\n  host: '{host}'\n  port: {self.ports['http']}"

    def commands(self):
        return [["h2o", "-m", "worker", "-c", str(self.dir / "h2o.conf")]]
