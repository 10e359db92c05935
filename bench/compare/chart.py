"""Bars, as an SVG that needs nothing else."""

from collections.abc import Sequence
from html import escape
from typing import Final

from bench.compare.contest import Contest

WIDTH: Final = 760
LEFT: Final = 230
ROW: Final = 22
OURS: Final = "#2563eb"
THEIRS: Final = "#94a3b8"


def chart(contests: Sequence[Contest], *, ours: str, caption: str) -> str:
    """Requests a second, one group of bars for each contest; the longest bar of a group fills the width.

    Args:
        contests: The groups.
        ours: How names of ours begin.
        caption: What ran, and on what.
    """
    drawn: list[str] = []
    top = 14
    for contest in contests:
        top += 20
        drawn.append(_text(8, top, f"{contest.name}, {contest.connections} at once", weight="bold"))
        longest = max(map(contest.rate, contest.samples))
        for name in sorted(contest.samples, key=contest.rate, reverse=True):
            top += ROW
            rate = contest.rate(name)
            width = (WIDTH - LEFT - 90) * rate / longest
            colour = OURS if name.startswith(ours) else THEIRS
            drawn.append(_text(LEFT - 8, top, name, anchor="end"))
            drawn.append(f'<rect x="{LEFT}" y="{top - 12}" width="{width:.0f}" height="15" rx="2" fill="{colour}"/>')
            drawn.append(_text(LEFT + width + 6, top, f"{rate:,.0f}/s"))
        top += 12
    top += 24
    drawn.append(_text(8, top, caption, size=9))
    height = top + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 12) -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" font-size="{size}" fill="#0f172a"'
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{escape(words)}</text>'
