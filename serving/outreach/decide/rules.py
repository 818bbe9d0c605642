"""The policy's rules, as the configuration words them."""

from datetime import timedelta

from features.outreach_config import OutreachConfig
from serving.outreach.decide.decisions import Cap, Channel, Rules
from serving.outreach.decide.quiet_hours import QuietHours


class OutreachOff(ValueError):
    """Nothing is configured to reach anybody with; the message says what to write."""


def rules_of(config: OutreachConfig) -> Rules:
    """What the merchant allows. Raises OutreachOff when no channel is configured."""
    if not config.channels:
        raise OutreachOff(
            "outreach has no channels, so nobody can be contacted; add outreach.channels and "
            "outreach.endpoints to pipeline.yaml (docs/outreach.md shows the shortest that works)"
        )
    return Rules(
        channels=tuple(
            Channel(name, one.cost, one.daily_capacity) for name, one in config.channels.items()
        ),
        budget=config.daily_budget,
        caps=caps_of(config),
        rest=timedelta(days=config.rest_days),
        complaint_rest=timedelta(days=config.complaint_rest_days),
        quiet_hours=quiet_hours_of(config),
        send_within=timedelta(hours=config.send_within_hours),
        score_lasts=timedelta(days=config.score_lasts_days),
        exploration_share=config.exploration_share,
    )


def caps_of(config: OutreachConfig) -> tuple[Cap, ...]:
    """The rolling frequency caps."""
    return tuple(Cap(cap.most, timedelta(days=cap.days), cap.channel) for cap in config.caps)


def quiet_hours_of(config: OutreachConfig) -> QuietHours:
    """When people are left alone."""
    return QuietHours(config.quiet_hours.start, config.quiet_hours.end)
