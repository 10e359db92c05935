"""The policies, in nobody's words: tokens, problems, edge, settings, traces."""
