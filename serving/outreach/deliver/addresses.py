"""Which addresses a message may be sent to: none inside a network, unless its endpoint says so."""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class ForbiddenAddress(ValueError):
    """An address that nothing is sent to; the message names it and what allows it."""


# Our own list: what `ipaddress` calls private or global has changed between patch releases.
_FORBIDDEN: dict[str, str] = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a carrier",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's own",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "reserved",
    "192.52.193.0/24": "reserved",
    "192.88.99.0/24": "a 6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/96": "unspecified, loopback or IPv4-compatible",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64",
    "100::/64": "discarded",
    "100:0:0:1::/64": "reserved",
    "2001::/23": "Teredo or reserved",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "reserved",
    "3ffe::/16": "withdrawn",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_METADATA = (
    "100.100.100.200/32",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.192/32",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
)
"""Where clouds hand out credentials: forbidden even inside an allowed network."""

_REASONS: list[tuple[Network, str]] = [(ip_network(one), why) for one, why in _FORBIDDEN.items()]
_CREDENTIALS: list[Network] = [ip_network(one) for one in _METADATA]
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_LOOPBACK: list[Network] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


def networks(named: Iterable[str]) -> tuple[Network, ...]:
    """The networks written as 10.20.0.0/16. Raises ForbiddenAddress for what is none."""
    try:
        return tuple(ip_network(one) for one in named)
    except ValueError as error:
        raise ForbiddenAddress(
            f"allowed_networks: {error}; write a network as 10.20.0.0/16"
        ) from None


def require_allowed(given: str, allowed: Iterable[Network] = ()) -> None:
    """Raise ForbiddenAddress unless `given` is public, or inside one of `allowed`.

    An IPv4 address wrapped in an IPv6 one is judged as what it is.
    """
    address = _plain(given)
    inside = _carried(address)
    if any(one in network for one in (address, inside) if one for network in _CREDENTIALS):
        raise ForbiddenAddress(f"{given} is where a cloud hands out credentials")
    if any(address in network for network in allowed):
        if inside:
            require_allowed(str(inside), allowed)
        return
    reason = _reason(address)
    if reason:
        raise ForbiddenAddress(
            f"{given} is {reason}; an endpoint inside your network needs it in allowed_networks"
        )


def require_loopback(given: str) -> None:
    """Raise ForbiddenAddress unless `given` is of this machine."""
    if not any(_plain(given) in network for network in _LOOPBACK):
        raise ForbiddenAddress(f"{given} is not this machine, which alone is reached without TLS")


def _plain(given: str) -> Address:
    address = ip_address(given.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that 6to4, Teredo, NAT64 or an old IPv4-compatible one carries on to."""
    if not isinstance(address, IPv6Address):
        return None
    if address.teredo:
        return address.teredo[1]
    if int(address) >> 96 in (0x0064FF9B, 0):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def _reason(address: Address) -> str | None:
    """Why nothing is sent to a public network's `address`; None where it is one."""
    for network, reason in _REASONS:
        if address in network:
            return reason
    outside = isinstance(address, IPv6Address) and address not in _GLOBAL_IPV6
    return "not of the public internet" if outside else None
