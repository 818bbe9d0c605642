"""Live scoring: one customer's score from rows given in a call, equal to the nightly one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from features.config import ServingConfig, TableName
from features.feature_contract import FeatureMismatch, Matrix
from features.live.admission import Admission
from features.live.customer import LiveFeatures
from features.live.eligible import is_eligible, why_not
from features.live.rows import CustomerRows, History
from features.live.shape import CompanyShape
from features.windows import local_day, start_of_day
from serving.online import bundle_digest
from serving.scoring import Score, score_rows
from serving.served import NotReady, Served
from serving.tables import write_whole
from serving.when import score_timings
from training.bundle import Bundle

FILE = "live.json"

GivenRows = Mapping[TableName, Sequence[Mapping[str, Any]]]


class NotEligible(ValueError):
    """A customer about whom the model was never asked; the message says whom it knows."""


class LiveContext(BaseModel):
    """What one customer's rows cannot tell: how the company writes rows, and how it fares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle_digest: str
    cutoff: AwareDatetime
    """As of when the numbers hold."""
    shape: CompanyShape
    numbers: dict[str, float | None]
    """Numbers of the whole company, by the key under which features draw on them."""


def write_live_context(folder: Path, context: LiveContext) -> None:
    """Write the context beside the scores; it appears whole."""
    write_whole(folder / FILE, context.model_dump_json().encode())


class LiveScorer:
    """One bundle with the company it stands in, ready for call after call."""

    def __init__(self, bundle: Bundle, context: LiveContext) -> None:
        """Compile the bundle's features. Raises FeatureMismatch when they are not today's."""
        self.context = context
        self._bundle = bundle
        self._admit = Admission(context.shape)
        self._live = LiveFeatures(bundle.contract, context.shape.zone)

    def admit(self, customer_id: str, given: GivenRows, now: datetime) -> CustomerRows:
        """The rows as the snapshot would hold them; RowsRefused when some break the contract."""
        return self._admit(customer_id, given, now)

    def cutoff(self, as_of: datetime) -> datetime:
        """The start of the local day that follows `as_of`, or `as_of` where a day starts.

        Orders and usage are counted by whole local days, so all of today counts today.
        """
        zone = self.context.shape.zone
        day = local_day(as_of, zone)
        start = start_of_day(day, zone)
        return start if start == as_of else start_of_day(day + timedelta(days=1), zone)

    def features(self, rows: CustomerRows, cutoff: datetime) -> Matrix:
        """The customer's encoded feature row, one row by features."""
        values = self._live(rows, cutoff, self.context.numbers)
        return self._bundle.contract.encode({name: [value] for name, value in values.items()})

    def score(
        self,
        customer_id: str,
        rows: CustomerRows,
        cutoff: datetime,
        serving: ServingConfig,
        *,
        explain: bool,
    ) -> Score:
        """The customer's score at `cutoff`; NotEligible for one the nightly run would leave out."""
        X = self._eligible(rows, cutoff)
        return score_rows(self._bundle, [customer_id], X, cutoff, serving, explain=explain)[0]

    def score_in_time(
        self, customer_id: str, rows: CustomerRows, cutoff: datetime, serving: ServingConfig
    ) -> tuple[Score, dict[str, Any]]:
        """The score with its reasons, and its `score_timings`; NotEligible as for `score`."""
        X = self._eligible(rows, cutoff)
        score = score_rows(self._bundle, [customer_id], X, cutoff, serving)[0]
        return score, score_timings(self._bundle, [score], X, serving.language)[0]

    def _eligible(self, rows: CustomerRows, cutoff: datetime) -> Matrix:
        shape = self.context.shape
        if not is_eligible(History(rows, cutoff, shape.zone), cutoff, shape):
            raise NotEligible(why_not(shape.churn))
        return self.features(rows, cutoff)


class LiveShelf:
    """Holds the scorer of what is served now, and takes up newer numbers of the company.

    While a new scoring run and a new bundle are on their way, the ones that fit stay.
    """

    def __init__(self, workspace: Path) -> None:
        self._path = workspace / "scores" / FILE
        self._taken: tuple[Bundle, int, LiveScorer] | None = None

    def scorer(self, served: Served) -> LiveScorer:
        """The scorer of the bundle in `served`; NotReady when no scoring run left its numbers."""
        written, taken = self._written(), self._taken
        if taken and taken[0] is served.bundle and taken[1] == written:
            return taken[2]
        context = self._read()
        if context and context.bundle_digest == bundle_digest(served.bundle):
            self._taken = (served.bundle, written, _scorer(served.bundle, context))
            return self._taken[2]
        if taken and taken[0] is served.bundle:
            return taken[2]
        raise NotReady("the last scoring run left nothing to score live with; run `setia score`")

    def _written(self) -> int:
        return self._path.stat().st_mtime_ns if self._path.exists() else 0

    def _read(self) -> LiveContext | None:
        try:
            return LiveContext.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return None


def _scorer(bundle: Bundle, context: LiveContext) -> LiveScorer:
    try:
        return LiveScorer(bundle, context)
    except FeatureMismatch as error:
        raise NotReady(f"the bundle was trained with another Setia: {error}") from None
