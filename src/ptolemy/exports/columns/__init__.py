"""Scalar values by the million: shaped by columns on their way out of COPY."""
