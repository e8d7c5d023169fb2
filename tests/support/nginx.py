"""nginx: the reference server. One worker, in the foreground, as whoever runs the tests."""

import json
import os
import shutil
import signal

from .process import Server, has_ipv6, wait_until
from .www import write_files

BAD_CERTS = (
    "expired",
    "not_yet_valid",
    "wrong_host",
    "self_signed",
    "untrusted",
    "revoked",
    "missing_intermediate",
)
STATUSES = (200, 204, 301, 304, 400, 401, 403, 404, 418, 421, 429, 500, 502, 503)

_MAIN = """
daemon off;
master_process on;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {log} warn;
{user}
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    log_format entry escape=json '{{"connection":$connection,"number":$connection_requests,'
        '"protocol":"$server_protocol","method":"$request_method","uri":"$request_uri",'
        '"status":$status,"sent":$bytes_sent,"received":$request_length,"port":$server_port,'
        '"agent":"$http_user_agent"}}';
    access_log {access} entry;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    default_type application/octet-stream;
    types {{ text/plain txt; }}
    sendfile on;
    tcp_nopush on;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    large_client_header_buffers 8 64k;
    http2_recv_buffer_size 1m;
    server_tokens off;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tests:1m;
    keepalive_timeout 300s;
    {limits}
    gzip_types *;
    gzip_min_length 100;
{extra_http}
    server {{
        listen 127.0.0.1:{backend};
        access_log off;
        keepalive_requests 1000000;
        location / {{ return 200 '{{"length": $content_length}}'; }}
    }}
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 16; }}
{servers}
}}
"""

_LOCATIONS = """
        root {root};
        index index.html;
        add_header x-server nginx;
        location = /slow {{ limit_rate 64k; }}
        location = /post {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering on;
        }}
        location = /early {{ return 200 "early\\n"; }}
        location = /413 {{ client_max_body_size 1k; proxy_pass http://backend; }}
        location = /gzip {{ gzip on; }}
        location = /trailers {{ add_trailer x-checksum abc123; add_trailer x-second two; }}
        location = /redirect {{ return 302 /small; }}
        location = /auth {{ return 200 $http_authorization; }}
        location = /basic {{
            auth_basic "tests";
            auth_basic_user_file {dir}/htpasswd;
            try_files /small =404;
        }}
        location = /conn {{
            default_type application/json;
            return 200 '{{"connection": $connection, "requests": $connection_requests,
                "protocol": "$server_protocol", "tls": "$ssl_protocol",
                "reused": "$ssl_session_reused",
                "sni": "$ssl_server_name", "client": "$ssl_client_s_dn", "port": $remote_port}}';
        }}
{statuses}
{extra_server}
"""


class Nginx(Server):
    """See README.md for the ports and locations."""

    NAME = "nginx"
    PORTS = {
        "https": "https",
        "https_h1": "https",
        "http": "http",
        "h2c": "http",
        "mtls": "https",
        "backend": "http",
        **{name: "https" for name in BAD_CERTS},
    }

    def __init__(
        self,
        ca,
        directory,
        *,
        keepalive_requests=None,
        max_concurrent_streams=None,
        extra_http="",
        extra_server="",
    ):
        super().__init__(directory)
        self.ca = ca
        self.keepalive_requests = keepalive_requests
        self.max_concurrent_streams = max_concurrent_streams
        self.extra_http = extra_http
        self.extra_server = extra_server
        self.access_path = self.dir / "access"
        self.root = write_files(self.dir / "www")

    def configure(self):
        (self.dir / "htpasswd").write_text("user:{PLAIN}pass\n")
        text = _MAIN.format(
            dir=self.dir,
            log=self.log_path,
            access=self.access_path,
            user="user root;" if os.geteuid() == 0 else "",
            limits=self._limits(),
            extra_http=self.extra_http,
            backend=self.ports["backend"],
            servers="\n".join(self._servers()),
        )
        (self.dir / "nginx.conf").write_text(text)

    def commands(self):
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"
        return [
            [
                nginx,
                "-p",
                str(self.dir),
                "-c",
                str(self.dir / "nginx.conf"),
                "-e",
                str(self.log_path),
            ]
        ]

    def _limits(self):
        lines = [f"keepalive_requests {self.keepalive_requests or 1000000000};"]
        if self.max_concurrent_streams:
            lines.append(f"http2_max_concurrent_streams {self.max_concurrent_streams};")
        return " ".join(lines)

    def _servers(self):
        yield self._server("https", "ssl http2", "server")
        yield self._server("https_h1", "ssl", "server")
        yield self._server("http", "")
        yield self._server("h2c", "http2")
        client = f"ssl_verify_client on; ssl_client_certificate {self.ca.ca_file};"
        yield self._server("mtls", "ssl http2", "server", client)
        for name in BAD_CERTS:
            yield self._server(name, "ssl http2", name)

    def _server(self, port, options, cert=None, extra=""):
        hosts = ["127.0.0.1"] + ["[::1]"] * has_ipv6()
        listen = " ".join(f"listen {host}:{self.ports[port]} {options};" for host in hosts)
        pair = (
            "ssl_certificate {}; ssl_certificate_key {};".format(*self.ca.pair(cert))
            if cert
            else ""
        )
        statuses = "\n".join(
            f"        location = /status/{c} {{ return {c}; }}" for c in STATUSES if c != 301
        )
        statuses += "\n        location = /status/301 { return 301 /small; }"
        body = _LOCATIONS.format(
            dir=self.dir, root=self.root, statuses=statuses, extra_server=self.extra_server
        )
        return f"    server {{\n        {listen} {pair} {extra}\n{body}\n    }}"

    def reload(self):
        """A new worker takes over; the old one sends GOAWAY and finishes its streams."""
        os.kill(self.pid, signal.SIGHUP)

    def bad_cert_url(self, name, path="/", host=None):
        """A port whose certificate is wrong in the named way."""
        return self.url(path, name, host)

    def access(self):
        """Every entry of the access log so far."""
        if not self.access_path.exists():
            return []
        lines = self.access_path.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def watch(self):
        """Context: the requests logged from its start on."""
        return Watch(self)


class Watch:
    """A window on the access log. nginx writes an entry when the request is over, so reading waits
    for the count."""

    def __init__(self, server):
        self.server = server
        self.skip = 0

    def __enter__(self):
        self.skip = len(self.server.access())
        return self

    def __exit__(self, *exc_info):
        pass

    def requests(self, at_least=1, timeout=10.0):
        """The entries since the start, once there are enough of them."""

        def enough():
            entries = self.server.access()[self.skip :]
            return entries if len(entries) >= at_least else None

        if at_least == 0:
            return self.server.access()[self.skip :]
        return wait_until(enough, timeout, f"{at_least} requests in nginx's access log")

    def connections(self, at_least=1):
        """The set of connection numbers on which these requests came."""
        return {entry["connection"] for entry in self.requests(at_least)}
