"""Tokens: made, recognised, rotated, ended."""
