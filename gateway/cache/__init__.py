"""What vendors said, kept for a while: one call however many ask, and nothing stale after a write.

Two levels: this process's memory, and Redis where there is one. What is kept
is data as the vendor gave it; the answers made from it hang off it and go with it.
"""
