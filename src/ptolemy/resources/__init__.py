"""The resources: one declaration a file, its special rules beside it."""
