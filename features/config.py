"""The pipeline's configuration: one YAML file read once into frozen, checked sections."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from features.outreach_config import OutreachConfig
from features.section import Section

TableName = Literal[
    "customers", "orders", "events", "subscriptions", "tickets", "surveys", "contacts"
]
TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)

SurveyKind = Literal["nps", "csat", "ces"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ConfigError(ValueError):
    """The configuration cannot be used; the message names the key and what to write instead."""


class TrailConfig(Section):
    """How a log of changes tells what became of each ticket: one complete row per change.

    Any status that is not listed means that somebody is at work on the ticket.
    """

    changed_at: str
    """Source column with the time of the change, when its row became known."""
    sequence: str | None = None
    """Source column that numbers a ticket's changes, for those of the same time."""
    status: str
    """Source column with the ticket's status after the change."""
    waiting: list[str] = []
    """Statuses in which nobody has answered yet; leaving them is the first response."""
    resolved: Annotated[list[str], Field(min_length=1)]
    """Statuses of a resolved ticket; leaving them is a reopening."""
    escalated: list[str] = []
    """Statuses of an escalated ticket."""


class SourceConfig(Section):
    """Where one canonical table comes from and how its columns map to the contract."""

    path: str | None = None
    """File, glob or folder (CSV, CSV.gz, Parquet), relative to the configuration file."""
    url: str | None = None
    """Database URL (sqlite:///file.db, postgresql://…); write secrets as ${VARIABLE}."""
    table: str | None = None
    """Table or view to read, with `url`."""
    columns: dict[str, str] = {}
    """Canonical column to source column; one of the same name needs no entry.

    `A * B` multiplies two columns, `A + B minutes` (seconds, hours, days) adds a duration to a
    time, and `customer_id: A -> subscriptions` (orders, tickets) finds the customer of that id.
    """
    attributes: dict[str, Literal["numeric", "category"]] = {}
    """Further source columns of `customers`, and how to read each."""
    constants: dict[str, str] = {}
    """Canonical column to one fixed value, for a file that leaves it unsaid."""
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] = "."
    date_format: str | None = None
    """strptime format of every time in this source; None reads the ISO forms, %s the epoch."""
    scales: dict[SurveyKind, tuple[float, float]] = {}
    """Survey kind to the lowest and highest score, where not 0..10, 1..5 and 1..7."""
    guests: bool = False
    """Rows without a customer are guest orders: set aside and counted, not rejected."""
    exclude: dict[str, list[str]] = {}
    """Source column to values whose rows are set aside and counted (fees, samples, tests)."""
    trail: TrailConfig | None = None
    """For tickets: the source is a log of changes, folded as of each cutoff."""
    max_reject_rate: Annotated[float, Field(ge=0, le=1)] = 0.01


class ChurnConfig(Section):
    """What churn means here, and how far ahead we ask."""

    label: Literal["inactivity", "subscription", "column"] = "inactivity"
    activity: Literal["orders", "events"] = "orders"
    """What counts as being active, for `inactivity`."""
    horizon_days: Annotated[int, Field(ge=1, le=730)] = 90
    eligible_days: Annotated[int, Field(ge=1, le=3650)] = 365
    """Customers active within so many days before the cutoff are asked about."""
    grace_days: Annotated[int, Field(ge=0, le=365)] = 30
    """A subscription resumed within so many days of its end did not churn."""
    column: str | None = None
    """For `column`: the attribute of `customers` that holds the label."""
    churned_values: list[str] = ["1", "true", "yes"]
    """For `column`: the values (any case) that mean churned."""
    population_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    """For `column`: the true share of churners, where the table was balanced by label."""

    @model_validator(mode="after")
    def _rate_of_a_given_label(self) -> Self:
        if self.population_rate is not None and self.label != "column":
            raise ValueError(
                f"population_rate corrects a given label, not {self.label!r}, whose rows are the "
                "population itself; take it out, or set label to column"
            )
        return self


class ClvConfig(Section):
    """What a customer's value is: net contribution over a horizon."""

    horizon_days: Annotated[int, Field(ge=1, le=1095)] = 365
    value: Literal["amount", "margin"] = "amount"
    annual_discount_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0


class BoostingConfig(Section):
    """How boosted trees grow; what is left out follows from the number of rows."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    num_leaves: Annotated[int, Field(ge=2, le=1024)] | None = None
    min_data_in_leaf: Annotated[int, Field(ge=1)] | None = None
    feature_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    lambda_l2: Annotated[float, Field(ge=0)] | None = None


class TuningConfig(Section):
    """How long to search for better boosting settings; a killed search goes on where it was."""

    trials: Annotated[int, Field(ge=1, le=10_000)]
    """Settings to try on these rows in all, the default ones first."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """Begin no further trial after so many minutes; the result then depends on the machine."""


class TrainingConfig(Section):
    """How models are trained and when one may be promoted."""

    cutoffs: Annotated[int, Field(ge=1, le=60)] = 6
    cutoff_every_days: Annotated[int, Field(ge=1, le=365)] = 30
    bootstrap_draws: Annotated[int, Field(ge=20, le=5000)] = 200
    promotion_margin: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """AUC by which a model must beat the simple answers and the champion (paired 95 % bound)."""
    max_calibration_error: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Largest calibration error, beyond what chance explains, of a model that is promoted."""
    min_top_coverage: Annotated[float, Field(ge=0, le=1)] = 0.85
    """Least share of the top predicted decile that the 90 % CLV intervals must hold."""
    explained_gains: list[str] = []
    """Champion versions over which a large AUC gain was looked into and is no leak."""
    allowed_features: list[str] = []
    """Features that may nearly decide the label by themselves; others stop training."""
    seed: int = 7
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    boosting: BoostingConfig = BoostingConfig()
    tuning: TuningConfig | None = None


class ServingConfig(Section):
    """How scores are tiered and served."""

    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    high_risk: Annotated[float, Field(gt=0, lt=1)] = 0.6
    medium_risk: Annotated[float, Field(gt=0, lt=1)] = 0.3
    recovery_margin: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """How far below `high_risk` a customer at risk must come to have recovered."""
    language: Literal["en", "id"] = "en"
    stale_after_days: Annotated[int, Field(ge=1)] = 2
    """Scores made longer ago are called stale in every answer."""
    history_days: Annotated[int, Field(ge=1)] = 90
    """How long live scores and risk events are kept."""


class SparkConfig(Section):
    """Where Spark runs, when it is the engine."""

    master: str = "local[*]"
    """local[2] for two cores of this machine; spark://host:7077, yarn or k8s://… for a cluster."""
    settings: dict[str, str] = {}
    """Further settings, such as spark.executor.memory, as Spark names them."""


class PipelineConfig(Section):
    """The whole configuration, as `pipeline.yaml` holds it."""

    name: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    timezone: str = "UTC"
    workspace: Path = Path("var")
    operations_url: str | None = None
    """postgresql://… that takes the place of `setia.db` in the workspace, for several machines."""
    engine: Literal["duckdb", "spark"] = "duckdb"
    spark: SparkConfig = SparkConfig()
    memory_limit: Annotated[str, Field(pattern=r"^[0-9]+ ?[MGT]B$")] | None = None
    """Most memory DuckDB may take, as 2GB; more spills to disk. Default: most of the machine's."""
    generated: bool = False
    """True for a generated company: everything shown says so."""
    sources: dict[TableName, SourceConfig]
    churn: ChurnConfig = ChurnConfig()
    clv: ClvConfig = ClvConfig()
    training: TrainingConfig = TrainingConfig()
    serving: ServingConfig = ServingConfig()
    outreach: OutreachConfig = OutreachConfig()

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value in available_timezones():
            return value
        close = difflib.get_close_matches(value, available_timezones(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else "; use an IANA name like Asia/Jakarta"
        raise ValueError(f"unknown time zone {value!r}{hint}")

    @property
    def zone(self) -> ZoneInfo:
        """The configured time zone, in which naive timestamps and dates are read."""
        return ZoneInfo(self.timezone)


def load_config(path: Path) -> PipelineConfig:
    """Read `path` into a checked configuration; relative paths start at its folder.

    `${NAME}` anywhere in a value is replaced from the environment.

    Raises ConfigError, naming every wrong key with the nearest valid one.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist; `setia init --orders FILE` writes one from your files"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no settings; `setia init` writes a commented one")
    try:
        config = PipelineConfig.model_validate(_expand(document, path))
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from None
    return _rooted(config, path.resolve().parent)


def _expand(value: Any, path: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _expand(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, path) for item in value]
    return (
        _VARIABLE.sub(lambda match: _variable(match[1], path), value)
        if isinstance(value, str)
        else value
    )


def _variable(name: str, path: Path) -> str:
    if name not in os.environ:
        raise ConfigError(f"{path} uses ${{{name}}}, which is not set; export {name}=… first")
    return os.environ[name]


def _rooted(config: PipelineConfig, folder: Path) -> PipelineConfig:
    sources = {
        name: source.model_copy(update={"path": str(folder / source.path)})
        if source.path
        else source
        for name, source in config.sources.items()
    }
    workspace = Path(os.path.normpath(folder / config.workspace))
    outreach = config.outreach.rooted(folder)
    changed = {"sources": sources, "workspace": workspace, "outreach": outreach}
    return config.model_copy(update=changed)


def _explain(error: ValidationError, path: Path) -> str:
    lines = [f"{path}: {len(error.errors())} setting(s) cannot be used"]
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        lines.append(f"  {where}: {_advice(problem['loc'], problem['type'], problem['msg'])}")
    return "\n".join(lines)


def _advice(where: tuple[int | str, ...], kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return _nearest(str(where[-1]), _keys_at(where[:-1]))
    if kind == "literal_error" and where[:1] == ("sources",) and where[-1] == "[key]":
        return _nearest(str(where[-2]), list(TABLE_NAMES))
    return message.removeprefix("Value error, ")


def _nearest(name: str, valid: list[str]) -> str:
    close = difflib.get_close_matches(name, valid, 1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"valid keys: {', '.join(valid)}"
    return f"unknown key {name!r}; {hint}"


def _keys_at(where: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = PipelineConfig
    for part in where:
        if part == "sources":
            model = SourceConfig
        elif part in model.model_fields:
            annotation = model.model_fields[str(part)].annotation
            sections = [each for each in (annotation, *get_args(annotation)) if _is_section(each)]
            model = sections[0] if sections else model
    return list(model.model_fields)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)
