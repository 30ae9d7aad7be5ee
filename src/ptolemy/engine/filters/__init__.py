"""Filters: conditions as users send them, compiled to one parameterised SQL condition."""

from ptolemy.engine.filters.compiler import Compiled, compile_filter
from ptolemy.engine.filters.condition import Condition

__all__ = ["Compiled", "Condition", "compile_filter"]
