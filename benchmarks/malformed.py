"""Requests that must be refused: valid ones with something broken in body, head or path."""

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JSON = "Content-Type: application/json"
POSTS = ("/v1/scores", "/v1/scores/live", "/v1/events")
GETS = ("/v1/at-risk", "/v1/at-risk/export", "/v1/models", "/v1/customers/C0000001")
_LATE = "2999-01-01T00:00:00+07:00"
_ROWS: dict[str, Any] = {
    "orders": [{"ordered_at": "2026-05-04T10:15:00+07:00", "amount": 20}],
    "events": [{"occurred_at": "2026-05-05", "event": "login"}],
    "tickets": [{"ticket_id": "T-1", "opened_at": "2026-06-20T08:00:00+07:00"}],
    "surveys": [{"kind": "csat", "answered_at": "2026-06-21", "score": 2}],
}
_WRONG: tuple[Any, ...] = (
    *({}, [], [[]], True, "", "x" * 10_241, -1e300, 1e9, _LATE, "0000-00-00", "\x00"),
    *("not a time", "2026-13-45", {"a": {"b": {"c": []}}}, float("nan"), float("inf")),
)
"""Values that fit no member of a row; those that fit one by chance are tried elsewhere."""
_BROKEN_TEXTS: tuple[bytes, ...] = (
    *(b"", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"nul", b'"', b"\xff\xfe{}", b"\x00"),
    *(b'{"customer_id": "a"', b"{'customer_id': 'a'}", b"customer_id=a", b"<a/>", b"1e999", b"{}}"),
    *(b'{"customer_id": "\\ud800"}', b'{"customer_id": "\xc3\x28"}', b"\x1f\x8b\x08\x00", b"[]"),
)
_KINDS = ("text/plain", "text/csv", "application/xml", "multipart/form-data", "json", "")
_PATHS = (
    *("/v1/../../etc/passwd", "/v1/customers/../../x", "/v1/customers/%2e%2e%2fsetia.db"),
    *("//v1//at-risk", "/v1/at-risk/", "/v1/customers/a%00b", "/v1/customers/", "/V1/SCORES"),
    *("/v1/customers/" + "a" * 10_240, "/v1/" + "a" * 70_000, "/%", "/v1/customers/%ff%fe"),
    *("/v1/customers/a/../b/c", "/./v1/at-risk", "/v1/at-risk;x", "*", "/v1/\\..\\x", "/docs"),
    *("/v1/at-risk?limit=0", "/v1/at-risk?limit=1e3", "/v1/at-risk?min_value=nan"),
    *(
        "/v1/at-risk?tier=%0d%0aX:y",
        "/v1/at-risk?cursor=..%2f",
        "/v1/at-risk?cursor=" + "a" * 9_999,
    ),
    *("/v1/at-risk/export?format=exe", "/v1/at-risk?a=" + "b" * 70_000, "/v1/at-risk?limit=1&x=1"),
)
_VERBS = ("PUT", "PATCH", "TRACE", "CONNECT", "BREW", "get", "", "PROPFIND", "A" * 300)
_HEADS: tuple[str, ...] = (
    *("Host: other", "Authorization: Bearer x", "X-A: \x00", "X-A: " + "b" * 400_000),
    *("\r\n".join(["X-A: b"] * 40_000), "Content-Length: -1", "Content-Length: 1, 2"),
    *("Content-Length: 99999999999999999999", "Transfer-Encoding: gzip", ": empty", "no colon"),
    *("X-A: b\r\n folded", " : ", "Content-Length: 104857600", "Content-Length: 0x10"),
    *("Transfer-Encoding: chunked\r\nContent-Length: 4", "X\x7f: a", "X-Request-Id: a\rb"),
)
_CHUNKS = (
    b"zz\r\n{}\r\n",
    b"2\r\n{}\r\nq\r\n",
    b"-1\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n",
    b"2\r\n{}}\r\n",
)


@dataclass(frozen=True)
class Malformed:
    """One request that must be refused: what is wrong with it, and its bytes."""

    kind: str
    message: bytes


class Malformer:
    """Malformed requests with the key `token`, the same for the same seed."""

    def __init__(self, token: str, seed: int) -> None:
        self._key = f"Authorization: Bearer {token}"
        self._rng = random.Random(seed)  # noqa: S311 - a repeatable choice, no secret

    def requests(self, count: int) -> Iterator[Malformed]:
        """So many, of every kind in turn."""
        kinds: Mapping[str, Callable[[], bytes]] = {
            "value": self._value,
            "member": self._member,
            "text": self._text,
            "media type": self._media_type,
            "path": self._path,
            "verb": self._verb,
            "head": self._head,
            "chunks": self._chunks,
            "bytes": self._bytes,
            "key": self._no_key,
        }
        names = list(kinds)
        for place in range(count):
            name = names[place % len(names)]
            yield Malformed(name, kinds[name]())

    def _value(self) -> bytes:
        """A valid body in which one value of one row, or a whole member, does not fit."""
        path, body = self._valid()
        table = self._rng.choice([name for name in body if isinstance(body[name], list)])
        if path == POSTS[0]:
            body[table] = [self._rng.choice(({}, 7, None, "", "x" * 10_240, ["a"]))]
            return self._post(path, _dumped(body))
        row = body[table][0]
        name, wrong = self._rng.choice(list(row)), self._rng.choice(_WRONG)
        row[name] = [wrong] if _fits(name, wrong) else wrong
        return self._post(path, _dumped(body))

    def _member(self) -> bytes:
        """A valid body with a member too many, too few or of another kind."""
        path, body = self._valid()
        way = self._rng.randrange(3)
        if way == 0:
            body[self._rng.choice(("x", "", "customer_ID", "__proto__", "a" * 5_000))] = 1
        elif way == 1:
            body = {"explain": True}
        else:
            body[self._rng.choice(list(body))] = self._rng.choice((7, {}, 1.5, {"a": []}))
        return self._post(path, _dumped(body))

    def _text(self) -> bytes:
        """A body that is no JSON object, or cut, or with a byte changed into none of UTF-8."""
        path, body = self._valid()
        whole = _dumped(body)
        cut = whole[: self._rng.randrange(len(whole))]
        place = self._rng.randrange(len(whole))
        odd = whole[:place] + b"\xff" + whole[place + 1 :]
        return self._post(path, self._rng.choice((cut, odd, self._rng.choice(_BROKEN_TEXTS))))

    def _media_type(self) -> bytes:
        path, body = self._valid()
        return self._post(path, _dumped(body), f"Content-Type: {self._rng.choice(_KINDS)}")

    def _path(self) -> bytes:
        return self._said("GET", self._rng.choice(_PATHS))

    def _verb(self) -> bytes:
        return self._said(self._rng.choice(_VERBS), self._rng.choice((*POSTS, *GETS)))

    def _head(self) -> bytes:
        path, body = self._valid()
        return self._post(path, _dumped(body), JSON, self._rng.choice(_HEADS))

    def _chunks(self) -> bytes:
        head = self._said("POST", self._rng.choice(POSTS), JSON, "Transfer-Encoding: chunked")
        return head + self._rng.choice(_CHUNKS)

    def _bytes(self) -> bytes:
        return self._rng.randbytes(self._rng.randrange(1, 400)) + b"\r\n\r\n"

    def _no_key(self) -> bytes:
        """No key, or one that was never made."""
        given = self._rng.choice(
            (
                *("X-A: b", "Authorization:", "Authorization: Basic YTpi"),
                *("Authorization: Bearer \xff", f"Authorization: Bearer setia_{'0' * 12}_"),
                *(f"Authorization: Bearer setia_{'0' * 12}_{'a' * size}" for size in (43, 9_999)),
            )
        )
        path = self._rng.choice(GETS)
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{given}\r\n\r\n".encode("latin-1")

    def _valid(self) -> tuple[str, dict[str, Any]]:
        path = self._rng.choice(POSTS)
        if path == POSTS[0]:
            return path, {"customer_ids": ["C0000001"], "explain": False}
        return path, {"customer_id": "C0000001", **copy.deepcopy(_ROWS)}

    def _post(self, path: str, body: bytes, *headers: str) -> bytes:
        sized = (*(headers or (JSON,)), f"Content-Length: {len(body)}")
        return self._said("POST", path, *sized) + body

    def _said(self, method: str, path: str, *headers: str) -> bytes:
        lines = (f"{method} {path} HTTP/1.1", "Host: localhost", self._key, *headers, "", "")
        return "\r\n".join(lines).encode("latin-1")


def _fits(name: str, value: Any) -> bool:
    """Whether the value might be taken: an id or a text of any spelling, or a missing value."""
    if name == "event" or name.endswith("_id"):
        return isinstance(value, str)
    return value == "" or (name == "amount" and value is True)


def _dumped(body: Mapping[str, Any]) -> bytes:
    """JSON, with NaN and Infinity as programs write them."""
    return json.dumps(body).encode()
