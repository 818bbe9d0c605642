"""What is refused before it is a request: bytes that are no HTTP, and heads that never end."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.api.guard import COMPANY, WHOLE
from serving.api.problems import Problem, problem_response
from serving.api.request_ids import HEADER, new_request_id

MAX_HEAD_BYTES = 64 * 1024
"""Room for any real request line and headers; what comes in one read may be some more."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's own protocol, which would read a head of any length and refuse in plain text."""

    def __init__(self, around: Callable[[ASGIApp], ASGIApp], **given: Any) -> None:
        super().__init__(**given)
        self.app = around(self.app)
        self._head_bytes = 0
        self._in_head = False

    def data_received(self, data: bytes) -> None:
        """Take what has come in, unless the head grows too long."""
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                Problem(431, f"the request line and headers may have {MAX_HEAD_BYTES >> 10} KiB")
            )

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Tell those who answer that the body is there whole, and who else is being answered."""
        super().on_message_complete()
        told: dict[str, Any] = {WHOLE: True, COMPANY: self.tasks}
        self.scope.update(told)  # type: ignore[typeddict-item]

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what is no HTTP; where an answer has begun already, only end the connection."""
        begun = self.cycle is not None and self.cycle.response_started
        if begun and not self.cycle.response_complete:
            self.transport.close()
        else:
            self._refuse(Problem(400, "this is not a request in HTTP/1.1"))

    def _should_upgrade(self) -> bool:
        """No WebSocket is served; who asks for one is answered as if not (RFC 9110, 7.8)."""
        return False

    def _refuse(self, problem: Problem) -> None:
        self._in_head = False
        request_id = new_request_id()
        response = problem_response(
            problem, request_id, {HEADER: request_id, "Connection": "close"}
        )
        head = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
        phrase = HTTPStatus(problem.status).phrase.encode()
        status = b"HTTP/1.1 %d %b\r\n" % (problem.status, phrase)
        self.transport.write(b"".join((status, head, b"\r\n", response.body)))
        self.transport.close()


def speak(around: Callable[[ASGIApp], ASGIApp]) -> None:
    """Have every uvicorn server that starts after this speak `BoundedHttp`, its app in `around`.

    uvicorn takes the protocol by name, and BentoML leaves no other way to choose one.
    """
    protocols: Any = auto
    protocols.AutoHTTPProtocol = partial(BoundedHttp, around)
