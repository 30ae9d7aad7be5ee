"""When a delivery that failed is tried again, and how much a worker does at once."""

from __future__ import annotations

import random
from dataclasses import dataclass

_MINUTE, _HOUR = 60.0, 3600.0


@dataclass(frozen=True)
class DeliveryPace:
    """What isn't a number of deliveries or of workspaces is in seconds.

    An event is tried once, and once more after each of `retries`.
    """

    retries: tuple[float, ...] = (
        5,
        5 * _MINUTE,
        30 * _MINUTE,
        2 * _HOUR,
        5 * _HOUR,
        10 * _HOUR,
        14 * _HOUR,
        20 * _HOUR,
        24 * _HOUR,
    )
    timeout: float = 10
    """How long an endpoint has to answer."""
    lease: float = 20
    """A dead worker's deliveries are taken up after this."""
    poll: float = 5
    """How often to look at a workspace with webhooks, should its news have got lost."""
    linger: float = 2
    """How long a worker keeps a workspace in which nothing is left to do."""
    grace: float = 5
    """How long deliveries on their way have to end once the worker is stopped."""
    at_once: int = 8
    """Deliveries on their way to one endpoint; one that doesn't answer is soon given a single one."""
    workspaces: int = 64
    """How many a worker has in hand."""

    def wait(self, failures: int, retry_after: float | None) -> float | None:
        """How long to wait after the `failures`th failed attempt, at least `retry_after`; None after the last."""
        if failures > len(self.retries):
            return None
        # Endpoints that failed together must not be called together.
        jitter = random.uniform(1, 1.1)  # noqa: S311 - no secret
        return max(self.retries[failures - 1] * jitter, retry_after or 0)
