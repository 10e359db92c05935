"""The exported file, in whichever way the vendor sends it: neither media type nor envelope is documented."""

from typing import Any, Final

import httpx

from clients.billing.envelope import decoded, is_csv
from clients.billing.operations import EXPORT_CSV
from clients.billing.wire import CsvFile
from clients.errors import Garbled

_DATA: Final[Any] = str | dict[str, Any]


def csv_file(reply: httpx.Response) -> CsvFile:
    """The reply's body where it is CSV, else the text in the JSON's data.

    Raises:
        Garbled: The data is neither a text nor an object with one text in it.
    """
    if is_csv(reply, EXPORT_CSV):
        return CsvFile(content=reply.content, media_type=reply.headers["content-type"])
    data = decoded(reply, EXPORT_CSV, _DATA)
    # A member's name would be a guess; where there is but one text, there is no doubt which it is.
    texts = [data] if isinstance(data, str) else [value for value in data.values() if isinstance(value, str)]
    if len(texts) != 1:
        raise Garbled("The answer holds no file.", operation=EXPORT_CSV, status=reply.status_code)
    return CsvFile(content=texts[0].encode(), media_type="text/csv; charset=utf-8")
