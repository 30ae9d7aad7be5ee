"""A real SMTP server, that keeps what it is handed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope


@dataclass
class Postbox:
    """`answers` are given to letters before any is taken: `451 later`, `550 nobody here`."""

    port: int
    answers: list[str] = field(default_factory=list)
    letters: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - so aiosmtpd calls it
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        letter = message_from_bytes(content, policy=default)
        self.letters.append((list(envelope.rcpt_tos), letter))
        return "250 OK"

    def letter_to(self, email: str) -> EmailMessage | None:
        return next((letter for recipients, letter in self.letters if recipients == [email]), None)


@contextmanager
def postbox() -> Iterator[Postbox]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        box = Postbox(free.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def token_in(letter: EmailMessage) -> str:
    """The token of the link in a letter."""
    found = re.search(r"#(pti_[0-9a-f]{64})", letter.get_content())
    assert found, letter.get_content()
    return found[1]
