"""The server side of the scorecard: one nginx with one worker, over TLS, HTTP/2 and HTTP/1.1.

Everything lives in one temporary folder, in memory where the machine has /dev/shm, so that no disk
takes part in a measurement. The paths served:

    /small   128 bytes of JSON straight from the configuration: the server does as little as it can
    /big     a file of BIG_SIZE bytes
    /sink    reads the whole request body, then answers 200: for POSTs and uploads
"""

import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BIG_SIZE = 100 * 1000 * 1000
SMALL_SIZE = 128
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>

# nginx answers an upload as soon as a handler runs that does not need the body, and then resets
# the stream. `mirror` makes it read the body to its end first. The static handler then refuses to
# POST to a file, with 405, and error_page turns that into the 200 that we want: no upstream, no
# second process.
NGINX_CONF = """
daemon off;
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    server_tokens off;
    default_type application/octet-stream;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    http2_max_concurrent_streams 256;
    client_max_body_size 0;
    client_body_buffer_size 64k;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/t1; fastcgi_temp_path {dir}/t2;
    scgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4;
    ssl_certificate {dir}/cert.pem;
    ssl_certificate_key {dir}/cert-key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        {listen}
        server_name localhost;
        root {dir}/www;
        location = /small {{ default_type application/json; return 200 '{small}'; }}
        location = /big {{ }}
        location = /sink {{ mirror /drop; error_page 405 =200 /ok; }}
        location = /drop {{ internal; return 204; }}
        location = /ok {{ default_type application/json; return 200 '{{"ok":true}}'; }}
    }}
    server {{
        listen 127.0.0.1:{status_port};
        location = /status {{ stub_status; }}
    }}
}}
"""


def small_body():
    """The JSON text that /small answers with, SMALL_SIZE bytes long."""
    head = '{"id":1234,"name":"a small answer","ok":true,"pad":"'
    return head + "x" * (SMALL_SIZE - len(head) - 2) + '"}'


def make_certificate(folder):
    """Writes ca.pem, and cert.pem and key.pem for localhost, signed by it.

    A self-signed leaf would do for OpenSSL, but rustls refuses a CA certificate as a server's.
    """
    def make(name, subject, *extra):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", subject,
             "-keyout", name + "-key.pem", "-out", name + ".pem", *extra],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    make("ca", "/CN=scorecard test CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    make("cert", "/CN=localhost", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE",
         "-addext", "keyUsage=critical,digitalSignature",
         "-addext", "extendedKeyUsage=serverAuth")


class Place:
    """Where and how urgently a process runs: |cores| None is all; |realtime|: before all that is not."""

    def __init__(self, cores=None, realtime=False):
        self.cores = cores
        self.realtime = realtime

    def take(self):
        """For subprocess.Popen to call in the child, which then ends when its parent is killed."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if self.cores:
            os.sched_setaffinity(0, self.cores)
        if self.realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_big(path, size):
    """A file that does not compress: some TLS stacks and file systems treat zeros kindly."""
    block = os.urandom(1000 * 1000)
    with open(path, "wb") as out:
        while size > 0:
            size -= out.write(block[:size])


class Server:
    """One running nginx. Use as a context manager; leaves nothing behind.

    |place|: where it runs.
    """

    def __init__(self, place=None, big_size=BIG_SIZE):
        self.place = place or Place()
        self.big_size = big_size
        self.dir = None
        self.process = None
        self.port = 0
        self.status = None

    @property
    def ca(self):
        return os.path.join(self.dir, "ca.pem")

    @property
    def big_file(self):
        """The file that uploads send: the one that /big serves."""
        return os.path.join(self.dir, "www", "big")

    @property
    def post_file(self):
        """1 KiB of JSON, for the clients that take a POST body from a file."""
        return os.path.join(self.dir, "post.json")

    def url(self, path):
        return "https://localhost:%d%s" % (self.port, path)

    def __enter__(self):
        if not shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin"):
            raise RuntimeError("nginx is not installed")
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix="requestx-bench-", dir=base)
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.status:
            self.status.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _prepare(self):
        www = os.path.join(self.dir, "www")
        os.mkdir(www)
        make_certificate(self.dir)
        write_big(os.path.join(www, "big"), self.big_size)
        open(os.path.join(www, "sink"), "w").close()
        with open(self.post_file, "w") as out:
            out.write(post_body(1024))

    def _start(self):
        self.port, status_port = free_port(), free_port()
        listen = "listen 127.0.0.1:%d ssl http2;" % self.port
        if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
            listen += " listen [::1]:%d ssl http2;" % self.port
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w") as out:
            out.write(NGINX_CONF.format(
                dir=self.dir, listen=listen, small=small_body(),
                status_port=status_port,
                user="user root;" if os.geteuid() == 0 else ""))
        env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin")
        self.process = subprocess.Popen(
            ["nginx", "-e", os.path.join(self.dir, "error.log"), "-p", self.dir, "-c", conf],
            env=env, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=self.place.take)
        self._wait_ready()
        self.status = http.client.HTTPConnection("127.0.0.1", status_port, timeout=10)

    def counters(self):
        """(connections accepted, requests served) since the start.

        This asks over one connection that is kept, so it adds to the second number only.
        """
        self.status.request("GET", "/status")
        text = self.status.getresponse().read().decode()
        accepted, _, requests = (int(word) for word in text.splitlines()[2].split())
        return accepted, requests

    def _wait_ready(self):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError("nginx ended: " + self.error_log())
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("nginx did not listen: " + self.error_log())

    def error_log(self):
        try:
            with open(os.path.join(self.dir, "error.log")) as log:
                return log.read()[-2000:]
        except OSError:
            return ""


def post_body(size):
    """A JSON text of exactly |size| bytes."""
    head = '{"user":42,"items":["a","b","c"],"note":"'
    return head + "y" * (size - len(head) - 2) + '"}'
