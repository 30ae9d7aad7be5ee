"""Rows ⇄ files. Knows no resource: cells are text, elements are objects.

Everything here streams with flat memory and blocks while it reads: call it in a thread.
"""
