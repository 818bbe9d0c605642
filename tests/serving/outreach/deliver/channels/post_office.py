"""A real SMTP server on this machine for tests, which answers as it is told."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword


@dataclass
class Post:
    """The handler of a server: keeps what arrives."""

    arrived: list[EmailMessage] = field(default_factory=list)
    at_mail: str = "250 OK"
    at_recipient: dict[str, str] = field(default_factory=dict)
    """Address to the answer at RCPT, if not 250; empty hangs up."""
    at_text: Callable[[SMTP], str] = lambda _: "250 taken"
    """The answer to the whole text, which is kept if that is 250; empty never answers."""
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        envelope.mail_from = address
        return self.at_mail

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        answer = self.at_recipient.get(address, "250 OK")
        if not answer:
            hang_up(server)
        envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, _session: Any, envelope: Envelope
    ) -> str:
        answer = self.at_text(server)
        if not answer:
            await asyncio.Event().wait()
        if answer.startswith("250"):
            parsed = message_from_bytes(envelope.content or b"", policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            self.arrived.append(parsed)
        return answer

    def log_in(self, _server: SMTP, _session: Any, _envelope: Any, _how: str, who: Any) -> Any:
        """Let anybody in whose password is `right`."""
        assert isinstance(who, LoginPassword)
        self.logins.append((who.login, who.password))
        return AuthResult(success=who.password == b"right", handled=False)


def hang_up(server: SMTP) -> None:
    """Cut the connection without a word."""
    assert server.transport is not None
    server.transport.abort()


@contextmanager
def open_office(
    post: Post,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Serve on a free port of this machine until left; gives the port."""
    running = _Running(post, starttls, tls)
    thread = threading.Thread(target=running.run)
    thread.start()
    running.open.wait(10)
    try:
        yield running.port
    finally:
        running.loop.call_soon_threadsafe(running.leave.set)
        thread.join(10)


class _Running:
    def __init__(
        self, post: Post, starttls: ssl.SSLContext | None, tls: ssl.SSLContext | None
    ) -> None:
        self._post, self._starttls, self._tls = post, starttls, tls
        self.open = threading.Event()

    def run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop, self.leave = asyncio.get_running_loop(), asyncio.Event()
        server = await self.loop.create_server(self._session, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self.open.set()
        await self.leave.wait()
        server.close()

    def _session(self) -> SMTP:
        return SMTP(
            self._post,
            loop=self.loop,
            tls_context=self._starttls,
            require_starttls=self._starttls is not None,
            authenticator=self._post.log_in,
            hostname="localhost",
        )
