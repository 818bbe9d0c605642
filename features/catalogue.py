"""The catalogue: every declared feature by name, free of any engine."""

from collections.abc import Mapping
from types import MappingProxyType

from features.baskets import BASKETS
from features.company_context import COMPANY_CONTEXT
from features.contact_channels import CONTACT_CHANNELS
from features.customers import CUSTOMERS, attribute_features
from features.declare import Feature
from features.frequency import FREQUENCY
from features.friction import FRICTION_FEATURES
from features.last_ticket import LAST_TICKET
from features.orders import RECENCY
from features.plans import PLANS
from features.repeat_contact import REPEAT_CONTACT
from features.satisfaction import SATISFACTION
from features.seasons import SEASONS
from features.service_levels import SERVICE_LEVELS
from features.service_outcomes import SERVICE_OUTCOMES
from features.service_times import SERVICE_TIMES
from features.spending import SPENDING
from features.subscriptions import SUBSCRIPTIONS
from features.support import SUPPORT
from features.survey_texts import SURVEY_TEXT_FEATURES
from features.surveys import SURVEYS
from features.ticket_texts import TICKET_TEXT_FEATURES
from features.usage import USAGE
from features.variety import REFUND_FEATURES, VARIETY

ALL: tuple[Feature, ...] = (
    *RECENCY,
    *FREQUENCY,
    *SEASONS,
    *SPENDING,
    *BASKETS,
    *VARIETY,
    *REFUND_FEATURES,
    *USAGE,
    *FRICTION_FEATURES,
    *SUBSCRIPTIONS,
    *PLANS,
    *SUPPORT,
    *CONTACT_CHANNELS,
    *REPEAT_CONTACT,
    *SERVICE_TIMES,
    *SERVICE_LEVELS,
    *SERVICE_OUTCOMES,
    *LAST_TICKET,
    *TICKET_TEXT_FEATURES,
    *SURVEYS,
    *SATISFACTION,
    *SURVEY_TEXT_FEATURES,
    *COMPANY_CONTEXT,
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
