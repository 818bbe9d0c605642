"""The model card: what a version is for, what taught it, how good it is and where it fails."""

from collections.abc import Mapping, Sequence

from features.config import PipelineConfig
from training.bundle import BundleInfo
from training.evaluate import OrdersEvaluation
from training.judging.grades import Grade
from training.judging.profit import CONTACT, KEPT_VALUE, OFFER
from training.judging.report import comparison_table, decile_table, grade_table, segment_table
from training.judging.segments import Segment
from training.judging.verdict import Verdict
from training.rows import Account, days
from training.uplift.ranking import UpliftFit
from training.uplift.report import uplift_section

CHURN, CLV = "Churn", "CLV"
"""What an account is of, as the card calls it."""

_QUESTIONS = {
    "inactivity": "no {activity} within {horizon} days",
    "subscription": "the subscription is ended by choice within {horizon} days and not resumed",
    "column": "the label given in `{column}`",
}
_USE = """\
To rank customers by risk and by value at risk, so that a person can decide whom to contact, and
to say why. The propensity ranks and predicts; it does not say what contact would change. Do not
use it to refuse service, set prices or decide on credit."""
_PROFIT = (
    f"`expected_profit` is the expected maximum profit per customer of a campaign in which a kept "
    f"churner is worth {KEPT_VALUE:g}, an offer costs {OFFER:g} and a contact {CONTACT:g} "
    "(Verbraken et al. 2013): for comparing models, not a forecast of yours."
)
_STAR = "A star marks a prediction outside the 95 % interval of what happened."
_LIMITS = (
    "It was judged over one window of time; another season may differ, in level more than in rank.",
    "CLV intervals are conformal on training cutoffs; when spending shifts they miss more often. "
    "Read the coverage of buyers and of the top decile, not only the overall one.",
    "Reasons are contributions to the churn logit, not causes.",
    "A customer without history before the cutoff is not scored.",
)


def model_card(
    info: BundleInfo,
    config: PipelineConfig,
    accounts: Mapping[str, Account],
    verdict: Verdict,
    *,
    refusals: Sequence[str] = (),
    uplift: UpliftFit | None = None,
) -> str:
    """The card as Markdown; the same page heads a backtest's report."""
    churn, value = accounts[CHURN], accounts.get(CLV)
    cautions = [*_refusal_lines(refusals), *verdict.notes, *_LIMITS]
    parts = [
        f"# {config.name}: churn and CLV, {info.version}",
        _warning(config),
        f"## What it is for\n\n{_USE}",
        f"## What it answers\n\n{_answers(config, value is not None)}",
        f"## What it learned from\n\n{_data(info, config, accounts, len(verdict.drivers))}",
        f"## How good the churn propensity is\n\n{_churn_results(verdict, config, churn)}",
        _orders_results(verdict.orders),
        f"## How good the CLV is\n\n{_value_results(verdict, config, value)}",
        f"## What contact changes\n\n{uplift_section(uplift)}" if uplift else "",
        _reason_results(verdict),
        f"## What must be said\n\n{_bullets(cautions)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _refusal_lines(refusals: Sequence[str]) -> list[str]:
    return [f"**Not fit for promotion**: {reason}." for reason in refusals]


def _warning(config: PipelineConfig) -> str:
    if not config.generated:
        return ""
    return (
        "> **Generated data.** Every customer here is made up; figures show that the software "
        "works, not what it will find in a real company."
    )


def _answers(config: PipelineConfig, with_value: bool) -> str:
    churn = config.churn
    question = _QUESTIONS[churn.label].format(
        activity="order" if churn.activity == "orders" else "use",
        horizon=churn.horizon_days,
        column=churn.column,
    )
    lines = [f"Churn: {question}."]
    if churn.label == "inactivity":
        lines.append(f"Asked about: customers active in the {churn.eligible_days} days before.")
    if with_value:
        kind = "margin" if config.clv.value == "margin" else "amount less refunds"
        rate = config.clv.annual_discount_rate
        discounted = f", discounted at {rate:.1%} a year" if rate else ""
        lines.append(
            f"CLV: {kind} over {config.clv.horizon_days} days in {config.currency}{discounted}, "
            "with an interval at 90 %."
        )
    return _bullets(lines)


def _data(
    info: BundleInfo, config: PipelineConfig, accounts: Mapping[str, Account], features: int
) -> str:
    lines = [f"Data fingerprint `{info.fingerprint[:16]}`, code `{info.code_revision}`."]
    lines.append(f"{features} features.")
    lines += [f"{task}: {_span(account, config)}" for task, account in accounts.items()]
    return _bullets(lines)


def _span(account: Account, config: PipelineConfig) -> str:
    taught, judged, served = account.train, account.test, account.refit
    if config.churn.label == "column":
        return (
            f"{taught.rows:,} customers to learn from and {judged.rows if judged else 0:,} others "
            f"to judge by; the served model learns from all {served.rows if served else 0:,}."
        )
    told = f"fitted on {taught.rows:,} rows at {days(taught.cutoffs, config)}"
    if judged is not None:
        told += (
            f", whose label windows end by the test cutoff; judged on {judged.rows:,} rows at "
            f"{days(judged.cutoffs, config)}"
        )
    if served is None:
        return f"{told}."
    return f"{told}; refitted for serving on {served.rows:,} at {days(served.cutoffs, config)}."


def _churn_results(verdict: Verdict, config: PipelineConfig, account: Account) -> str:
    evaluation = verdict.churn
    timed = account.test if config.churn.label != "column" else None
    where = f" at {days(timed.cutoffs, config)}" if timed else ""
    return _paragraphs(
        f"{evaluation.rows:,} customers{where}, of whom {evaluation.base_rate:.1%} churned. "
        "Brackets hold 95 % bootstrap intervals over customers.",
        comparison_table(evaluation.comparison),
        _bullets(evaluation.verdicts),
        _PROFIT,
        f"**By predicted decile.** {_STAR} Exact propensities would show a calibration error of "
        f"up to {evaluation.chance_error:.3f} here by chance.",
        decile_table(evaluation.reliability),
        *_segment_results(evaluation.segments),
        *_grade_results(verdict.grades),
    )


def _segment_results(segments: Sequence[Segment]) -> tuple[str, ...]:
    if not segments:
        return ()
    return ("**By segment** of at least 50 customers.", segment_table(segments))


def _grade_results(grades: Sequence[Grade]) -> tuple[str, ...]:
    if not grades:
        return ()
    return (
        "**By other products' rules**, as published; weaker than the comparison above, and for "
        "like beside like only.",
        grade_table(grades),
    )


def _orders_results(evaluation: OrdersEvaluation | None) -> str:
    if evaluation is None:
        return ""
    return _paragraphs(
        "## How good the expected orders are",
        f"{evaluation.rows:,} customers with {evaluation.mean_orders:.2f} purchase days each on "
        "average. MAE is shown and never decides: it rewards saying zero.",
        comparison_table(evaluation.comparison),
        _bullets(evaluation.verdicts),
        decile_table(evaluation.deciles),
    )


def _value_results(verdict: Verdict, config: PipelineConfig, account: Account | None) -> str:
    evaluation = verdict.value
    if evaluation is None or account is None or account.test is None:
        return "There is no judged CLV; see what must be said below."
    covered = evaluation.coverage
    return _paragraphs(
        f"{evaluation.rows:,} customers at {days(account.test.cutoffs, config)}, worth "
        f"{evaluation.mean_value:,.2f} {config.currency} each on average.",
        comparison_table(evaluation.comparison),
        _bullets(evaluation.verdicts),
        f"The 90 % interval held {covered.overall:.1%} of all, {covered.buyers:.1%} of those "
        f"who bought and {covered.top_decile:.1%} of the top decile; its median width is "
        f"{covered.median_width:,.2f} {config.currency}. {_STAR}",
        decile_table(evaluation.deciles, covered.deciles),
    )


def _reason_results(verdict: Verdict) -> str:
    if verdict.reason_overlap is None:
        return ""
    return (
        f"## How stable the reasons are\n\nFitted again from another seed, the churn model names "
        f"{verdict.reason_overlap:.0%} of each customer's three main contributions again."
    )


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
