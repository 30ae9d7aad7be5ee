"""JSON whose numbers stay exact."""

from decimal import Decimal
from typing import Any

import msgspec

LARGEST_INTEGER = 2**53 - 1
"""What every JSON reader keeps exact (RFC 8259, section 6)."""

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode_exact(text: str | bytes) -> Any:
    """The value with its fractions as `Decimal`; raises `msgspec.DecodeError`, also on nesting too deep to follow."""
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise msgspec.DecodeError(str(error)) from None


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


def encode_canonical(value: Any) -> bytes:
    """Keys sorted by code point, no blanks: equal values give equal bytes."""
    return _canonical.encode(value)
