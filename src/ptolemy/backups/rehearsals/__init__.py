"""Rehearsals of backups: asked for, run, and as their users see them."""
