"""A port on which connecting hangs, for connect timeouts."""

import socket


class BlackHole:
    """A listening socket whose accept queue is full, so that the kernel drops further SYNs."""

    def __init__(self, host="127.0.0.1"):
        self.listener = socket.create_server((host, 0), backlog=0)
        self.host, self.port = self.listener.getsockname()[:2]
        self.waiting = []

    def __enter__(self):
        for _ in range(16):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.settimeout(0.2)
            self.waiting.append(client)
            try:
                client.connect((self.host, self.port))
            except TimeoutError:
                return self
        raise RuntimeError("the accept queue does not fill up")

    def __exit__(self, *exc_info):
        for sock in [*self.waiting, self.listener]:
            sock.close()
