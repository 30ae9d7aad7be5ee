"""Exports: records to files, each file one consistent snapshot."""
