"""The headers of an e-mail by which mail programs let a customer unsubscribe."""

from collections.abc import Mapping
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.policy import Policy
from typing import Any

from serving.outreach.words.playbook import Playbook


class _Links(UnstructuredHeader, BaseHeader):
    """A header in one line: folded by Python its links would be encoded, and lead nowhere."""

    def fold(self, *, policy: Policy) -> str:
        """The header as it goes out."""
        return f"{self.name}: {self}{policy.linesep}"


HEADERS = HeaderRegistry()
"""For the policy of an e-mail that has these headers."""
HEADERS.map_to_type("list-unsubscribe", _Links)


def list_headers(playbook: Playbook, payload: Mapping[str, Any]) -> dict[str, str]:
    """Where programs unsubscribe (RFC 2369), and whether a POST there is enough (RFC 8058)."""
    page, one_click = playbook.unsubscribe_link(payload), playbook.one_click_link(payload)
    if one_click is None:
        return {"List-Unsubscribe": f"<{page}>"} if page else {}
    # RFC 8058, 3.1: no other https link may stand beside the one for one click.
    beside = f", <{page}>" if page and page.startswith("mailto:") else ""
    return {
        "List-Unsubscribe": f"<{one_click}>{beside}",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
