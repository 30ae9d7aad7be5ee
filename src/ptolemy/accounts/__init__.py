"""Who may do what: people, robots, workspaces, memberships and their credentials."""
