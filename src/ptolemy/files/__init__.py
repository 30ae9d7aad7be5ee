"""The file store: what is too large for the database."""
