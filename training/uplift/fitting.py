"""What contact changes, learned from a company's own randomised contacts, where there are any."""

from features.config import PipelineConfig
from features.feature_contract import FeatureContract
from features.snapshot import Snapshot
from training.contacts import Contacts
from training.uplift.entries import contact_trial
from training.uplift.ranking import UpliftFit, fit_uplift
from training.uplift.trial import NoTrial


def learn_uplift(
    snapshot: Snapshot, config: PipelineConfig, contract: FeatureContract, contacts: Contacts
) -> tuple[UpliftFit | None, tuple[str, ...]]:
    """The judged uplift model of the contacts, or why there is none; nothing without contacts."""
    if not len(contacts):
        return None, ()
    try:
        trial = contact_trial(snapshot, config, contract, contacts)
        return fit_uplift(trial, config.churn.horizon_days, config.training), ()
    except NoTrial as error:
        return None, (f"No uplift: {error}.",)
