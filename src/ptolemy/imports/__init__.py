"""Imports: files to records, by the same rules as every other write."""
