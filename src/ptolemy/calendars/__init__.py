"""The trading days of a market: filled from published exchange calendars, asked for sessions and opening hours."""
