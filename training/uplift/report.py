"""How the uplift model did, for people: the gain curve as a picture, the figures as Markdown."""

from pathlib import Path

from training.judging.plots import MODEL_COLOUR, REFERENCE_COLOUR, canvas, written
from training.judging.report import markdown_table
from training.uplift.qini import gain_curve
from training.uplift.ranking import AT_RISK, UpliftFit
from training.uplift.scores import RESPONSE_SCORE


def write_uplift_report(folder: Path, fit: UpliftFit, *, generated: bool) -> Path:
    """Write qini.png into `folder`: value kept as more customers are contacted, by either order."""
    trial, scores = fit.judged.trial, fit.judged.scores
    response = scores[RESPONSE_SCORE]
    outcome = (trial.outcome - response) * trial.value
    figure, axes = canvas("Value kept by contacting the most changed first", generated)
    for label, score, colour in (
        (f"uplift ({fit.verdict.learner})", scores[fit.verdict.learner], MODEL_COLOUR),
        (AT_RISK, 1.0 - response, REFERENCE_COLOUR),
    ):
        share, gain = gain_curve(trial.treated, trial.chance, outcome, score * trial.value)
        axes.plot(100 * share, 1_000 * gain, color=colour, label=label)
    # Whatever the order, everybody contacted is the same gain.
    axes.plot([0, 100], [0, 1_000 * gain[-1]], "--", color=REFERENCE_COLOUR, label="at random")
    axes.set_xlabel("customers contacted (%)")
    axes.set_ylabel("value kept per 1,000 customers, contacted less held out")
    axes.legend(frameon=False, loc="lower right")
    return written(figure, folder / "qini.png")


def uplift_section(fit: UpliftFit) -> str:
    """What the model card says of uplift."""
    verdict, trial = fit.verdict, fit.judged.trial
    contacted = int(trial.treated.sum())
    judged = (
        "later than the outcomes that their models had learned from"
        if fit.judged.is_later
        else "of other customers than their models had learned from, all at one time"
    )
    rows = [[name, str(found)] for name, found in verdict.qini.items()]
    flagged = ""
    if fit.uplift.disturbance.up_to is not None:
        flagged = " Customers of tenths in which contact surely did harm are not disturbed."
    return (
        f"{verdict}{flagged}\n\nJudged on {contacted:,} entries contacted and "
        f"{len(trial) - contacted:,} held out at random, {judged}. Qini per 1,000 customers, in "
        "value, with 95 % bootstrap intervals over customers.\n\n"
        + markdown_table(["ranking", "Qini"], rows)
    )
