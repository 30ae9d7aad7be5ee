"""How many webhooks a workspace may have."""

from __future__ import annotations

from ptolemy.database.transaction import Transaction


async def most_webhooks(_: Transaction) -> int | None:
    """The plan's limit, None for no limit. Every plan is without limits so far."""
    return None
