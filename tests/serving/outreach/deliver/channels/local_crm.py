"""HubSpot and Salesforce as their published APIs behave, on this machine."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from serving.outreach.deliver.channels.crm import FIELDS, WORDS
from serving.outreach.deliver.channels.salesforce import field_name

TOKEN = "right"
_NUMBERS = ("churn_risk", "clv", "value_at_risk")


@dataclass
class Reply:
    """An answer of a server."""

    status: int
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class LocalHubSpot:
    """An account: contacts by customer_id, and the properties that somebody created."""

    contacts: dict[str, dict[str, str]] = field(default_factory=dict)
    properties: set[str] = field(
        default_factory=lambda: {"customer_id", *(f"setia_{name}" for name in (*FIELDS, *WORDS))}
    )
    unwanted: set[str] = field(default_factory=set)
    """Customers whose record no value is good enough for."""
    part_by_part: bool = True
    """Whether one bad record fails alone (207) or with the whole call (400)."""
    tells_traces: bool = True
    instead: list[Reply] = field(default_factory=list)
    """Answers given first, whatever is asked."""
    calls: list[list[dict[str, Any]]] = field(default_factory=list)

    def __call__(self, method: str, path: str, token: str, body: Any) -> Reply:
        if (method, path) != ("POST", "/crm/objects/2026-03/contacts/batch/upsert"):
            return Reply(404)
        if token != f"Bearer {TOKEN}":
            return Reply(401, _hub_error("INVALID_AUTHENTICATION", "Authentication invalid"))
        inputs = body["inputs"]
        self.calls.append(inputs)
        if self.instead:
            return self.instead.pop(0)
        if complaint := self._complaint(inputs):
            return Reply(400, complaint)
        return self._written(inputs)

    def _complaint(self, inputs: list[dict[str, Any]]) -> dict[str, Any] | None:
        """What is wrong with the call as a whole."""
        ids = [one["id"] for one in inputs]
        if len(inputs) > 100 or len(set(ids)) < len(ids):
            return _hub_error("VALIDATION_ERROR", "too many inputs or duplicate ids")
        if any(one["idProperty"] != "customer_id" for one in inputs):
            text = "Unable to perform update/upsert by non-unique property"
            return _hub_error("VALIDATION_ERROR", text)
        for one in inputs:
            for name, value in one["properties"].items():
                assert isinstance(value, str)
                if name not in self.properties:
                    inner = (
                        f'"Property \\"{name}\\" does not exist","error":"PROPERTY_DOESNT_EXIST"'
                    )
                    text = f"Property values were not valid: [{{{inner}}}]"
                    return _hub_error("VALIDATION_ERROR", text)
        if not self.part_by_part and self.unwanted & set(ids):
            return _hub_error("VALIDATION_ERROR", "Property values were not valid")
        return None

    def _written(self, inputs: list[dict[str, Any]]) -> Reply:
        results, errors = [], []
        for one in inputs:
            trace = one["objectWriteTraceId"]
            if one["id"] in self.unwanted:
                named = {"objectWriteTraceId": [trace]} if self.tells_traces else {}
                errors.append(_hub_error("VALIDATION_ERROR", "not good enough", context=named))
                continue
            is_new = one["id"] not in self.contacts
            self.contacts.setdefault(one["id"], {}).update(one["properties"])
            told = {"objectWriteTraceId": trace} if self.tells_traces else {}
            results.append({"id": "512", "new": is_new, "properties": {}, **told})
        done = {"status": "COMPLETE", "results": results}
        if errors:
            return Reply(207, {**done, "errors": errors, "numErrors": len(errors)})
        return Reply(200, done)


@dataclass
class LocalSalesforce:
    """An organisation: records by external id, and the fields that somebody created."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: set[str] = field(
        default_factory=lambda: {field_name(name) for name in (*FIELDS, *WORDS)}
    )
    accepts: bool = True
    """Whether a token is accepted once it was given."""
    tokens: list[str] = field(default_factory=list)
    """Those given; the last is good."""
    locked: set[str] = field(default_factory=set)
    unwanted: set[str] = field(default_factory=set)
    instead: list[Reply] = field(default_factory=list)
    calls: list[list[dict[str, Any]]] = field(default_factory=list)

    def __call__(self, method: str, path: str, token: str, body: Any) -> Reply:
        if (method, path) == ("POST", "/services/oauth2/token"):
            return self._given(body)
        place = "/services/data/v62.0/composite/sobjects/Contact/Setia_Customer_Id__c"
        if (method, path) != ("PATCH", place):
            return Reply(404, [{"errorCode": "NOT_FOUND", "message": "no such resource"}])
        if not (self.tokens and token == f"Bearer {self.tokens[-1]}" and self.accepts):
            text = "Session expired or invalid"
            return Reply(401, [{"errorCode": "INVALID_SESSION_ID", "message": text}])
        records = body["records"]
        self.calls.append(records)
        if self.instead:
            return self.instead.pop(0)
        if len(records) > 200 or body["allOrNone"]:
            return Reply(400, [{"errorCode": "LIMIT_EXCEEDED", "message": "at most 200"}])
        return Reply(200, [self._written(one) for one in records])

    def _given(self, body: dict[str, str]) -> Reply:
        right = {"client_id": "app", "client_secret": TOKEN, "grant_type": "client_credentials"}
        if body != right:
            told = {"error": "invalid_client", "error_description": "invalid client credentials"}
            return Reply(400, told)
        self.tokens.append(f"token_{len(self.tokens)}")
        return Reply(200, {"access_token": self.tokens[-1], "token_type": "Bearer"})

    def _written(self, record: dict[str, Any]) -> dict[str, Any]:
        given = dict(record)
        assert given.pop("attributes") == {"type": "Contact"}
        customer_id = given.pop("Setia_Customer_Id__c")
        if unknown := sorted(given.keys() - self.fields):
            return _force_error("INVALID_FIELD", f"No such column '{unknown[0]}'", unknown)
        for name in _NUMBERS:
            assert isinstance(given.get(field_name(name), 0.0), float | None | int)
        if customer_id in self.locked:
            return _force_error("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access")
        if customer_id in self.unwanted:
            return _force_error("FIELD_CUSTOM_VALIDATION_EXCEPTION", "not this one")
        is_new = customer_id not in self.records
        self.records.setdefault(customer_id, {}).update(given)
        return {"id": "003xx", "success": True, "errors": [], "created": is_new}


def _hub_error(category: str, message: str, **more: Any) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": message, **more}


def _force_error(code: str, message: str, fields: Any = ()) -> dict[str, Any]:
    error = {"statusCode": code, "message": message, "fields": list(fields)}
    return {"success": False, "errors": [error]}


@contextmanager
def served(answer: Callable[[str, str, str, Any], Reply]) -> Iterator[str]:
    """Serve on a free port of this machine until left; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            body = dict(parse_qsl(text.decode())) if is_form else json.loads(text)
            reply = answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            if reply.status == 0:
                self.close_connection = True
                return
            text = b"" if reply.document is None else json.dumps(reply.document).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PATCH = do_POST  # noqa: N815

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
