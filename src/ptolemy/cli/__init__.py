"""The command line: arguments in, calls, pictures out. A command imports what it needs when it runs."""
