"""The playbook: what is said in each step on each channel, from templates in two languages."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from features.config import PipelineConfig
from features.outreach_config import ChannelName
from features.wording import value_text
from serving.outreach.decide.decisions import STEPS
from serving.outreach.opt_out import OptOutLinks
from serving.outreach.words.samples import samples
from serving.reasons import EXPERIENCES

Form = Literal["email", "message", "script"]
FORMS: Mapping[ChannelName, Form] = MappingProxyType(
    {
        "email": "email",
        "messaging": "message",
        "chat": "message",
        "social": "message",
        "phone": "script",
        "in_person": "script",
    }
)
"""What each channel needs: an e-mail, a short message, or a script for the one who speaks."""

OURS = Path(__file__).parent / "playbooks"
_LANGUAGES = ("en", "id")
_LAYOUT = "email.html"

_TELLABLE = EXPERIENCES - {"satisfaction"}
"""Without what was read out of their answers: being told what one feels is no apology."""
FOR_CUSTOMERS = ("company", "customer_id", "experience", "generated", "language", "unsubscribe")
"""All that a text for the customer may say: what they know of themselves and of the company."""
FOR_AGENTS = (
    *FOR_CUSTOMERS,
    "currency",
    "next_step",
    "not_after",
    "reasons",
    "risk_tier",
    "score_as_of",
    "value_at_risk",
)
"""What a script may tell the one who calls besides: the reasons in words, what is at stake."""
_FOR_LAYOUT = ("language", "paragraphs", "subject")

_SUBJECT = re.compile(r"Subject:[ \t]*(?P<subject>\S.*)\n+")
_BLANK_LINES = re.compile(r"\n{3,}")
# A template can raise whatever its expressions do.
_MISTAKES = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)


class PlaybookError(ValueError):
    """A template that is not there or says what it cannot; the message names it and the field."""


@dataclass(frozen=True, slots=True)
class Words:
    """What one message says."""

    form: Form
    text: str
    subject: str | None = None
    """Of an e-mail; one line."""
    html: str | None = None
    """The same text for programs that show HTML; of an e-mail."""

    def parts(self) -> dict[str, str]:
        """The parts there are, for a payload: form, text and, of an e-mail, subject and html."""
        every = {"form": self.form, "text": self.text, "subject": self.subject, "html": self.html}
        return {name: part for name, part in every.items() if part is not None}


@dataclass(frozen=True)
class Playbook:
    """Templates by language, step and form; those in `folder` take the place of Setia's own."""

    company: str
    """How texts name the company."""
    language: str = "en"
    """For customers whose own language has no templates."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """In which a script tells times."""
    folder: Path | None = None
    unsubscribe: str | None = None
    """The company's page where a customer can object, with {customer_id} in its place."""
    opt_outs: OptOutLinks | None = None
    """Links to the service by which they can, where there is no such page, and by one click."""

    def words(self, payload: Mapping[str, Any], channel: str | None = None) -> Words:
        """What the message of an `outreach.contact` payload says, on its channel unless given.

        Templates are read when they are used, so that a better one reaches messages that wait.
        Raises PlaybookError, naming the template, for one that is missing, broken or asks for
        what it is not given.
        """
        form = _form(channel or payload["channel"])
        language = self._language(payload.get("language"))
        fields = self._fields(payload, language, FOR_AGENTS if form == "script" else FOR_CUSTOMERS)
        name = f"{language}/{payload['step']}/{form}.txt"
        text = _BLANK_LINES.sub("\n\n", self._render(name, fields)).strip()
        if form == "message":
            return Words(form, " ".join(text.split()))
        return Words(form, text) if form == "script" else self._email(name, text, language)

    def unsubscribe_link(self, payload: Mapping[str, Any]) -> str | None:
        """Where the customer of a payload can object to messages; None if there is no such page."""
        if self.unsubscribe is None:
            return self.one_click_link(payload)
        return self.unsubscribe.replace("{customer_id}", quote(payload["customer_id"], safe=""))

    def one_click_link(self, payload: Mapping[str, Any]) -> str | None:
        """Where a POST alone takes the customer off the payload's channel; None if nowhere."""
        if self.opt_outs is None:
            return None
        return self.opt_outs.link(payload["customer_id"], payload["channel"])

    def check(self, channels: Iterable[str]) -> None:
        """Try every template that these channels can use, on made-up customers.

        Also finds a name in a branch that no made-up customer comes to. Raises PlaybookError for
        the first problem; to be called before anything is decided.
        """
        forms = dict.fromkeys(_form(channel) for channel in channels)
        for name in self._templates(forms):
            self._check_names(name)
        for channel in {form: name for name, form in FORMS.items() if form in forms}.values():
            for language in self.languages:
                for payload in samples(channel, language):
                    self.words(payload)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Those with templates of Setia's or of the company's."""
        own = self.folder.iterdir() if self.folder and self.folder.is_dir() else ()
        found = {path.name for path in own if re.fullmatch("[a-z]{2,3}", path.name)}
        return tuple(sorted({*_LANGUAGES, *found}))

    def _language(self, wanted: str | None) -> str:
        return wanted if wanted in self.languages else self.language

    def _fields(
        self, payload: Mapping[str, Any], language: str, names: Iterable[str]
    ) -> dict[str, Any]:
        known = {
            "generated": False,
            **payload,
            "company": self.company,
            "experience": _experience(payload),
            "language": language,
            "unsubscribe": self.unsubscribe_link(payload),
        }
        return {name: known[name] for name in names if name in known}

    def _email(self, name: str, text: str, language: str) -> Words:
        found = _SUBJECT.match(text)
        if found is None:
            raise PlaybookError(
                f'{name}: its first line must be "Subject: …" and the text must follow'
            )
        subject, body = " ".join(found["subject"].split()), text[found.end() :]
        paragraphs = body.split("\n\n")
        layout = {"subject": subject, "paragraphs": paragraphs, "language": language}
        return Words("email", body, subject, self._render(_LAYOUT, layout))

    def _render(self, name: str, fields: Mapping[str, Any]) -> str:
        try:
            return self._environment.get_template(name).render(fields)
        except TemplateNotFound as error:
            place = f" in {self.folder}" if self.folder else ""
            raise PlaybookError(f"there is no template {error.name}{place}; write it") from error
        except _MISTAKES as error:
            raise PlaybookError(f"template {name}: {error}; it may use {_list(fields)}") from error

    @cached_property
    def _loader(self) -> FileSystemLoader:
        return FileSystemLoader([self.folder, OURS] if self.folder else [OURS])

    @cached_property
    def _environment(self) -> ImmutableSandboxedEnvironment:
        environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=lambda name: bool(name) and str(name).endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["money"] = _money
        environment.filters["local"] = self._local
        return environment

    def _local(self, instant: str) -> str:
        return f"{datetime.fromisoformat(instant).astimezone(self.zone):%Y-%m-%d %H:%M}"

    def _templates(self, forms: Iterable[Form]) -> Iterator[str]:
        """The templates of these forms, after those that they include."""
        for language in self.languages:
            shared = [OURS / language, *([self.folder / language] if self.folder else [])]
            names = {path.name for folder in shared for path in folder.glob("*.txt")}
            yield from (f"{language}/{name}" for name in sorted(names))
            yield from (
                f"{language}/{step}/{form}.txt" for step in STEPS.values() for form in forms
            )
        if "email" in forms:
            yield _LAYOUT

    def _check_names(self, name: str) -> None:
        """Whether a template asks only for what its reader may be told, in all its branches."""
        try:
            source, _, _ = self._loader.get_source(self._environment, name)
            asked = find_undeclared_variables(self._environment.parse(source))
        except TemplateNotFound as error:
            raise PlaybookError(f"there is no template {error.name}; write it") from error
        except _MISTAKES as error:
            raise PlaybookError(f"template {name}: {error}") from error
        allowed = _allowed(name)
        if unknown := sorted(asked - set(allowed)):
            raise PlaybookError(
                f"template {name} asks for {_list(unknown)}; it may use {_list(allowed)}"
            )


def playbook_of(settings: PipelineConfig, opt_out_key: bytes | None = None) -> Playbook:
    """The playbook as the configuration has it; only with the key do one-click links work."""
    outreach = settings.outreach
    url = outreach.public_url
    return Playbook(
        company=outreach.company or settings.name,
        language=settings.serving.language,
        zone=ZoneInfo(settings.timezone),
        folder=outreach.playbooks,
        unsubscribe=outreach.unsubscribe,
        opt_outs=OptOutLinks(url, opt_out_key) if url else None,
    )


def _money(amount: float, currency: str, language: str) -> str:
    return value_text(amount, "money", "id" if language == "id" else "en", currency)


def _allowed(name: str) -> tuple[str, ...]:
    """The names that a template may ask for; what is included is checked by who includes it."""
    if name == _LAYOUT:
        return _FOR_LAYOUT
    is_shared = name.count("/") == 1
    return FOR_AGENTS if is_shared or name.endswith("/script.txt") else FOR_CUSTOMERS


def _form(channel: str) -> Form:
    for name, form in FORMS.items():
        if name == channel:
            return form
    raise PlaybookError(f"no form of words for channel {channel!r}; there are {_list(FORMS)}")


def _experience(payload: Mapping[str, Any]) -> str | None:
    """What the company did to the customer, if the first thing to act on is of that kind.

    Only the theme goes to the customer, who was there; no figure, and nothing inferred.
    """
    for reason in payload["reasons"]:
        if reason["effect"] == "raises" and reason["actionable"]:
            theme = reason.get("theme")
            return theme if theme in _TELLABLE else None
    return None


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
