"""The resource engine: what every resource has in common, driven by one declaration each."""
