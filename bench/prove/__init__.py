"""What `make prove` runs: the promises about trouble, each held against a gateway that is in it."""
