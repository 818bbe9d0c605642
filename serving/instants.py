"""Instants as callers write them: ISO 8601 with a zone."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field


def _written(value: object) -> object:
    """The same; a number, which would be read as seconds since 1970, is refused."""
    if isinstance(value, datetime) or (isinstance(value, str) and re.match(r"\d{4}-", value)):
        return value
    raise ValueError("a time is a text with its zone, such as 2026-03-01T09:30:00+07:00")


Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written)]
"""A time that a caller gives, in JSON, a query or a file."""
