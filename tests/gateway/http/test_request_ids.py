"""The names of requests."""

import re

from gateway.http.request_ids import AT_ONCE, RequestIds


def test_each_name_is_new() -> None:
    """Of one form, whoever made it, and however many are made."""
    one, other = RequestIds(), RequestIds()

    names = [ids.new() for _ in range(3 * AT_ONCE) for ids in (one, other)]

    assert len(set(names)) == 6 * AT_ONCE
    assert all(re.fullmatch(r"req_[A-Za-z0-9_-]{22}", name) for name in names)
