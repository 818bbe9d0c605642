"""What contact changes for each customer, as the promoted bundle has learned it from trials."""

from pathlib import Path

from training.bundle import Uplift, load_bundle


def load_uplift(workspace: Path) -> Uplift | None:
    """The uplift model of the workspace's bundle; None where there was no trial to learn from.

    `changes` and `do_not_disturb` take rows in the contract of that bundle, such as the online
    snapshot keeps. `changes` is None, and `verdict` says why, while the model abstains.

    Raises BundleError when no usable bundle has been promoted.
    """
    return load_bundle(workspace / "bundle").models.uplift
