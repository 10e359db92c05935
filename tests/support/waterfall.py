"""One trace as an SVG: a row for each span, below its parent, as long as it took."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from tests.support.collector import Span

WIDTH: Final = 960
ROW: Final = 24
TOP: Final = 70
INDENT: Final = 14
FROM: Final = 372
"""Where time begins; names stand before it."""
UNTIL: Final = WIDTH - 128
"""Where the request ends; what it came to stands behind it."""
SHORTEST: Final = 2.5
"""A bar that can be seen."""
TICKS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Milliseconds between two lines."""
MOST_TICKS: Final = 8

_STYLE: Final = """
    text { font-size: 12.5px; fill: #1f2328 }
    .card { fill: #ffffff; stroke: #d0d7de }
    .title { font-size: 15px; font-weight: 600 }
    .says { fill: #59636e; font-size: 12px }
    .code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12px }
    .line { stroke: #d0d7de; stroke-width: 1 }
    .request { fill: #0969da } .own { fill: #8c959f } .store { fill: #afb8c1 }
    .funnelflux { fill: #1a7f37 } .funnelfox { fill: #bf8700 } .failed { fill: #cf222e }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .card { fill: #0d1117; stroke: #3d444d }
      .says { fill: #9198a1 }
      .line { stroke: #2a313c }
      .request { fill: #4493f8 } .own { fill: #656c76 } .store { fill: #3d444d }
      .funnelflux { fill: #3fb950 } .funnelfox { fill: #d29922 } .failed { fill: #f85149 }
    }
"""


def waterfall(spans: Sequence[Span], *, title: str, caption: str) -> str:
    """The picture of one whole trace.

    Args:
        spans: All of it.
        title: What was asked.
        caption: What to see in it.
    """
    known = {span.span_id for span in spans}
    (root,) = (span for span in spans if span.parent_id not in known)
    rows = list(_rows(root, spans, 0))
    height = TOP + ROW * len(rows) + 34
    scale = (UNTIL - FROM) / (root.ended - root.began)
    drawn = [*_ticks(root, scale, height)]
    for place, (span, depth) in enumerate(rows):
        drawn += _row(span, depth, TOP + ROW * place, FROM + (span.began - root.began) * scale, scale)
    about = "; ".join(f"{span.name} {_ms(span)}" for span, _ in rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="title about" '
        "font-family=\"ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\">\n"
        f'  <title id="title">{escape(title)}</title>\n  <desc id="about">{escape(about)}</desc>\n'
        f"  <style>{_STYLE}  </style>\n"
        f'  <rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>\n'
        f'  <text class="title" x="20" y="30">{escape(title)}</text>\n'
        f'  <text class="says" x="20" y="50">{escape(caption)}</text>\n  ' + "\n  ".join(drawn) + "\n</svg>\n"
    )


def _rows(span: Span, spans: Sequence[Span], depth: int) -> Iterator[tuple[Span, int]]:
    yield span, depth
    for one in sorted(spans, key=lambda one: one.began):
        if one.parent_id == span.span_id:
            yield from _rows(one, spans, depth + 1)


def _ticks(root: Span, scale: float, height: int) -> Iterator[str]:
    whole = (root.ended - root.began) / 1e6
    every = next((tick for tick in TICKS if whole / tick <= MOST_TICKS), TICKS[-1])
    for ms in range(0, int(whole) + 1, every):
        x = FROM + ms * 1e6 * scale
        yield f'<path class="line" d="M{x:.1f} {TOP - 2}V{height - 26}"/>'
        yield f'<text class="says" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{ms} ms</text>'


def _row(span: Span, depth: int, top: int, left: float, scale: float) -> Iterator[str]:
    width = max((span.ended - span.began) * scale, SHORTEST)
    left = min(left, UNTIL - SHORTEST)
    kind = "says code" if span.attributes.get("db.system.name") else "code"
    yield f'<text class="{kind}" x="{20 + depth * INDENT}" y="{top + 16}">{escape(span.name)}</text>'
    yield f'<rect class="{_colour(span)}" x="{left:.1f}" y="{top + 5}" width="{width:.1f}" height="14" rx="3"/>'
    yield f'<text class="says" x="{UNTIL + 12}" y="{top + 16}">{escape(_ms(span) + _came_to(span))}</text>'


def _colour(span: Span) -> str:
    if span.failed:
        return "failed"
    if span.kind == "SERVER":
        return "request"
    if "db.system.name" in span.attributes:
        return "store"
    return str(span.attributes["gateway.upstream"]) if span.kind == "CLIENT" else "own"


def _ms(span: Span) -> str:
    return f"{(span.ended - span.began) / 1e6:.1f} ms"


def _came_to(span: Span) -> str:
    told = span.attributes.get("http.response.status_code", span.attributes.get("gateway.cache", ""))
    return f" · {told}" if told else ""
