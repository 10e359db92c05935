"""The image, made from the Dockerfile without a container engine's daemon, and tried.

Where the tools are there it is built and run for real (`built`); elsewhere the
Dockerfile's steps are done in a folder (`steps`). Either way the result has to
serve (`trial`).
"""
