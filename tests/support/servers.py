"""The real servers, in one place to import from."""

from .h2o import H2o
from .hypercorn import Hypercorn
from .nghttpd import Nghttpd
from .nginx import Nginx
from .tinyproxy import Tinyproxy

__all__ = ["H2o", "Hypercorn", "Nghttpd", "Nginx", "Tinyproxy"]
