"""tinyproxy: an HTTP proxy with CONNECT to any port, open or with Basic credentials."""

import re

from .process import Server

_CONFIG = """
Port {port}
Listen 127.0.0.1
Timeout 60
LogLevel {level}
MaxClients 400
DisableViaHeader Yes
Allow 127.0.0.1
{auth}
"""


class Tinyproxy(Server):
    """`.proxy_url` carries the credentials, `.url` does not.

    It waits for the disk with each line that it logs, three for a request: `quiet` is for those who send many, and then
    `connects` and `requests` have nothing to tell.
    """

    NAME = "tinyproxy"
    PORTS = {"proxy": "http"}
    url_host = "127.0.0.1"

    def __init__(self, directory, *, username=None, password=None, quiet=False):
        super().__init__(directory)
        self.quiet = quiet
        self.username = username
        self.password = password

    def configure(self):
        auth = f"BasicAuth {self.username} {self.password}" if self.username else ""
        (self.dir / "tinyproxy.conf").write_text(
            _CONFIG.format(port=self.ports["proxy"], auth=auth, level="Critical" if self.quiet else "Connect")
        )

    def commands(self):
        return [["tinyproxy", "-d", "-c", str(self.dir / "tinyproxy.conf")]]

    @property
    def port(self):
        return self.ports["proxy"]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def proxy_url(self):
        user = f"{self.username}:{self.password}@" if self.username else ""
        return f"http://{user}127.0.0.1:{self.port}"

    def connects(self):
        """The "host:port" of every CONNECT it was asked for."""
        return re.findall(r"Request \(file descriptor \d+\): CONNECT (\S+) HTTP", self.log())

    def requests(self):
        """(method, target) of everything it was asked for, CONNECT included."""
        return re.findall(r"Request \(file descriptor \d+\): (\S+) (\S+) HTTP", self.log())
