"""A cutoff on the clocks that facts write time with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from features.aggregates import Source
from features.windows import day_number, shift_days

Clock = Literal["day", "second"]


@dataclass(frozen=True)
class Standpoint:
    """A cutoff as the facts write time: epoch seconds, or local day numbers."""

    cutoff: datetime
    zone: ZoneInfo

    def at(self, source: Source, days_before: int = 0) -> int:
        """The instant `days_before` calendar days before the cutoff, on the source's clock."""
        return self.on(source.clock, days_before)

    def on(self, clock: Clock, days_before: int = 0) -> int:
        """The same on a clock: the local day number, or epoch seconds."""
        if clock == "day":
            return day_number(self.cutoff, self.zone) - days_before
        return int(shift_days(self.cutoff, -days_before, self.zone).timestamp())
