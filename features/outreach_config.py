"""The configuration of outreach: whom to contact, by what channels, and where messages go."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from features.section import Section

EndpointName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
ChannelName = Literal["phone", "email", "messaging", "chat", "social", "in_person"]
Consent = Literal["email_consent", "sms_consent", "not_needed"]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable that holds a secret, read only when something is sent."""
ApiName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""Name of an object or field in Salesforce."""

_CONSENTS: dict[str, Consent] = {"email": "email_consent", "messaging": "sms_consent"}


class WebhookEndpoint(Section):
    """A signed webhook, as Standard Webhooks 1.0.0 has it."""

    kind: Literal["webhook"]
    url: str
    """https://…; http only to this machine."""
    secret_variable: VariableName
    """Environment variable with the signing secret, whsec_ and base64."""
    previous_secret_variable: VariableName | None = None
    """While a secret is being changed: the old one, with which messages are signed too."""
    allowed_networks: list[str] = []
    """Private networks, as 10.20.0.0/16, that this endpoint may be in."""


class FileEndpoint(Section):
    """A folder into which each delivery drops one CSV file."""

    kind: Literal["file"]
    folder: Path


class EmailEndpoint(Section):
    """An SMTP server that sends the playbook's text to the customer."""

    kind: Literal["email"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    """Address, with a name if you like, to which customers reply; somebody must read it."""
    addresses: Path
    """CSV file with customer_id and email, read when sending and kept nowhere."""
    username: str | None = None
    password_variable: VariableName | None = None


class HubSpotEndpoint(Section):
    """HubSpot contacts, upserted by a unique property."""

    kind: Literal["hubspot"]
    token_variable: VariableName
    id_property: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "customer_id"
    url: str = "https://api.hubapi.com"


class SalesforceEndpoint(Section):
    """Salesforce records, upserted by an external id."""

    kind: Literal["salesforce"]
    url: str
    """https://….my.salesforce.com, the address of your organisation."""
    client_id_variable: VariableName
    """Environment variable with the consumer key of an app that allows client credentials."""
    client_secret_variable: VariableName
    record: ApiName = "Contact"
    external_id: ApiName = "Setia_Customer_Id__c"


Endpoint = Annotated[
    WebhookEndpoint | FileEndpoint | EmailEndpoint | HubSpotEndpoint | SalesforceEndpoint,
    Field(discriminator="kind"),
]


class ChannelConfig(Section):
    """A way to reach people: what a message costs, how many fit into a day, who delivers it."""

    endpoint: EndpointName
    cost: Annotated[float, Field(ge=0)] = 0.0
    """Of one message, in the currency."""
    daily_capacity: Annotated[int, Field(ge=0)]
    consent: Consent | None = None
    """What the customer must have agreed to; email and messaging have their own."""


class CapConfig(Section):
    """At most `most` contacts in any `days` days, on `channel` or on all."""

    most: Annotated[int, Field(ge=0)]
    days: Annotated[float, Field(gt=0)]
    channel: ChannelName | None = None


class QuietHoursConfig(Section):
    """Nothing is sent between these times on the person's own clock."""

    start: time = time(21)
    end: time = time(8)


class OutreachConfig(Section):
    """Whom to contact, how often, at what cost, and whom never, so that the effect can be seen."""

    programme: Annotated[str, Field(min_length=1, max_length=60)] = "retention"
    """Another name is another programme with a holdout of its own."""
    holdout_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    assumed_change: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The share of those about to leave whom contact is assumed to keep, until a model is proven.

    So it adds this times the churn probability to a customer's chance of staying.
    """
    exploration_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    daily_budget: Annotated[float, Field(ge=0)] = 0.0
    """Most to be spent on messages in a day, in the currency."""
    channels: dict[ChannelName, ChannelConfig] = {}
    endpoints: dict[EndpointName, Endpoint] = {}
    events_to: list[EndpointName] = []
    """Endpoints that are told when a customer comes into danger or out of it."""
    caps: list[CapConfig] = [CapConfig(most=2, days=7), CapConfig(most=4, days=30)]
    rest_days: Annotated[float, Field(ge=1)] = 3.0
    """At least a day: however often a day is planned, nobody is contacted twice in it."""
    complaint_rest_days: Annotated[float, Field(ge=0)] = 14.0
    check_in_days: Annotated[float, Field(ge=0)] = 7.0
    """Within so many days of their first purchase new customers get a check-in; 0 for none."""
    quiet_hours: QuietHoursConfig = QuietHoursConfig()
    send_within_hours: Annotated[float, Field(gt=0, le=168)] = 24.0
    """A message that has not left by then expires."""
    score_lasts_days: Annotated[float, Field(gt=0)] = 7.0
    merged: Path | None = None
    """CSV file with customer_id and merged_id: whoever was held out under either stays so."""
    playbooks: Path | None = None
    """Folder with templates that take the place of Setia's own."""
    company: str | None = None
    """How messages name the company; the pipeline's name unless given."""
    unsubscribe: Annotated[str, Field(pattern=r"^(https://|mailto:)[^\s<>]+$")] | None = None
    """Your own page where a customer objects, as https://example.com/stop?c={customer_id}."""
    public_url: Annotated[str, Field(pattern=r"^https://[^\s<>?#]+$")] | None = None
    """Where the service is reached from outside, so that one click in an e-mail unsubscribes."""

    @model_validator(mode="after")
    def _channels_lead_somewhere(self) -> Self:
        named = {f"channels.{name}": one.endpoint for name, one in self.channels.items()}
        named |= {f"events_to.{place}": name for place, name in enumerate(self.events_to)}
        for where, endpoint in named.items():
            if endpoint not in self.endpoints:
                known = ", ".join(self.endpoints) or "none yet"
                raise ValueError(f"{where} leads to {endpoint!r}; endpoints has: {known}")
        for name, channel in self.channels.items():
            if channel.consent is None and name not in _CONSENTS:
                raise ValueError(
                    f"channels.{name}.consent is not set; say which consent a customer must have "
                    "given (email_consent or sms_consent), or not_needed"
                )
        return self

    @model_validator(mode="after")
    def _e_mail_is_for_customers(self) -> Self:
        others = {f"channels.{n}": one.endpoint for n, one in self.channels.items() if n != "email"}
        others |= {f"events_to.{place}": name for place, name in enumerate(self.events_to)}
        for where, endpoint in others.items():
            if isinstance(self.endpoints.get(endpoint), EmailEndpoint):
                raise ValueError(
                    f"{where} leads to {endpoint!r}, which writes e-mail to the customer; only "
                    "channels.email may"
                )
        return self

    def consent(self, channel: ChannelName) -> Consent:
        """What a customer must have agreed to for `channel`."""
        return self.channels[channel].consent or _CONSENTS[channel]

    def rooted(self, folder: Path) -> "OutreachConfig":
        """The same with relative paths starting at `folder`."""
        endpoints = {name: _rooted(one, folder) for name, one in self.endpoints.items()}
        paths = {"merged": self.merged, "playbooks": self.playbooks}
        found = {name: folder / path for name, path in paths.items() if path}
        return self.model_copy(update={"endpoints": endpoints, **found})


def _rooted(endpoint: Endpoint, folder: Path) -> Endpoint:
    if isinstance(endpoint, FileEndpoint):
        return endpoint.model_copy(update={"folder": folder / endpoint.folder})
    if isinstance(endpoint, EmailEndpoint):
        return endpoint.model_copy(update={"addresses": folder / endpoint.addresses})
    return endpoint
