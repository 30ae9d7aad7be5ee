"""What stands in the file of a backup: read, checked, compared and cut out without a server."""
