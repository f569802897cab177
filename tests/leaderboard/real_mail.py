"""A real SMTP server on this machine that keeps what it is given.

Tests import it by this name; conftest.py puts its folder on the path.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from ports import held_port


@dataclass
class Mailbox:
    """Every mail the server took, in order; `refuse` holds replies for the next ones."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuse: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse.pop(0)
        parsed = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        self.recipients += envelope.rcpt_tos
        return "250 taken"

    def link(self, start: str) -> str:
        """The path of the link in the newest mail that starts so."""
        found = re.search(
            rf"https?://[^/\s]+({re.escape(start)}\S*)", self.messages[-1].get_content()
        )
        assert found is not None, self.messages[-1].get_content()
        return found[1]


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    """Serve for as long as a block lasts."""
    port = held_port()
    mailbox = Mailbox(port=port)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
