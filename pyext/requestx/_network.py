"""The connection under a response, as far as the extension `network_stream` shows it."""


class NetworkStream:
    """What a response's `network_stream` extension is: it tells of the connection, which is the engine's alone."""

    def __init__(self, peer, local):
        self._addresses = {"server_addr": _address(peer), "client_addr": _address(local)}

    def get_extra_info(self, info):
        """`server_addr` and `client_addr` as (host, port); None for whatever is not known."""
        return self._addresses.get(info)

    def __repr__(self):
        return f"<NetworkStream to {self._addresses['server_addr']}>"


def _address(text):
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None
