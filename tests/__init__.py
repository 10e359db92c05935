"""The tests: named after what they hold us to."""
