"""Tenants: who they are, which vendor accounts they reach, and with which credentials."""
