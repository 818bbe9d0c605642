"""All models of one company fitted together, and refitted for serving."""

from dataclasses import dataclass

from features.config import TrainingConfig
from training.churn import ChurnFit, fit_churn, refit_churn
from training.clv import OrdersFit, ValueFit, fit_orders, fit_value, refit_orders, refit_value
from training.dataset import CannotTrain, Dataset
from training.models import Models


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
    def rounds(self) -> dict[str, int]:
        """Boosting rounds by model."""
        chosen = {"rounds_churn": self.churn.rounds}
        if self.orders:
            chosen["rounds_orders"] = self.orders.rounds
        if self.value:
            chosen["rounds_any_value"] = self.value.any_rounds
            chosen["rounds_amount"] = self.value.amount_rounds
        return chosen


def fit_models(churn: Dataset, value: Dataset | None, training: TrainingConfig) -> Fitted:
    """Fit churn, and expected orders and CLV where their rows can teach them.

    Raises CannotTrain when the churn rows cannot.
    """
    churn_fit = fit_churn(churn, training)
    notes: list[str] = []
    orders_fit = value_fit = None
    if churn.orders is not None:
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
        churn.contract,
        churn_fit.model,
        orders_fit.model if orders_fit else None,
        value_fit.model if value_fit else None,
    )
    return Fitted(churn_fit, orders_fit, value_fit, models, tuple(notes))


def refit_models(
    fitted: Fitted, churn: Dataset, value: Dataset | None, training: TrainingConfig
) -> Models:
    """The same models on the rows the served version learns from."""
    orders_fit, value_fit = fitted.orders, fitted.value
    return Models(
        churn.contract,
        refit_churn(fitted.churn, churn, training),
        refit_orders(orders_fit, churn, training) if orders_fit else None,
        refit_value(value_fit, value, training) if value_fit and value else None,
    )
