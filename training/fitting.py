"""All models of one company fitted together, and refitted for serving."""

from dataclasses import dataclass, replace

from features.config import TrainingConfig
from training.churn import ChurnFit, fit_churn, refit_churn
from training.clv import OrdersFit, ValueFit, fit_orders, fit_value, refit_orders, refit_value
from training.dataset import CannotTrain, Task
from training.families.ensemble_fit import EnsembleFit
from training.families.glm import Objective
from training.models import Models
from training.rows import Basis, Refit, Rows, ValueRows
from training.season import season_notes


@dataclass(frozen=True)
class Fitted:
    """Models fitted on training rows, with what cross-validation chose for each."""

    churn: ChurnFit
    orders: OrdersFit | None
    value: ValueFit | None
    models: Models
    notes: tuple[str, ...]
    """Why a model is missing, and what was made of the season, in words."""

    @property
    def choices(self) -> dict[str, object]:
        """Rounds and weight of each family by model, calibration and levels, to be tracked."""
        chosen = _chosen("churn", self.churn.fitted)
        chosen |= {
            "calibration": self.churn.model.calibration.kind,
            "calibration_proved": self.churn.proved,
            "seasonal_churn": self.churn.seasonal,
        }
        if self.value:
            chosen["clv_intervals"] = self.value.interval_source
        for name, fit in (("orders", self.orders), ("clv", self.value)):
            if fit:
                chosen |= _chosen(name, fit.fitted) | {
                    f"anchor_{name}": fit.level.strength,
                    f"seasonal_{name}": fit.level.seasonal,
                }
        return chosen

    def seasonal(self, task: Task) -> dict[Objective, bool]:
        """What of a task's quantities was fitted, and whether it is moved by the season."""
        if task == "clv":
            return {"tweedie": self.value.level.seasonal} if self.value else {}
        found: dict[Objective, bool] = {"binary": self.churn.seasonal}
        if self.orders:
            found["poisson"] = self.orders.level.seasonal
        return found


def fit_models(churn: Rows, training: TrainingConfig) -> Fitted:
    """Fit churn, and expected orders where the rows can teach them.

    Raises CannotTrain when the rows cannot teach churn.
    """
    churn_fit = fit_churn(churn, training)
    notes: tuple[str, ...] = ()
    orders_fit = None
    if churn.train.orders is not None:
        try:
            orders_fit = fit_orders(churn, training)
        except CannotTrain as error:
            notes = (f"No expected orders: {error}.",)
    orders = orders_fit.model if orders_fit else None
    models = Models(churn.train.contract, churn_fit.model, orders, None)
    fitted = Fitted(churn_fit, orders_fit, None, models, notes)
    return _with_season_noted(fitted, "churn", churn.basis)


def with_value(fitted: Fitted, value: ValueRows, training: TrainingConfig) -> Fitted:
    """`fitted` with CLV too, or with the reason why its rows cannot teach it.

    A step of its own: the rows of churn need not be there any longer.
    """
    try:
        found = fit_value(value, training)
    except CannotTrain as error:
        return replace(fitted, notes=(*fitted.notes, f"No CLV: {error}."))
    fitted = replace(fitted, value=found, models=replace(fitted.models, value=found.model))
    return _with_season_noted(fitted, "clv", value.basis)


def refit_models(fitted: Fitted, churn: Refit, training: TrainingConfig) -> Models:
    """Churn and expected orders on the rows the served version learns from."""
    data, basis, orders = churn.data, churn.basis, fitted.orders
    return Models(
        data.contract,
        refit_churn(fitted.churn, data, basis, training),
        refit_orders(orders, data, basis, training) if orders else None,
        None,
    )


def with_value_refitted(
    models: Models, fitted: ValueFit, value: Refit, training: TrainingConfig
) -> Models:
    """`models` with CLV on the rows the served version learns from."""
    return replace(models, value=refit_value(fitted, value.data, value.basis, training))


def _with_season_noted(fitted: Fitted, task: Task, basis: Basis) -> Fitted:
    """`fitted` with a note on the season, where BTYD has a say."""
    if basis.at is None:
        return fitted
    notes = season_notes(basis.season, basis.horizon_days, fitted.seasonal(task))
    return replace(fitted, notes=(*fitted.notes, *notes))


def _chosen(name: str, fitted: EnsembleFit) -> dict[str, object]:
    chosen: dict[str, object] = {
        f"weight_{name}_{family}": round(weight, 3)
        for family, weight in fitted.ensemble.weights.items()
    }
    return chosen | {f"rounds_{name}_{family}": n for family, n in fitted.rounds.items() if n}
