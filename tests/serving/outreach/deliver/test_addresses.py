"""Which addresses are refused: those of the world's lists, however they are wrapped."""

import pytest

from serving.outreach.deliver.addresses import (
    ForbiddenAddress,
    networks,
    require_allowed,
    require_loopback,
)

INSIDE = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254
169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.8 192.0.0.192 192.0.2.1
192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:7f00:1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::a00:1 100::1 2001::1
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2001:2::1 2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1
5f00::1 4000::1 fc00::1 fd00:ec2::254 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
"""
OUTSIDE = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.1 168.63.129.15 169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255
198.17.255.255 198.20.0.0 223.255.255.255 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_addresses_inside_networks_are_refused(address: str) -> None:
    with pytest.raises(ForbiddenAddress, match="is "):
        require_allowed(address)


@pytest.mark.parametrize("address", OUTSIDE.split())
def test_public_addresses_up_to_the_edges_are_allowed(address: str) -> None:
    require_allowed(address)


def test_an_allowed_network_opens_itself_only() -> None:
    allowed = networks(["10.20.0.0/16", "fd12::/16"])
    for address in ("10.20.255.255", "::ffff:10.20.0.1", "fd12::1"):
        require_allowed(address, allowed)
    for address in ("10.21.0.0", "::ffff:10.19.0.1", "fd13::1", "127.0.0.1"):
        with pytest.raises(ForbiddenAddress, match="needs it in allowed_networks"):
            require_allowed(address, allowed)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
    ],
)
def test_where_credentials_are_handed_out_no_network_opens(address: str) -> None:
    with pytest.raises(ForbiddenAddress, match="hands out credentials"):
        require_allowed(address, networks(["0.0.0.0/0", "::/0"]))


def test_an_allowed_nat64_does_not_open_what_lies_behind_it() -> None:
    allowed = networks(["64:ff9b::/96"])
    require_allowed("64:ff9b::808:808", allowed)
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.1 is private"):
        require_allowed("64:ff9b::a00:1", allowed)


def test_without_tls_this_machine_alone_is_reached() -> None:
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        require_loopback(address)
    for address in ("8.8.8.8", "10.0.0.1", "192.168.0.1", "::"):
        with pytest.raises(ForbiddenAddress, match="is not this machine"):
            require_loopback(address)


@pytest.mark.parametrize("named", ["10.20.0.1/16", "ten", "10.0.0.0/33", ""])
def test_a_network_that_is_none_is_refused(named: str) -> None:
    with pytest.raises(ForbiddenAddress, match=r"allowed_networks: .*write a network as 10\.20"):
        networks([named])
