"""Who sends: the attributes that stand once before all spans and numbers of a process."""

import os
from uuid import uuid4

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from typing_extensions import override

from gateway import VERSION


class _Who(Resource):
    """A resource whose hash is known: the SDK writes it out as JSON for that, and is asked for each span it sends."""

    def __init__(self, told: Resource) -> None:
        super().__init__(told.attributes, told.schema_url)
        self._hash = super().__hash__()

    @override
    def __hash__(self) -> int:
        return self._hash

    @override
    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def resource() -> Resource:
    """Who we are; one instance per process, since each has numbers of its own."""
    return _Who(_told())


def _told() -> Resource:
    told = Resource.create({SERVICE_VERSION: VERSION})
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        told = told.merge(Resource({SERVICE_NAME: "funnel-gateway"}))
    given = told.attributes.get(SERVICE_INSTANCE_ID)
    if given is None or "service.instance.id" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        return told.merge(Resource({SERVICE_INSTANCE_ID: str(uuid4())}))
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # One of several workers.
        return told.merge(Resource({SERVICE_INSTANCE_ID: f"{given}-{os.getpid()}"}))
    return told
