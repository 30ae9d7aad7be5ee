"""Restores of backups into new workspaces: asked for, run, and as their users see them."""
