"""Backups as their owner has them, on a disk: looked at and compared without a server."""
