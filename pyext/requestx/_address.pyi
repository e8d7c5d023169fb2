from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ._core import AddressRules

class AddressPolicy:
    def __init__(
        self,
        *,
        allow: Iterable[str | IPv4Address | IPv4Network | IPv6Address | IPv6Network] | None = None,
        deny: Iterable[str | IPv4Address | IPv4Network | IPv6Address | IPv6Network] = (),
    ) -> None: ...
    @classmethod
    def public(
        cls,
        *,
        allow: Iterable[str | IPv4Address | IPv4Network | IPv6Address | IPv6Network] = (),
        deny: Iterable[str | IPv4Address | IPv4Network | IPv6Address | IPv6Network] = (),
    ) -> AddressPolicy: ...
    def allows(self, address: str | IPv4Address | IPv6Address) -> bool: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

def rules_of(policy: AddressPolicy | None) -> AddressRules | None: ...
