"""All models of one company fitted together, and refitted for serving."""

from dataclasses import dataclass

from features.config import TrainingConfig
from training.churn import ChurnFit, fit_churn, refit_churn
from training.clv import OrdersFit, ValueFit, fit_orders, fit_value, refit_orders, refit_value
from training.dataset import CannotTrain
from training.families.ensemble_fit import EnsembleFit
from training.models import Models
from training.rows import Rows, ValueRows


@dataclass(frozen=True)
class Fitted:
    """Models fitted on training rows, with what cross-validation chose for each."""

    churn: ChurnFit
    orders: OrdersFit | None
    value: ValueFit | None
    models: Models
    notes: tuple[str, ...]
    """Why a model is missing, in words."""

    @property
    def choices(self) -> dict[str, object]:
        """Rounds and weight of each family by model, calibration and levels, to be tracked."""
        chosen = _chosen("churn", self.churn.fitted)
        chosen |= {
            "calibration": self.churn.model.calibration.kind,
            "calibration_proved": self.churn.proved,
        }
        if self.value:
            chosen["clv_intervals"] = self.value.interval_source
        for name, fit in (("orders", self.orders), ("clv", self.value)):
            if fit:
                chosen |= _chosen(name, fit.fitted) | {f"anchor_{name}": fit.level.strength}
        return chosen


def fit_models(churn: Rows, value: ValueRows | None, training: TrainingConfig) -> Fitted:
    """Fit churn, and expected orders and CLV where their rows can teach them.

    Raises CannotTrain when the churn rows cannot.
    """
    churn_fit = fit_churn(churn, training)
    notes: list[str] = []
    orders_fit = value_fit = None
    if churn.train.orders is not None:
        try:
            orders_fit = fit_orders(churn, training)
        except CannotTrain as error:
            notes.append(f"No expected orders: {error}.")
    if value is not None:
        try:
            value_fit = fit_value(value, training)
        except CannotTrain as error:
            notes.append(f"No CLV: {error}.")
    models = Models(
        churn.train.contract,
        churn_fit.model,
        orders_fit.model if orders_fit else None,
        value_fit.model if value_fit else None,
    )
    return Fitted(churn_fit, orders_fit, value_fit, models, tuple(notes))


def refit_models(
    fitted: Fitted, churn: Rows, value: ValueRows | None, training: TrainingConfig
) -> Models:
    """The same models on the rows the served version learns from."""
    orders, worth = fitted.orders, fitted.value
    return Models(
        churn.refit.contract,
        refit_churn(fitted.churn, churn.refit, churn.basis, training),
        refit_orders(orders, churn.refit, churn.basis, training) if orders else None,
        refit_value(worth, value.refit, value.basis, training) if worth and value else None,
    )


def _chosen(name: str, fitted: EnsembleFit) -> dict[str, object]:
    chosen: dict[str, object] = {
        f"weight_{name}_{family}": round(weight, 3)
        for family, weight in fitted.ensemble.weights.items()
    }
    return chosen | {f"rounds_{name}_{family}": n for family, n in fitted.rounds.items() if n}
