"""The mail server, from the settings."""

from __future__ import annotations

from ptolemy.accounts.invitation_mail import Letters, MailServer
from ptolemy.accounts.invitations import invitation_signer
from ptolemy.settings import Settings, secret_key


def mail_server(settings: Settings) -> MailServer | None:
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_from,
        settings.smtp_user,
        settings.smtp_password.get_secret_value() if settings.smtp_password else None,
    )


def letters(settings: Settings) -> Letters | None:
    """What a worker sends e-mails with."""
    server = mail_server(settings)
    return Letters(server, invitation_signer(secret_key(settings))) if server else None
