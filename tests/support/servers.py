"""The real servers, in one place to import from."""

from .h2o import H2o
from .hypercorn import Hypercorn
from .nghttpd import Nghttpd
from .nghttpx import Nghttpx
from .nginx import Nginx
from .socks import Danted, Microsocks
from .tinyproxy import Tinyproxy

__all__ = [
    "Danted",
    "H2o",
    "Hypercorn",
    "Microsocks",
    "Nghttpd",
    "Nghttpx",
    "Nginx",
    "Tinyproxy",
]
