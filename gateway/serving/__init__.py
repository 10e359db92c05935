"""The process: its socket, its workers, and how it stops."""
