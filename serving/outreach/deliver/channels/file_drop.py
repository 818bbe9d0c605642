"""Messages as CSV files in a folder, for whatever picks them up."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.outreach.message import Message, Receipt
from serving.outreach.words.playbook import Playbook, PlaybookError
from serving.scoring import utc_text
from serving.tables import csv_text, write_whole

_FROM_PAYLOAD = (
    "decision_id",
    "programme",
    "channel",
    "step",
    "language",
    "churn_probability",
    "risk_tier",
    "clv",
    "value_at_risk",
    "currency",
    "next_step",
    "score_as_of",
    "model_version",
    "not_after",
    "generated",
)
_REASONS = ("reason_1", "reason_2", "reason_3")
COLUMNS = (
    "message_id",
    "sequence",
    "type",
    "created_at",
    "customer_id",
    *_FROM_PAYLOAD,
    *_REASONS,
    "subject",
    "text",
)
"""The files' columns; those that a message does not have are empty."""


class FileDrop:
    """Writes each delivery as one CSV file, readable by the owner alone."""

    most_at_once = 5_000
    in_flight = 1
    repeatable = True

    def __init__(self, folder: Path, playbook: Playbook) -> None:
        self._folder = folder
        self._playbook = playbook

    def send(self, messages: Sequence[Message], now: datetime) -> list[Receipt]:  # noqa: ARG002
        """Write one file with a row for each message whose text can be written.

        Its name comes from the first message's time and id, so that the same delivery made again
        takes the place of the file. A message may be in two files when an attempt was cut off
        and its messages then left in other company: readers drop a message_id they have seen.
        """
        rows: list[dict[str, Any]] = []
        receipts: list[Receipt] = []
        for message in messages:
            try:
                rows.append(self._row(message))
                receipts.append(Receipt("delivered"))
            except PlaybookError as error:
                receipts.append(Receipt("retry", str(error)))
        if not rows:
            return receipts
        path = self._folder / _name(rows[0])
        try:
            write_whole(path, csv_text(COLUMNS, rows).encode(), mode=0o600)
        except OSError as error:
            return [Receipt("retry", f"{path}: {error.strerror}")] * len(messages)
        return list(_named(receipts, path))

    def close(self) -> None:
        """Nothing is held open."""

    def _row(self, message: Message) -> dict[str, Any]:
        payload = message.payload
        reasons = [reason["text"] for reason in payload.get("reasons", ())] + [None] * len(_REASONS)
        words = self._playbook.words(payload) if message.type == "outreach.contact" else None
        return {
            "message_id": message.id,
            "sequence": message.sequence,
            "type": message.type,
            "created_at": utc_text(message.created_at),
            "customer_id": message.customer_id,
            **{name: payload.get(name) for name in _FROM_PAYLOAD},
            **dict(zip(_REASONS, reasons, strict=False)),
            "subject": words and words.subject,
            "text": words and words.text,
        }


def _name(row: dict[str, Any]) -> str:
    created = datetime.fromisoformat(row["created_at"]).astimezone(UTC)
    return f"setia-{created:%Y%m%dT%H%M%SZ}-{row['message_id']}.csv"


def _named(receipts: Sequence[Receipt], path: Path) -> Iterator[Receipt]:
    for receipt in receipts:
        yield Receipt("delivered", path.name) if receipt.verdict == "delivered" else receipt
