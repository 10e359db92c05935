"""How much anybody may ask for: requests a minute, wrong tokens, and requests at once."""
