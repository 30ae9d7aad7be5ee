"""The event log: what happened, who did it, in the transaction that did it."""
