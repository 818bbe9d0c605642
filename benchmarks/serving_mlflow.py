"""`mlflow models serve` with the version that a training run registers, one row a call."""

import json
import os
import sys
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import numpy.typing as npt

from benchmarks.serving_load import Call, free_port, running
from training import mlflow_model
from training.bundle import load_bundle

REQUESTS = 50


def mlflow_server(workspace: Path, rows: npt.NDArray[np.float64]) -> float:
    """Microseconds of processor time for every prediction of one row with all its features."""
    bundle = workspace / "bundle"
    model = workspace / "mlflow"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    mlflow.pyfunc.save_model(
        str(model),
        python_model=str(mlflow_model.__file__),
        artifacts={"bundle": str(bundle)},
        pip_requirements=["lightgbm"],
    )
    names = load_bundle(bundle).contract.names
    values = np.nan_to_num(rows[0]).tolist()
    body = json.dumps({"dataframe_split": {"columns": names, "data": [values]}})
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model)]
    whole = [*command, "--env-manager", "local", "--port", str(port)]
    # It starts uvicorn by name, so that must be found, and the version needs Setia's own code.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    code = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    settings = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path, "PYTHONPATH": code}
    with running(whole, port, settings, "/ping") as server:
        load = server.load(Call("/invocations", body), ["-"], 1, REQUESTS)
    if load.failed:
        raise RuntimeError(f"mlflow models serve failed {load.failed} of {REQUESTS} calls")
    print(f"mlflow models serve: CPU {load.cpu:.0f} us a row")
    return load.cpu
