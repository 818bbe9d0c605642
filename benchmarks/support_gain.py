"""What support adds to a churn model on generated companies, with its effects planted and not."""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from features.company.generate import PLANTED, Effects, generate_company
from features.company.recorded import recorded_loads
from features.config import load_config
from features.ingest.run import ingest
from features.labels import latest_matured
from features.snapshot import open_snapshot
from features.spine import eligible_spine
from training.judging.comparison import MODEL, Estimate
from training.judging.support_gain import BEHAVIOUR, CAUSES, SupportGain, support_gain

CUSTOMERS, DRAWS = 20_000, 1_000
SEEDS = (7, 8)
ZERO = replace(PLANTED, slow_response=0, reopened=0, escalated=0, low_csat=0)


def main() -> int:
    seeds = [int(seed) for seed in sys.argv[1:]] or SEEDS
    is_met = True
    for seed in seeds:
        for words, effects in (("planted", PLANTED), ("set to zero", ZERO)):
            started = time.process_time()
            gain, loads = _measured(seed, effects)
            busy = time.process_time() - started
            print(f"\nseed {seed}, effect of satisfaction {words} ({busy:.0f} s of CPU)")
            is_met &= _told(gain, loads)
    return 0 if is_met else 1


def _measured(seed: int, effects: Effects) -> tuple[SupportGain, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(
            generate_company(Path(folder), CUSTOMERS, seed=seed, effects=effects).config
        )
        ingest(config)
        snapshot = open_snapshot(config.workspace / "snapshots")
        training = config.training.model_copy(update={"bootstrap_draws": DRAWS})
        gain = support_gain(snapshot, config.model_copy(update={"training": training}))
        cutoff = latest_matured(snapshot, config.churn.horizon_days)
        customers = eligible_spine(snapshot, config.churn, [cutoff])["customer_id"].to_pylist()
        loads = recorded_loads(snapshot, cutoff, customers, effects)
        snapshot.connection.close()
    return gain, loads


def _told(gain: SupportGain, loads: dict[str, float]) -> bool:
    """Print what was found, and say whether it is what was planted."""
    methods = gain.evaluation.comparison.methods
    is_planted = any(loads.values())
    is_found = gain.auc.low > 0 if is_planted else gain.auc.low <= 0 <= gain.auc.high
    print(f"  {gain.evaluation.rows:,} test customers, {gain.evaluation.base_rate:.1%} churned")
    print(f"  AUC by behaviour alone {_four(methods[BEHAVIOUR]['auc'])}")
    print(f"  AUC with support       {_four(methods[MODEL]['auc'])}")
    print(f"  gain                   {_four(gain.auc)}  {'as planted' if is_found else 'NOT SO'}")
    for cause in sorted(CAUSES, key=lambda each: -loads[each]):
        print(f"  {cause:14s} load {loads[cause]:.4f}  log-loss {_four(gain.causes[cause])}")
    if not is_planted:
        return is_found
    apart = gain.told_apart()
    wrong = [f"{one} over {other}" for one, other in apart if loads[one] < loads[other]]
    print(
        f"  pairs of causes told apart: {len(apart)} of {len(gain.apart)}; against what was "
        f"planted: {', '.join(wrong) or 'none'}"
    )
    return is_found and not wrong


def _four(estimate: Estimate) -> str:
    return f"{estimate.point:7.4f} [{estimate.low:7.4f}, {estimate.high:7.4f}]"


if __name__ == "__main__":
    raise SystemExit(main())
