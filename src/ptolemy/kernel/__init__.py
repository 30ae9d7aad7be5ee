"""Words that all rooms share. Nothing here knows a database, HTTP or a resource."""
