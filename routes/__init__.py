"""Our public API."""
