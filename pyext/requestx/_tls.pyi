import ssl
from collections.abc import Iterable
from typing import Optional

from ._core import Tls
from ._types import CertTypes, VerifyTypes

def make_tls(verify: VerifyTypes, cert: Optional[CertTypes], trust_env: bool, pins: Optional[Iterable[str]] = None) -> Tls: ...
def tls_of_context(context: ssl.SSLContext) -> Tls: ...
