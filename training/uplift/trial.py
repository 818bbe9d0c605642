"""A randomised trial of contact: who was contacted, who was held out, and what became of them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature_contract import FeatureContract, Matrix
from training.families.glm import Vector

_FEWEST_OF_A_KIND = 10


class NoTrial(ValueError):
    """The rows are no randomised trial from which to learn; the message says why."""


@dataclass(frozen=True)
class Trial:
    """A randomised trial: one row per customer and campaign, all arrays as long as `X`."""

    X: Matrix
    """What was known before the contact, rows x features in the contract's order."""
    contract: FeatureContract
    customer_id: npt.NDArray[np.str_]
    cutoff: npt.NDArray[np.datetime64]
    """datetime64[us], UTC: the instant before which `X` was known."""
    treated: Vector
    """1.0 contacted, 0.0 held out."""
    chance: Vector
    """The chance with which the row was to be contacted, between 0 and 1."""
    outcome: Vector
    """1.0 for what is wanted (stayed, visited), else 0.0."""
    value: Vector
    """What the outcome is worth, in the currency; ones to count customers alike."""

    def __len__(self) -> int:
        return len(self.treated)

    @property
    def signed(self) -> Vector:
        """Weights under which the mean of an outcome is the effect of contact on it."""
        return (self.treated - self.chance) / (self.chance * (1.0 - self.chance))

    @property
    def weight(self) -> Vector:
        """One over the chance of the arm that the row is in."""
        return 1.0 / np.where(self.treated > 0, self.chance, 1.0 - self.chance)

    def rows(self, mask: npt.NDArray[Any]) -> "Trial":
        """The rows that `mask` (booleans or positions) picks, in its order."""
        return replace(
            self,
            X=self.X[mask],
            customer_id=self.customer_id[mask],
            cutoff=self.cutoff[mask],
            treated=self.treated[mask],
            chance=self.chance[mask],
            outcome=self.outcome[mask],
            value=self.value[mask],
        )


def require_trial(trial: Trial) -> None:
    """Raise NoTrial when an arm or an outcome is missing, or a number makes no sense."""
    for name, values in (("treated", trial.treated), ("outcome", trial.outcome)):
        odd = values[~np.isin(values, (0.0, 1.0))]
        if len(odd):
            raise NoTrial(f"{name} must be 0 or 1, got {odd[0]}; recode it before the trial")
    if len(bad := trial.value[~(np.isfinite(trial.value) & (trial.value >= 0))]):
        raise NoTrial(f"value must be a number of at least 0, got {bad[0]}")
    for arm, mask in (("contacted", trial.treated > 0), ("held out", trial.treated == 0)):
        wanted = int(trial.outcome[mask].sum())
        if min(wanted, int(mask.sum()) - wanted) < _FEWEST_OF_A_KIND:
            raise NoTrial(
                f"of {int(mask.sum())} customers {arm}, {wanted} had the outcome; at least "
                f"{_FEWEST_OF_A_KIND} with and {_FEWEST_OF_A_KIND} without are needed in each arm"
            )
    if len(odd := trial.chance[~((trial.chance > 0) & (trial.chance < 1))]):
        raise NoTrial(f"the chance of contact must be between 0 and 1, got {odd[0]}")
