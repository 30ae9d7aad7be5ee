"""The kinds of field a resource is made of; custom fields of types use the same kinds."""

from ptolemy.engine.fields.any_value import AnyValue
from ptolemy.engine.fields.boolean import Boolean
from ptolemy.engine.fields.choice import Choice
from ptolemy.engine.fields.computed import Computed
from ptolemy.engine.fields.date import Date
from ptolemy.engine.fields.documented import Documented
from ptolemy.engine.fields.field import Field
from ptolemy.engine.fields.items import Items
from ptolemy.engine.fields.json import Json
from ptolemy.engine.fields.links import Links
from ptolemy.engine.fields.mention import Mention
from ptolemy.engine.fields.number import Integer, Number
from ptolemy.engine.fields.record_id import RecordId
from ptolemy.engine.fields.reference import Reference
from ptolemy.engine.fields.text import Currency, FieldKey, Identifier, Mic, Text, Timezone
from ptolemy.engine.fields.time import Time
from ptolemy.engine.fields.timestamp import Timestamp
from ptolemy.engine.fields.type_values import TypeValues

__all__ = [
    "AnyValue",
    "Boolean",
    "Choice",
    "Computed",
    "Currency",
    "Date",
    "Documented",
    "Field",
    "FieldKey",
    "Identifier",
    "Integer",
    "Items",
    "Json",
    "Links",
    "Mention",
    "Mic",
    "Number",
    "RecordId",
    "Reference",
    "Text",
    "Time",
    "Timestamp",
    "Timezone",
    "TypeValues",
]
