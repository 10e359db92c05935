"""Both vendors, emulated: one real HTTP server, stateful, in memory.

`server.SandboxServer` starts it, `emulator.Sandbox` is the world behind it.
The vendors are written down here from their documents alone: nothing is shared
with the clients, so that the two can't share a misreading. Where a vendor's
documents are silent, the emulator chooses, and says so where it does.
"""
