"""Operations: what was about to be sent to a vendor, what came of it, and who finds that out later."""
