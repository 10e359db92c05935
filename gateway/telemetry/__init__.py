"""What leaves the gateway about itself: spans, lines of the log, and the names in both."""

from gateway.telemetry.logs import LEVELS, Line, Log, adopt_stdlib, logger
from gateway.telemetry.traces import Provider, load_sender, stop, tracer_provider

__all__ = ["LEVELS", "Line", "Log", "Provider", "adopt_stdlib", "load_sender", "logger", "stop", "tracer_provider"]
