"""nghttpd: nghttp2's own server, one process over TLS and one in cleartext with prior knowledge."""

from .process import Server
from .www import write_files


class Nghttpd(Server):
    """Serves the common static files; POST and PUT are answered like GET unless `echo_upload`."""

    NAME = "nghttpd"
    PORTS = {"https": "https", "http": "http"}

    def __init__(
        self,
        ca,
        directory,
        *,
        max_concurrent_streams=100,
        trailers=(),
        early_response=False,
        echo_upload=False,
        window_bits=None,
        connection_window_bits=None,
        padding=None,
        no_content_length=False,
        header_table_size=None,
        workers=1,
    ):
        super().__init__(directory)
        self.ca = ca
        self.root = write_files(self.dir / "www")
        self.options = ["-v", "-a", "localhost", "-d", self.root, "-n", str(workers)]
        self.options += ["-m", str(max_concurrent_streams)]
        self.options += [f"--trailer={name}: {value}" for name, value in trailers]
        self.options += ["--early-response"] * early_response + ["--echo-upload"] * echo_upload
        self.options += ["--no-content-length"] * no_content_length
        values = {
            "-w": window_bits,
            "-W": connection_window_bits,
            "-b": padding,
            "-c": header_table_size,
        }
        for option, value in values.items():
            self.options += [option, str(value)] if value is not None else []

    def commands(self):
        cert, key = self.ca.pair("server")
        return [
            ["nghttpd", *self.options, str(self.ports["https"]), key, cert],
            ["nghttpd", *self.options, "--no-tls", str(self.ports["http"])],
        ]
