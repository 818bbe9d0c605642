"""Connecting: not one request gets to where none may, whatever the URL or the name server says."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from serving.outreach.deliver.addresses import ForbiddenAddress, networks
from serving.outreach.deliver.connecting import UrlError, checked_client, resolve
from tests.serving.outreach.receiver import Receiver, Reply, receiving

LOOPBACK = """
127.1 127.0.1 127.8.9.10 2130706433 0x7f000001 0x7f.0.0.1 0X7F.0x0.0x0.0x1 0177.0.0.1 017700000001
0177.0.0.01 127.0.0.1. localhost. 0.0.0.0 0 00 0x0 [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1]
[::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::127.0.0.1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1]
[2002:7f00:1::]
"""
INSIDE = """
10.0.0.1 0xa.0.0.1 012.0.0.1 167772161 192.168.1.1 3232235777 172.16.0.1 100.64.0.1 169.254.169.254
2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe]
[2002:a9fe:a9fe::] 100.100.100.200 168.63.129.16 192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1
255.255.255.255 [fe80::1] [fd00:ec2::254] [fc00::1] [ff02::1] [2001:db8::1] [5f00::1] [100::1]
"""


@pytest.fixture
def trap() -> Iterator[Receiver]:
    """A server of this machine, which nothing but an endpoint so configured may reach."""
    with receiving() as receiver:
        yield receiver


def post(url: str, allowed: Sequence[str] = (), seconds: float = 5.0, **more: Any) -> int:
    with checked_client(url, networks(allowed), seconds, 2, **more) as client:
        return client.post(url, content=b"{}").status_code


def answering(*answers: Sequence[str]) -> Any:
    """A name server that gives the next of `answers` each time it is asked; then the last."""
    left = list(answers)

    def look_up(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return look_up


@pytest.mark.parametrize("host", LOOPBACK.split())
def test_no_other_spelling_of_this_machine_reaches_it(host: str, trap: Receiver) -> None:
    url = f"//{host}:{trap.server.server_port}/hook"
    with pytest.raises((ForbiddenAddress, httpx.ConnectError, UrlError)):
        post(f"https:{url}")
    with pytest.raises(UrlError, match=r"is not https|is no URL"):
        post(f"http:{url}")
    assert trap.connections == 0


@pytest.mark.parametrize("host", INSIDE.split())
def test_no_address_inside_is_connected_to_in_any_encoding(host: str) -> None:
    with pytest.raises((ForbiddenAddress, UrlError)):
        post(f"https://{host}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com@127.0.0.1:{port}/hook",
        "https://example.com:443@127.0.0.1:{port}/hook",
        "http://127.0.0.1:{port}@example.com/hook",
        "http://localhost@example.com/hook",
        "http://example.com#@127.0.0.1:{port}/hook",
        "http://example.com?@127.0.0.1:{port}/hook",
        "http://example.com/127.0.0.1:{port}/hook",
        "http://127.0.0.1.example.com:{port}/hook",
        "http://[::1].example.com/hook",
        "ftp://127.0.0.1:{port}/hook",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/hook",
        "https://",
        "https:///hook",
        "https://127.0.0.1:{port}\n/hook",
        "",
    ],
)
def test_urls_that_mislead_are_refused(url: str, trap: Receiver) -> None:
    with pytest.raises(UrlError):
        post(url.format(port=trap.server.server_port))
    assert trap.connections == 0


def test_an_endpoint_of_this_machine_is_reached_without_tls(trap: Receiver) -> None:
    assert post(trap.url) == 204
    assert post(trap.url.replace("127.0.0.1", "localhost")) == 204
    assert trap.connections == 2


def test_a_name_of_this_machine_never_leads_elsewhere() -> None:
    with pytest.raises(ForbiddenAddress, match="is not this machine"):
        post("http://localhost/hook", resolve=answering(["8.8.8.8"]))


def test_one_forbidden_address_among_good_ones_is_enough() -> None:
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.7 is private"):
        post("https://crm.example/hook", resolve=answering(["8.8.8.8", "10.0.0.7"]))


def test_a_name_that_changes_its_answer_is_caught_at_each_connection(trap: Receiver) -> None:
    """Rebinding: the second answer is the address inside, when the first has been checked."""
    url = f"https://crm.example:{trap.server.server_port}/hook"
    look_up = answering(["192.0.2.1"], ["127.0.0.1"])
    for _ in range(3):
        with pytest.raises(ForbiddenAddress):
            post(url, resolve=look_up)
    assert trap.connections == 0


def test_a_name_is_looked_up_once_and_its_checked_address_connected_to(trap: Receiver) -> None:
    """Were it looked up again to connect, the second answer would lead to a closed port."""
    asked: list[str] = []

    def look_up(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    url = f"https://crm.example:{trap.server.server_port}/hook"
    with pytest.raises(httpx.ConnectError, match="SSL"):
        post(url, ["127.0.0.0/8"], resolve=look_up)
    assert asked == ["crm.example"]
    assert trap.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, trap: Receiver) -> None:
    with receiving(lambda _: Reply(status, {"location": trap.url})) as receiver:
        assert post(receiver.url) == status
    assert trap.connections == 0


def test_proxies_of_the_environment_are_not_used(
    trap: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, trap.url)
        monkeypatch.setenv(name.lower(), trap.url)
    with receiving() as receiver:
        assert post(receiver.url) == 204
    with pytest.raises(ForbiddenAddress):
        post("https://10.0.0.1/hook")
    assert trap.connections == 0


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_a_name_without_an_address_is_not_connected_to(error: Exception) -> None:
    def look_up(host: str, port: int) -> Sequence[str]:
        raise error

    with pytest.raises(httpx.ConnectError, match=r"crm\.example has no address"):
        post("https://crm.example/hook", resolve=look_up)
    with pytest.raises(httpx.ConnectError, match="has no address"):
        post("https://crm.example/hook", resolve=answering([]))


def test_the_system_gives_each_address_once() -> None:
    assert resolve("127.0.0.1", 443) == ["127.0.0.1"]


def test_an_answer_that_trickles_ends_with_its_time() -> None:
    """One byte every 20 ms would keep each read alive for ever."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000:
                    if stop.wait(0.02):
                        return
                    connection.send(bytes([byte]))

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            with pytest.raises(httpx.ReadTimeout):
                post(f"http://127.0.0.1:{server.getsockname()[1]}/hook", seconds=0.3)
        finally:
            stop.set()
            thread.join()


def certificate(folder: Path, name: str) -> Path:
    """A certificate for `name` signed by itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name[0].isdigit():
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / f"{name}.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(("holder", "is_good"), [("crm.example", True), ("127.0.0.1", False)])
def test_tls_asks_for_the_name_and_not_for_the_address(
    holder: str, is_good: bool, tmp_path: Path
) -> None:
    file = certificate(tmp_path, holder)
    trusted = ssl.create_default_context(cafile=str(file))
    with receiving() as receiver:
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(file)
        plain = receiver.server.socket
        receiver.server.socket = serving.wrap_socket(plain, server_side=True)
        url = f"https://crm.example:{receiver.server.server_port}/hook"
        options = {"resolve": answering(["127.0.0.1"]), "trusted": trusted}
        if is_good:
            assert post(url, ["127.0.0.0/8"], **options) == 204
            assert receiver.seen[0].headers["host"].startswith("crm.example:")
        else:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                post(url, ["127.0.0.0/8"], **options)
            assert receiver.seen == []
