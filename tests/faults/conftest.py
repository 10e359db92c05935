"""What every fault is played with: a row of the table, under one call."""

import pytest

from tests.faults.asks import Ask
from tests.faults.promises import Row


@pytest.fixture
def row(case: tuple[Row, Ask]) -> Row:
    """What goes wrong."""
    return case[0]


@pytest.fixture
def ask(case: tuple[Row, Ask]) -> Ask:
    """Under which call."""
    return case[1]
