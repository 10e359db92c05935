"""The bodies of our public API, and how they come from the vendors' answers."""
