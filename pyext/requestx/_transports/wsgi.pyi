from _typeshed.wsgi import WSGIApplication
from typing import Optional, TextIO

from .._models import Request, Response
from .base import BaseTransport

class WSGITransport(BaseTransport):
    app: WSGIApplication
    raise_app_exceptions: bool
    script_name: str
    remote_addr: str
    wsgi_errors: Optional[TextIO]
    def __init__(
        self,
        app: WSGIApplication,
        raise_app_exceptions: bool = True,
        script_name: str = "",
        remote_addr: str = "127.0.0.1",
        wsgi_errors: Optional[TextIO] = None,
    ) -> None: ...
    def handle_request(self, request: Request) -> Response: ...
