"""The vendors, in their own words: two clients, the transport under them, and an emulator of both."""
