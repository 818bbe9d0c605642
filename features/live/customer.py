"""Features of one customer from the rows given in a call, without an engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Literal
from zoneinfo import ZoneInfo

from features.aggregates import aggregates
from features.catalogue import CATALOGUE
from features.compile import company_numbers_of, sources_of
from features.customers import attribute_features, attribute_named
from features.declare import Feature
from features.feature_contract import FeatureContract, FeatureMismatch
from features.live.company import number_key
from features.live.facts import FACTS
from features.live.formulas import reading
from features.live.kinds import Edges
from features.live.people import attribute_facts
from features.live.rows import CustomerRows, History
from features.live.visible import Visible, question
from features.standpoint import Clock, Standpoint
from features.windows import CutoffError, local_day, start_of_day


class LiveFeatures:
    """A contract's features of one customer, compiled once and then asked call by call."""

    def __init__(self, contract: FeatureContract, zone: ZoneInfo) -> None:
        """Compile the features of `contract`; calendar days are those of `zone`.

        Raises FeatureMismatch when one is not declared as it was for the contract.
        """
        attributes = _attributes(contract)
        features = _declared(contract, attribute_features(attributes))
        parts = dict.fromkeys(part for each in features for part in aggregates(each.formula))
        own = [part for part in parts if part.scope == "customer"]
        numbers = company_numbers_of(features)
        places = {each: place for place, each in enumerate([*own, *numbers])}
        self._questions = [question(part) for part in own]
        self._company = [number_key(number) for number in numbers]
        self._readings = {each.name: reading(each.formula, places) for each in features}
        hand_on = partial(attribute_facts, names=list(attributes))
        self._facts = {source: FACTS.get(source, hand_on) for source in sources_of(features)}
        self._zone = zone

    @property
    def company_numbers(self) -> Sequence[str]:
        """Keys of the numbers of the whole company that a call must be given."""
        return tuple(self._company)

    def __call__(
        self, rows: CustomerRows, cutoff: datetime, company: Mapping[str, float | None]
    ) -> dict[str, float | str | None]:
        """Each feature of the customer whose canonical `rows` these are, as known at `cutoff`.

        Equal to the customer's row of the feature table. For a score as of now, the cutoff is
        the start of tomorrow, so that today counts. `company` has the numbers saved at scoring.

        Raises CutoffError when `cutoff` is not the start of a local day, and FeatureMismatch
        when a number of the company is missing.
        """
        history = History(rows, cutoff, self._zone)
        edges = _edges(cutoff, self._zone)
        seen = {
            source: Visible(source, roll(history), edges[source.clock])
            for source, roll in self._facts.items()
        }
        answers = [seen[asked.part.source].answer(asked) for asked in self._questions]
        answers += _given(self._company, company)
        return {name: value(answers) for name, value in self._readings.items()}


def _attributes(contract: FeatureContract) -> dict[str, Literal["numeric", "category"]]:
    """Attribute to its kind, for the contract's columns that hand attributes on."""
    return {
        attribute_named(column.name): column.kind
        for column in contract.columns
        if column.name not in CATALOGUE and column.name.startswith("customers_")
    }


def _declared(contract: FeatureContract, of_attributes: Sequence[Feature]) -> list[Feature]:
    """The declarations behind the contract's columns, in their order."""
    named = {**CATALOGUE, **{each.name: each for each in of_attributes}}
    # An attribute's definition names all others, and a model may have been fitted on a few.
    changed = [
        column.name
        for column in contract.columns
        if column.name not in named
        or (column.name in CATALOGUE and named[column.name].definition != column.definition)
    ]
    if changed:
        raise FeatureMismatch(
            f"{len(changed)} features of the contract are not declared as they were "
            f"(first: {changed[0]!r}); retrain with this version"
        )
    return [named[name] for name in contract.names]


def _given(keys: Sequence[str], company: Mapping[str, float | None]) -> list[float | None]:
    missing = [key for key in keys if key not in company]
    if missing:
        raise FeatureMismatch(
            f"{len(missing)} numbers of the company are missing (first: {missing[0]!r}); "
            "score the company again with this version"
        )
    return [company[key] for key in keys]


@lru_cache(maxsize=8)
def _edges(cutoff: datetime, zone: ZoneInfo) -> dict[Clock, Edges]:
    """The windows' edges on both clocks; kept, since the calls of a day share a cutoff."""
    start = start_of_day(local_day(cutoff, zone), zone)
    if start != cutoff:
        raise CutoffError(
            f"cutoff {cutoff.isoformat()} is not the start of a day in {zone.key}; "
            f"use {start.isoformat()}"
        )
    stand = Standpoint(cutoff, zone)
    return {"day": Edges(stand, "day"), "second": Edges(stand, "second")}
