"""Exact decimals: digits and scale are kept, never through a float."""

import re
from decimal import Decimal

from ptolemy.kernel.quoting import seen

MAX_DIGITS = 100
"""On either side of the point."""

_FORM = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_PLAIN = re.compile(rf"-?\d{{1,{MAX_DIGITS}}}(\.\d{{1,{MAX_DIGITS}}})?", re.ASCII)


def parse_decimal(value: object) -> Decimal:
    """The decimal that a JSON number or text writes; a `ValueError` says what is wrong with it.

    No locale, no blanks, no underscores, no NaN, no infinity; at most 100 digits on either side of the point.
    """
    if type(value) is str and _PLAIN.fullmatch(value):
        return Decimal(value) or Decimal(value) + 0  # within the limits by its form; the sum takes the sign off a zero
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"must be a number, got {seen(value)}")
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise ValueError(f"must have at most {MAX_DIGITS} digits on either side of the point")
    if isinstance(value, str) and not _FORM.fullmatch(value):
        raise ValueError(f"must be a number, got {seen(value)}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("must be finite")
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - finite, so it is
    if -exponent > MAX_DIGITS or (number and len(digits) + exponent > MAX_DIGITS) or exponent > MAX_DIGITS:
        raise ValueError(f"must have at most {MAX_DIGITS} digits on either side of the point")
    return number or number + 0


def write_decimal(number: Decimal) -> str:
    """Plain digits with the scale kept: `45.820` stays `45.820`; never an exponent."""
    return format(number, "f")
