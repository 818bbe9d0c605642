"""What the API takes and gives: strict requests, documented answers."""

import sys
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from serving.scoring import RiskTier

_LARGEST = sys.float_info.max
MOST_CUSTOMERS = 10_000
MOST_EXPLAINED = 500
"""Customers with features whose reasons one call may ask for; each costs milliseconds."""


def _finite_or_text(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    # A bool is an int to Python, and an int may be too large for a float; inf and NaN fail too.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return value
    raise ValueError("a feature is a finite number, text or null")


CustomerId = Annotated[str, Field(min_length=1, max_length=200)]
FeatureValue = Annotated[float | str | None, BeforeValidator(_finite_or_text)]


class Request(BaseModel):
    """A request body: no unknown members, no conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CustomerFeatures(Request):
    """A customer with the model's features, every one named; null where it is not known."""

    customer_id: CustomerId
    features: dict[str, FeatureValue]


_ONE_OF_BOTH: dict[str, JsonValue] = {
    "examples": [{"customer_ids": ["C0000001"], "explain": False}],
    "oneOf": [
        {
            "required": ["customer_ids"],
            "properties": {"customer_ids": {"type": "array"}, "customers": {"type": "null"}},
        },
        {
            "required": ["customers"],
            "properties": {"customers": {"type": "array"}, "customer_ids": {"type": "null"}},
            "anyOf": [
                {"properties": {"customers": {"maxItems": MOST_EXPLAINED}}},
                {"properties": {"explain": {"const": False}}, "required": ["explain"]},
            ],
        },
    ],
}
"""What `ScoresRequest` checks, as the OpenAPI document says it, and an example."""


class ScoresRequest(Request):
    """Customers to score: known ones by id, or any by their features."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_BOTH)

    customer_ids: Annotated[list[CustomerId], Field(max_length=MOST_CUSTOMERS)] | None = None
    customers: Annotated[list[CustomerFeatures], Field(max_length=MOST_CUSTOMERS)] | None = None
    explain: bool = True
    """Whether to add reasons and the next step."""
    repredict: bool = False
    """Whether to predict again from the stored feature rows; the answer is the same."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "ScoresRequest":
        if (self.customer_ids is None) == (self.customers is None):
            raise ValueError("give either customer_ids or customers, not both and not neither")
        if self.explain and self.customers and len(self.customers) > MOST_EXPLAINED:
            raise ValueError(
                f"reasons are given for at most {MOST_EXPLAINED} customers with features a call; "
                "send fewer, or explain=false"
            )
        return self


class Origin(BaseModel):
    """Said with every answer: which model spoke, as of when, about what money."""

    cutoff: datetime | None
    """The instant the scores look forward from; null when the features came with the call."""
    as_of: datetime | None
    """When the scores were made; null when the features came with the call."""
    stale: bool
    """True when that is longer ago than `serving.stale_after_days`."""
    model_version: str
    currency: str
    generated: bool
    """True when the company is generated, not real."""


class ReasonAnswer(BaseModel):
    """One business theme's part in the risk."""

    theme: str
    feature: str
    value: float | str | None
    """The customer's value of the feature, of which `text` tells; null where it is not known."""
    effect: Literal["raises", "lowers"]
    text: str
    actionable: bool
    log_odds: float


class LiveOrigin(BaseModel):
    """Where a live score comes from, and as of when it holds."""

    cause: str
    """What arrived and led to it, such as `1 tickets`."""
    model_version: str
    cutoff: datetime
    as_of: datetime
    """When it was made."""
    stale: bool
    """True when that, or the scoring run beneath it, is longer ago than a score may be."""


class ScoreAnswer(BaseModel):
    """One customer's score; money in the answer's currency, the CLV interval at 90 %."""

    customer_id: str
    churn_probability: float
    clv: float | None
    clv_low: float | None
    clv_high: float | None
    expected_orders: float | None
    value_at_risk: float
    risk_tier: RiskTier
    act_by: date | None
    """The local date by which to act; null when the features came with the call."""
    score_id: str | None
    """Null for a score that is not kept: of features or rows that came with the call."""
    live: LiveOrigin | None
    """Said where a live score stands in place of the scoring run's, which is older."""
    reasons: list[ReasonAnswer]
    next_step: str | None


class ItemError(BaseModel):
    """Why one customer of a call has no score."""

    code: Literal["unknown_customer", "features_do_not_fit"]
    detail: str


class FailedItem(BaseModel):
    """A customer of the call without a score."""

    customer_id: str
    error: ItemError


class ScoresAnswer(Origin):
    """One result for each customer asked about, in the order asked."""

    results: list[ScoreAnswer | FailedItem]
    scored: int
    failed: int


class RankedScore(ScoreAnswer):
    """A score and its place in the at-risk list."""

    rank: int


class CurvePoint(BaseModel):
    """Probability of churn within so many days of the cutoff."""

    days: int
    churn_probability: float


class CustomerScore(ScoreAnswer):
    """A score with what it means in time."""

    rank: int | None
    """Place in the at-risk list; null for a customer whom only a live score knows."""
    act_by_meaning: str | None
    """What the act-by date says, in the language of the scores."""
    churn_curve: list[CurvePoint]
    """From 7 to 180 days; it meets `churn_probability` at the churn horizon."""


class PastScore(BaseModel):
    """One score of a customer's history."""

    score_id: str
    as_of: datetime
    """When it was made."""
    cause: str
    """`scoring run`, or what arrived and led to it."""
    churn_probability: float
    value_at_risk: float
    event: Literal["customer.at_risk", "customer.recovered"] | None
    """What it changed, if it crossed the limit of high risk."""


class MessageAnswer(BaseModel):
    """A message that a decision led to."""

    id: str
    endpoint: str
    state: str
    """pending, sending, delivered, expired, suppressed, dead or unknown."""
    created_at: datetime
    attempts: int
    settled_at: datetime | None


class DecisionAnswer(BaseModel):
    """What a plan decided about the customer; gain and cost in the answer's currency."""

    id: str
    decided_at: datetime
    programme: str
    action: str
    reason: str
    channel: str | None
    step: str | None
    note: str | None
    expected_gain: float | None
    cost: float | None
    message: MessageAnswer | None


class CustomerAnswer(Origin):
    """One customer by the newest score there is."""

    customer: CustomerScore
    history: list[PastScore] | None
    """The scores over time, the newest first, at most 200; null unless included."""
    decisions: list[DecisionAnswer] | None
    """What outreach decided, the newest first, at most 200; null unless included."""


class AtRiskAnswer(Origin):
    """A page of the at-risk list, the highest value at risk first."""

    customers: list[RankedScore]
    next_cursor: str | None
    """Give it as `cursor` to read on; null on the last page."""


class ModelAnswer(Origin):
    """The champion that answers now."""

    name: str
    created_at: datetime
    trained_on: list[datetime]
    """The cutoffs the models were fitted on."""
    churn_horizon_days: int
    clv_horizon_days: int | None
    contract_hash: str
    code_revision: str
    data_fingerprint: str
    features: list[str]
    customers: int
    scored_at: datetime
    card: str
    """The model card, in Markdown."""


class ModelsAnswer(BaseModel):
    """The models this service answers from."""

    champion: ModelAnswer
    refused: str | None
    """Why newer files are not served yet and these are still; null when none wait."""
