"""The least that BentoML can serve, to start beside: a service without routes of its own."""

import bentoml


@bentoml.service(
    http={"host": "127.0.0.1"},
    workers=1,
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
class Empty:
    """Nothing but BentoML's probes."""
