"""Real SOCKS5 proxies: microsocks, and Dante's danted."""

import getpass
import re

from .process import Server

_DANTE = """
logoutput: stderr
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
socksmethod: none
clientmethod: none
user.privileged: {user}
user.unprivileged: {user}
client pass {{ from: 0/0 to: 0/0 }}
socks block {{ from: 0/0 to: 127.0.0.66/32 }}
socks pass {{ from: 0/0 to: 0/0 }}
"""


class Microsocks(Server):
    """`.proxy_url` carries the credentials, `.url` does not."""

    NAME = "microsocks"
    PORTS = {"proxy": "socks5"}
    url_host = "127.0.0.1"

    def __init__(self, directory, *, username=None, password=None):
        super().__init__(directory)
        self.username = username
        self.password = password

    def commands(self):
        login = ["-u", self.username, "-P", self.password] if self.username else []
        return [["microsocks", "-i", "127.0.0.1", "-p", str(self.ports["proxy"]), *login]]

    @property
    def port(self):
        return self.ports["proxy"]

    def address(self, scheme="socks5", login=True):
        """Its URL."""
        user = f"{self.username}:{self.password}@" if login and self.username else ""
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    def connects(self):
        """The "host:port" of everything it connected to, as it was asked for."""
        return re.findall(r"connected to (\S+)", self.log())


class Danted(Server):
    """Without credentials; 127.0.0.66 is not allowed by its rules."""

    NAME = "danted"
    PORTS = {"proxy": "socks5"}
    url_host = "127.0.0.1"

    def configure(self):
        (self.dir / "danted.conf").write_text(
            _DANTE.format(
                port=self.ports["proxy"],
                user=getpass.getuser(),
            )
        )

    def commands(self):
        return [["danted", "-f", str(self.dir / "danted.conf"), "-p", str(self.dir / "danted.pid")]]

    @property
    def port(self):
        return self.ports["proxy"]

    def address(self, scheme="socks5"):
        """Its URL."""
        return f"{scheme}://127.0.0.1:{self.port}"
