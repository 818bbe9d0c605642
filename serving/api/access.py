"""Who may ask for what: API keys and their scopes, checked before a body is read."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from hmac import compare_digest

from starlette.types import Scope as AsgiScope

from serving.api.limits import Headers, Limits
from serving.api.problems import Problem
from serving.database import Database, DatabaseError
from serving.keys import SCOPES, ApiKey, Scope, list_keys, note_used, token_digest, token_id
from serving.outreach.opt_out import PATH as SIGNED_LINKS

SIGNED = "/v1/outcomes/signed"
"""Where a signature takes the place of a key."""
OPEN_PATHS = frozenset(
    {"/", "/healthz", "/livez", "/readyz", "/metrics", "/v1/openapi.json", SIGNED}
)

_ADMIN: frozenset[Scope] = frozenset({"admin"})
_ENOUGH: dict[str, frozenset[Scope]] = {
    "scores": frozenset({"score", "admin"}),
    "events": frozenset({"score", "admin"}),
    "customers": frozenset({"score", "admin"}),
    "at-risk": frozenset({"list", "admin"}),
    "outcomes": frozenset({"outreach", "admin"}),
    "outreach": frozenset({"outreach", "admin"}),
    "models": frozenset(SCOPES),
}
"""By the path's part after /v1/: the scopes of which one is needed."""

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_LOOPBACK_NAMES = frozenset({b"127.0.0.1", b"localhost", b"[::1]"})
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"via"})
_NO_DIGEST = "0" * 64
_NOTE_EVERY = timedelta(minutes=1)

_log = logging.getLogger("setia.serving")


def is_open(path: str) -> bool:
    """Whether a path asks for no key."""
    return path in OPEN_PATHS or path.startswith(SIGNED_LINKS)


def scopes_enough(method: str, path: str) -> frozenset[Scope]:
    """The scopes of which a key needs one; what is not listed, and erasure, needs admin."""
    parts = path.split("/", 3)
    if method == "DELETE" or len(parts) < 3 or parts[1] != "v1":
        return _ADMIN
    return _ENOUGH.get(parts[2], _ADMIN)


class KeyRing:
    """The keys as last read from the database: checking one costs no query.

    Once a key was seen, keys stay required until the worker ends, also when the database is lost.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys: dict[str, ApiKey] = {}
        self._used: dict[str, datetime] = {}
        self._noted_at = datetime.min.replace(tzinfo=UTC)
        self.readable = False
        self.required = False

    def refresh(self) -> None:
        """Read the keys again, and once a minute store which were used."""
        try:
            self._read()
            if self._used and datetime.now(UTC) - self._noted_at >= _NOTE_EVERY:
                self._note_used()
        except DatabaseError as error:
            _log.warning("API keys cannot be read, those known so far still hold: %s", error)

    def close(self) -> None:
        """Store, when the worker ends, which keys were used."""
        try:
            self._note_used()
        except DatabaseError as error:
            _log.warning("when API keys were last used cannot be stored: %s", error)

    def holder(self, token: str, now: datetime) -> ApiKey | None:
        """The active key that `token` is, compared in constant time."""
        known = self._keys.get(token_id(token) or "")
        digest = known.digest if known else _NO_DIGEST
        same = compare_digest(token_digest(token), digest)
        if not same or known is None or known.state(now) != "active":
            return None
        self._used[known.id] = now
        return known

    def _note_used(self) -> None:
        used, self._used = self._used, {}
        if used:
            note_used(self._database, used)
            self._noted_at = datetime.now(UTC)

    def _read(self) -> None:
        keys = list_keys(self._database) if self._database.exists else []
        if keys or not self.required:
            self._keys = {key.id: key for key in keys}
        self.required = self.required or bool(keys)
        self.readable = True


class Access:
    """Admits a request by its key, or without one while no key exists and it is local."""

    def __init__(self, database: Database) -> None:
        self.ring = KeyRing(database)
        self._limits = Limits(database)

    async def admit(self, scope: AsgiScope) -> Headers:
        """Let the request pass and give the headers of its answer.

        Leaves the key in `scope["setia.key"]`. Raises Problem 401 without an active key, 403
        when its scopes are not enough, 429 over its limit and 503 while keys cannot be read.
        """
        if is_open(scope["path"]):
            return []
        authorization = _header(scope, b"authorization")
        if not self.ring.required and self.ring.readable and _is_local(scope):
            return []
        if not self.ring.readable:
            raise Problem(503, "the API keys cannot be read; try again soon", slug="keys-unknown")
        key = self._holder(authorization)
        scope["setia.key"] = key
        enough = scopes_enough(scope["method"], scope["path"])
        if not enough & key.scopes:
            raise _forbidden(enough)
        return await self._limits.take(key)

    def _holder(self, authorization: bytes | None) -> ApiKey:
        if authorization is None:
            raise _unauthorised('Bearer realm="setia"')
        kind, _, token = authorization.decode("latin-1").partition(" ")
        held = self.ring.holder(token.strip(), datetime.now(UTC))
        if held is None or kind.lower() != "bearer":
            raise _unauthorised('Bearer realm="setia", error="invalid_token"')
        return held


def _header(scope: AsgiScope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None


def _is_local(scope: AsgiScope) -> bool:
    """Whether the request came in by the loopback, and from no proxy or foreign page.

    A proxy on this machine also connects by the loopback, and a page whose name was made to lead
    here (DNS rebinding) sends that name.
    """
    host, _ = scope.get("server") or ("", None)
    name = (_header(scope, b"host") or b"").lower()
    bare = name[: name.rfind(b"]") + 1] if name.startswith(b"[") else name.partition(b":")[0]
    forwarded = any(header in _FORWARDED for header, _ in scope["headers"])
    return host in _LOOPBACK and bare in _LOOPBACK_NAMES and not forwarded


def _unauthorised(challenge: str) -> Problem:
    return Problem(
        401,
        "send Authorization: Bearer and an API key that is neither revoked nor expired; "
        "`setia keys create` makes one",
        slug="unauthorised",
        headers={"WWW-Authenticate": challenge},
    )


def _forbidden(enough: Collection[Scope]) -> Problem:
    wanted = " or ".join(scope for scope in SCOPES if scope in enough)
    challenge = f'Bearer realm="setia", error="insufficient_scope", scope="{_least(enough)}"'
    return Problem(
        403,
        f"this needs a key with the scope {wanted}",
        slug="scope",
        headers={"WWW-Authenticate": challenge},
    )


def _least(enough: Collection[Scope]) -> Scope:
    return next(scope for scope in SCOPES if scope in enough)
