"""HTTP to endpoints: each address checked as it is connected to, nothing followed, time limited."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore
import httpx

from serving.outreach.deliver.addresses import Network, require_allowed, require_loopback

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host name. Raises OSError where there is none."""

_CONNECT_SECONDS = 5.0
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class UrlError(ValueError):
    """A URL that messages cannot be sent to; the message says what to change."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system knows for `host`, each once, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def require_url(url: str) -> bool:
    """Whether `url` is of this machine; raises UrlError unless it is https, or http to loopback."""
    try:
        # By the same reader as connects: two of them may take one text for two hosts.
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UrlError(f"{url!r} is no URL: {error}") from None
    if parts.userinfo:
        raise UrlError(f"the URL of {parts.host!r} has a user in it; secrets come from variables")
    local = parts.host in LOOPBACK_NAMES
    if not parts.host or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise UrlError(
            f"{url!r} is not https://host/…; without TLS messages are sent to this machine only "
            f"({', '.join(LOOPBACK_NAMES)})"
        )
    return local


def checked_client(
    url: str,
    allowed: Sequence[Network],
    timeout_seconds: float,
    connections: int,
    *,
    resolve: Resolve = resolve,
    trusted: ssl.SSLContext | None = None,
) -> httpx.Client:
    """A client for requests to `url`, which connects to allowed addresses only.

    A request is over within `timeout_seconds`, to its last byte. Redirects are not followed,
    proxies not used. A URL of this machine reaches this machine alone.

    Raises UrlError for one outside it without TLS.
    """
    check = require_loopback if require_url(url) else partial(require_allowed, allowed=allowed)
    backend = CheckedBackend(check, resolve)
    pool = httpcore.ConnectionPool(
        ssl_context=trusted or httpx.create_ssl_context(),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=5.0,
        network_backend=backend,
    )
    transport = _Transport(pool, backend, timeout_seconds)
    return httpx.Client(
        transport=transport, timeout=timeout_seconds, trust_env=False, follow_redirects=False
    )


class CheckedBackend(httpcore.NetworkBackend):
    """Connects to names whose every address passes `check`, at the addresses that were checked.

    A name is looked up once per connection, so that no second answer can be another; TLS still
    asks for the name.
    """

    def __init__(self, check: Callable[[str], None], resolve: Resolve) -> None:
        self._check = check
        self._resolve = resolve
        self._local = threading.local()
        self._plain = httpcore.SyncBackend()

    def begin(self, seconds: float) -> None:
        """Give this thread's next request so much time in all."""
        self._local.end = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """The smaller of `timeout` and what is left of the request's time."""
        seconds: float = self._local.end - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("the time for the whole answer is over")
        return seconds if timeout is None else min(timeout, seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first of the host's addresses that answers."""
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._checked(host, port):
            try:
                seconds = min(self.left(timeout), _CONNECT_SECONDS)
                stream = self._plain.connect_tcp(
                    address, port, seconds, local_address, socket_options
                )
                return _TimedStream(stream, self)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failed = error
        raise failed

    def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        for address in addresses:
            self._check(address)
        return addresses


class _TimedStream(httpcore.NetworkStream):
    """A connection on which a sender of single bytes cannot hold a thread for ever."""

    def __init__(self, stream: httpcore.NetworkStream, backend: CheckedBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._backend.left(timeout)
        return _TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, left), self._backend
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _named_as_httpx():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _Transport(httpx.BaseTransport):
    """httpx's own takes no network backend; this one is made of httpcore's public parts."""

    def __init__(
        self, pool: httpcore.ConnectionPool, backend: CheckedBackend, timeout_seconds: float
    ) -> None:
        self._pool = pool
        self._backend = backend
        self._timeout_seconds = timeout_seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        self._backend.begin(self._timeout_seconds)
        with _named_as_httpx():
            answer = self._pool.handle_request(sent)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


@contextmanager
def _named_as_httpx() -> Iterator[None]:
    """Errors of httpcore by the names under which httpx has them."""
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        named: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.ReadError)
        raise named(str(error) or type(error).__name__) from error
