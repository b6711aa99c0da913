"""Which internet addresses a list of images may name: those of the public internet, and private ones named as such."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

_METADATA_ADDRESSES = frozenset(
    map(
        ipaddress.ip_address,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
"""Where clouds tell a machine its secrets, besides the link-local addresses: Alibaba, Azure, Oracle, AWS, Google."""
_PRIVATE_ENDINGS = (
    ".localhost",
    ".local",
    ".lan",
    ".home",
    ".home.arpa",
    ".internal",
    ".intranet",
    ".private",
    ".corp",
)
"""Of names that are no names of the public internet."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def refusal(addresses: Iterable[str], *, allows_private: bool) -> str | None:
    """What is wrong with the first address that is not to be fetched from; None if there is none."""
    for address in addresses:
        if is_forbidden(address):
            return f"a link-local address or one of cloud metadata ({address}): never fetched"
        if not allows_private and is_private(address):
            return f"an address of a private network ({address}): list that address itself if it is meant"
    return None


def is_private(address: str) -> bool:
    """Whether an IP address is not one of the public internet's."""
    ip = _parse(address)
    return not ip.is_global or ip.is_multicast


def is_forbidden(address: str) -> bool:
    """Whether an IP address is link-local or one of cloud metadata: no list has a reason to name it."""
    ip = _parse(address)
    return ip.is_link_local or ip in _METADATA_ADDRESSES


def is_private_name(host: str) -> bool:
    """Whether a host is private by what it is called, wherever it leads: an address, or no name of the internet."""
    try:
        return is_private(host)
    except ValueError:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)


def leads_only_to_private(host: str) -> bool:
    """Whether a name leads somewhere, and to no address of the public internet."""
    found = addresses_of(host)
    return bool(found) and all(map(is_private, found))


def addresses_of(host: str) -> list[str]:
    """IP addresses of a name; none of one that leads nowhere."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that is reached in the end: IPv6 can carry one of IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        return inner or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip)
    return ip
