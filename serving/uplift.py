"""What contact changes for each customer, as the promoted bundle has learned it from trials."""

from contextlib import closing
from pathlib import Path

from serving.served import load_served
from training.bundle import Uplift


def load_uplift(workspace: Path) -> Uplift | None:
    """The uplift model of the workspace's bundle; None where there was no trial to learn from.

    `changes` and `do_not_disturb` take rows of features as the online snapshot keeps them.
    `changes` is None while the model abstains, and `verdict` says why.

    Raises NotReady when there is no bundle, or the scores were made by another one.
    """
    served = load_served(workspace)
    with closing(served.snapshot):
        return served.bundle.models.uplift
