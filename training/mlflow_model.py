"""A bundle as `mlflow.pyfunc.load_model` gives it back, from code and plain files.

MLflow reads this file as code, not as a pickle; it needs Setia installed where it is loaded.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from training.bundle import load_bundle


class BundlePredictions(PythonModel):  # type: ignore[misc]
    """Every prediction of a bundle for a table of its features."""

    def load_context(self, context: Any) -> None:
        """Read and verify the bundle among the version's files."""
        self.bundle = load_bundle(Path(context.artifacts["bundle"]))

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """One row each: churn_probability, expected_orders, clv, clv_low, clv_high and uplift."""
        X = np.asarray(model_input[self.bundle.contract.names], dtype=np.float64)
        found, uplift = self.bundle.predict(X), self.bundle.models.uplift
        return pd.DataFrame(
            {
                "churn_probability": found.propensity,
                "expected_orders": found.expected_orders,
                "clv": found.clv,
                "clv_low": found.clv_low,
                "clv_high": found.clv_high,
                "uplift": uplift.model.predict(X) if uplift else np.nan,
            }
        )


set_model(BundlePredictions())
