"""The service's log: a line per request, as text or JSON."""

import json
import logging
import sys
import time
from typing import Any

access = logging.getLogger("polylens.access")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; fields given as `extra={"fields": {...}}` stand beside the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(*, as_json: bool, requests: bool) -> None:
    """Send the logs of a serving process to standard error, requests among them if asked."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if as_json else plain)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("polylens").setLevel(logging.INFO)
    access.setLevel(logging.INFO if requests else logging.WARNING)
