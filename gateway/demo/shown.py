"""How answers and traces look in a terminal: a line or two each."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from rich.text import Text
from rich.tree import Tree
from typing_extensions import override


class Collected(SpanProcessor):
    """Keeps finished spans, to draw one trace at the end."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def of(self, trace_id: int) -> list[ReadableSpan]:
        """The spans of one trace, in the order of their beginning."""
        mine = [span for span in self._spans if span.context is not None and span.context.trace_id == trace_id]
        return sorted(mine, key=lambda span: span.start_time or 0)


def domains(body: Any) -> str:
    """Each with its status."""
    return "\n".join(f"{row['hostname']:<28} {row['status'] or 'not looked at yet'}" for row in body["data"])


def records(body: Any) -> str:
    """What its owner must publish."""
    rows = (f"{record['type']:<6} {record['name']}  {record['value']}" for record in body["dns_records"])
    return "\n".join((f"status {body['status']}; publish:", *rows))


def verdict(body: Any) -> str:
    """How far the hostname is."""
    check = body["check"]
    reached = "not checked" if check is None else f"found {check['found']}, TLS {check['ssl_valid']}"
    ready = body["readiness"]
    return (
        f"hostname {body['status']}, certificate {body['ssl_status']}, {reached}\n{ready['state']}: {ready['summary']}"
    )


def problem(body: Any) -> str:
    """What is wrong, and where."""
    faults = (f"{fault['pointer']}: {fault['detail']}" for fault in body.get("errors", ()))
    return "\n".join((f"{body['code']}: {body['detail']}", *faults))


def token(body: Any) -> str:
    """What it allows, and how long."""
    whose = f"for {body['subject']} only, " if body["subject"] else ""
    return f"{body['id']}: {whose}{' '.join(body['scopes'])}, until {body['expires_at']}"


def payments(body: Any) -> str:
    """Each with what is left of it."""
    return "\n".join(
        f"{row['amount']} {row['currency']['code']}, of which {row['refunded'] or '0'} given back"
        for row in body["data"]
    )


def prices(body: Any) -> str:
    """What each asks."""

    def price(row: Any) -> str:
        count, unit = row["next_period"], row["next_period_duration"]
        every = f"every {unit.removesuffix('s')}" if count == 1 else f"every {count} {unit}"
        return f"{row['lifetime_price']} once" if row["lifetime_price"] else f"{row['next_price']} {every}"

    return "\n".join(f"{row['ident']:<28} {row['currency']['code']} {price(row)}" for row in body["data"])


def features(body: Any) -> str:
    """Their names."""
    return ", ".join(row["ident"] for row in body["data"])


def tree(spans: Sequence[ReadableSpan]) -> Tree:
    """The spans of one trace, each below its parent."""
    known = {span.context.span_id for span in spans if span.context}
    root = Tree("", hide_root=True)
    nodes: dict[int, Tree] = {}
    for span in spans:
        parent = span.parent.span_id if span.parent and span.parent.span_id in known else 0
        above = nodes.get(parent, root)
        took = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
        attributes = span.attributes or {}
        status = attributes.get("http.response.status_code", "")
        label = Text.assemble(
            (f"{span.name}", "cyan"),
            (f"  {attributes.get('gateway.upstream', '')}", "default"),
            (f" {status}", "green" if span.status.is_ok or span.status.is_unset else "red"),
            (f"  {took:.1f} ms", "dim"),
        )
        if span.context:
            nodes[span.context.span_id] = above.add(label)
    return root


def session(body: Any) -> str:
    """The order to pay."""
    return f"order {body['order_id']}"


def payment(body: Any) -> str:
    """How far it came."""
    return f"{body['state']}, order {body['order_id']}"


def customer(body: Any) -> str:
    """What is known of them."""
    owned = [f"{row['price_point']['ident']} {' '.join(row['status'])}" for row in body["subscriptions"]]
    paid = [f"{row['amount']} {row['currency']['code']}" for row in body["payments"]]
    return f"owns {', '.join(owned)}\npaid {', '.join(paid)}; missing: {body['missing'] or 'nothing'}"


def subscription(body: Any) -> str:
    """Where it stands."""
    return f"{' '.join(body['status'])}, charged next {body['next_check_at'] or 'never'}"


def refund(body: Any) -> str:
    """What was given back."""
    return f"{body['refunded']} of {body['amount']} {body['currency']['code']} given back"
