"""Which addresses may be connected to: no webhook reaches into the network that dashapp stands in."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

from dashapp.alerts.channels import DeliveryFailed

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def public(address: Address) -> bool:
    """Whether an address is in the internet at large; addresses inside IPv6 ones count as what they lead to."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return public(inner)
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host, each of them allowed. Connect to these and to nothing that is resolved later.

    Raises:
        DeliveryFailed: the name can't be resolved, or leads somewhere private.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryFailed(f"{host} can't be resolved ({getattr(error, 'strerror', None) or 'no valid name'}).") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        refuse_private(host, addresses)
    return addresses


def refuse_private(host: str, addresses: Iterable[str]) -> None:
    """
    Raises:
        DeliveryFailed: one of them is private, loopback, link-local or reserved.
    """
    for text in addresses:
        if not public(ipaddress.ip_address(text.partition("%")[0])):
            raise DeliveryFailed(
                f"{host} is {text}, which is no public address; DASHAPP_WEBHOOK_ALLOW_PRIVATE=true allows private ones."
            )
