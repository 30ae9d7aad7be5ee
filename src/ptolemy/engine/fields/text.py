"""Text, and the codes and names that are text of a certain form."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, ClassVar
from zoneinfo import available_timezones

from ptolemy.engine.fields.field import ORDER, SAME, Field, JsonSchema
from ptolemy.kernel.identifiers import MAX_IDENTIFIER, identifier_fault
from ptolemy.kernel.quoting import seen


class Text(Field[str]):
    """Text as it was given, never trimmed; compared by code point."""

    column_type = "text collate pg_c_utf8"
    fault = "invalid_text"
    operators = SAME | ORDER | {"like"}
    is_text = True

    def __init__(self, *, max_length: int = 1000, **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length

    @property
    def sent(self) -> JsonSchema:  # type: ignore[override] # its bound is of the instance
        return {"type": "string", "maxLength": self.max_length}

    def accept(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be text, got {seen(value)}")
        if len(value) > self.max_length:
            raise ValueError(f"must have at most {self.max_length} characters")
        if "\0" in value:
            raise ValueError("must not contain the character NUL")
        return value


class Identifier(Text):
    """The user's own name of a record (reference: identifiers)."""

    fault = "invalid_identifier"
    sent = {"type": "string", "minLength": 1, "maxLength": MAX_IDENTIFIER}

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        if fault := identifier_fault(text):
            raise ValueError(f"{fault}, got {seen(text)}")
        return text


class Code(Text):
    """Text of one form; `means` says it in words."""

    pattern: ClassVar[str]
    means: ClassVar[str]
    is_text = False

    @property
    def sent(self) -> JsonSchema:  # type: ignore[override] # its pattern is of the class below
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise ValueError(f"must be {self.means}, got {seen(text)}")
        return text


class FieldKey(Code):
    """The key of a custom field, as it stands in `field_values` and in the header of a CSV file."""

    fault = "invalid_field_key"
    pattern = "[A-Za-z_][A-Za-z0-9_-]{0,62}"
    means = "up to 63 letters, digits, _ and -, and begin with a letter or _"


class Currency(Code):
    """ISO 4217 alphabetic code, by its form."""

    fault = "invalid_currency"
    pattern = "[A-Z]{3}"
    means = "a currency code of three capital letters (ISO 4217)"


class Mic(Code):
    """Market identifier code (ISO 10383), by its form."""

    fault = "invalid_mic"
    pattern = "[A-Z0-9]{4}"
    means = "a MIC of four capital letters and digits (ISO 10383)"


class Timezone(Text):
    """A name of the IANA time zone database: `Australia/Sydney`."""

    fault = "invalid_timezone"

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        if text not in _zones():
            raise ValueError(f"must be an IANA time zone like Australia/Sydney, got {seen(text)}")
        return text


@cache
def _zones() -> frozenset[str]:
    # Not places: the server's own clock, and what an unset one says.
    return frozenset(available_timezones() - {"localtime", "Factory", "posixrules"})
