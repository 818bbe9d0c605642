"""The catalogue: every declared feature by name, free of any engine."""

from collections.abc import Mapping
from types import MappingProxyType

from features.customers import CUSTOMERS, attribute_features
from features.declare import Feature
from features.frequency import FREQUENCY
from features.orders import RECENCY
from features.service_outcomes import SERVICE_OUTCOMES
from features.service_times import SERVICE_TIMES
from features.spending import SPENDING
from features.subscriptions import SUBSCRIPTIONS
from features.support import SUPPORT
from features.surveys import SURVEYS
from features.usage import USAGE
from features.variety import REFUND_FEATURES, VARIETY

ALL: tuple[Feature, ...] = (
    *RECENCY,
    *FREQUENCY,
    *SPENDING,
    *VARIETY,
    *REFUND_FEATURES,
    *USAGE,
    *SUBSCRIPTIONS,
    *SUPPORT,
    *SERVICE_TIMES,
    *SERVICE_OUTCOMES,
    *SURVEYS,
    *CUSTOMERS,
)

CATALOGUE: Mapping[str, Feature] = MappingProxyType({feature.name: feature for feature in ALL})
"""Feature name to declaration, in the order of the feature table."""

_ATTRIBUTE = "customers_"


def feature_named(name: str) -> Feature:
    """The declaration of `name`; `customers_<attribute>` is any attribute of a customer.

    Raises KeyError for a name that no declaration can give.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if not name.startswith(_ATTRIBUTE):
        raise KeyError(f"no feature {name!r} in the catalogue; retrain with this version")
    return attribute_features({name.removeprefix(_ATTRIBUTE): "numeric"})[0]
