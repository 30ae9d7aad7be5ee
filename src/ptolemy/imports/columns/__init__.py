"""Scalar values by the million: a block of a file at a time, its rows as columns."""
