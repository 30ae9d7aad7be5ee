"""What ends the demo early."""


class DemoProblem(RuntimeError):
    """The product did not do what the demo asked; the message says what it said instead."""
