"""`mlflow models serve` with the churn booster of a bundle, one row a call."""

import json
import os
import sys
from pathlib import Path

import mlflow.lightgbm
import numpy as np
import numpy.typing as npt

from benchmarks.serving_load import Call, free_port, running
from benchmarks.serving_rivals import boosters
from training.bundle import load_bundle

REQUESTS = 50


def mlflow_server(workspace: Path, rows: npt.NDArray[np.float64]) -> float:
    """Microseconds of processor time for one row with all its features and one booster."""
    bundle = load_bundle(workspace / "bundle")
    model = workspace / "mlflow"
    mlflow.lightgbm.save_model(boosters(bundle)[0], str(model), pip_requirements=["lightgbm"])
    names = boosters(bundle)[0].feature_name()
    values = np.nan_to_num(rows[0]).tolist()
    body = json.dumps({"dataframe_split": {"columns": names, "data": [values]}})
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    whole = [*command, "--env-manager", "local", "--port", str(port)]
    # It starts uvicorn by name, so that must be found.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    with running(whole, port, settings, "/ping") as server:
        load = server.load(Call("/invocations", body), ["-"], 1, REQUESTS)
    if load.failed:
        raise RuntimeError(f"mlflow models serve failed {load.failed} of {REQUESTS} calls")
    print(f"mlflow models serve: CPU {load.cpu:.0f} us a row")
    return load.cpu
