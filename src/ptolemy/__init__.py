"""Ptolemy. `from ptolemy import Client` is the Python client; nothing is imported until it is asked for."""

TYPE_CHECKING = False
"""Read by type checkers as true; importing `typing` for it would be most of what importing Ptolemy costs."""

if TYPE_CHECKING:
    from ptolemy.client import Client as Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    if name == "Client":
        from ptolemy.client import Client  # noqa: PLC0415 - see above

        return Client
    raise AttributeError(f"module 'ptolemy' has no attribute {name!r}")
