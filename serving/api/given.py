"""Features that come with a call: fitted to the model's contract, or told what does not fit."""

from collections.abc import Sequence
from difflib import get_close_matches

from features.feature_contract import FeatureContract, Matrix
from serving.api.schemas import CustomerFeatures

_NAMED = 5


def fault(contract: FeatureContract, given: CustomerFeatures) -> str | None:
    """What keeps these features from the model: names missing or unknown, or wrong kinds."""
    features = given.features
    wanted = {column.name: column.kind for column in contract.columns}
    missing = [name for name in wanted if name not in features]
    unknown = [_with_hint(name, missing or list(wanted)) for name in features if name not in wanted]
    kinds = [
        f"{name} ({'text' if kind == 'category' else 'a number'} or null)"
        for name, kind in wanted.items()
        if (value := features.get(name)) is not None
        and isinstance(value, str) != (kind == "category")
    ]
    found = {"missing": missing, "unknown": unknown, "of another kind": kinds}
    faults = [f"{what}: {_listed(names)}" for what, names in found.items() if names]
    return "; ".join(faults) or None


def encode_given(contract: FeatureContract, customers: Sequence[CustomerFeatures]) -> Matrix:
    """The customers' features as the model's matrix; every one must be without `fault`."""
    return contract.encode(
        {name: [given.features[name] for given in customers] for name in contract.names}
    )


def _with_hint(name: str, valid: Sequence[str]) -> str:
    close = get_close_matches(name, valid, 1)
    return f"{name} (did you mean {close[0]}?)" if close else name


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
