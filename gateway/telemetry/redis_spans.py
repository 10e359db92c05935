"""Redis, with a span for each command where a trace is kept: which command it is, never its keys."""

from typing import Any

from opentelemetry.semconv.attributes.db_attributes import DB_OPERATION_BATCH_SIZE, DB_OPERATION_NAME, DB_SYSTEM_NAME
from opentelemetry.trace import SpanKind
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from typing_extensions import override

from clients.spans import child

_REDIS = {DB_SYSTEM_NAME: "redis"}


class TracedRedis(Redis):
    """A client whose commands can be seen."""

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        command = str(args[0])
        with child(command, {**_REDIS, DB_OPERATION_NAME: command}, kind=SpanKind.CLIENT):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # the library's own

    @override
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "TracedPipeline":
        return TracedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class TracedPipeline(Pipeline):
    """Several commands in one go, and one span for all."""

    @override
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        told: dict[str, str | int] = {
            **_REDIS,
            DB_OPERATION_NAME: "PIPELINE",
            DB_OPERATION_BATCH_SIZE: len(self.command_stack),
        }
        with child("PIPELINE", told, kind=SpanKind.CLIENT):
            return await super().execute(raise_on_error)
