"""Whatever fits the API document, or nearly does, is answered as the document says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig

from tests.api.conftest import fill
from tests.api.server import Served, serving

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
NOT_SET_UP = "501"
"""The one server error that is foreseen: there is no chat, segmenter or caption model here."""


HARMLESS = list(HealthCheck)
PHASES = (Phase.explicit, Phase.generate)
Case = schemathesis.Case[Any]


def schema_of(*, coverage: bool) -> schemathesis.BaseSchema:
    config = SchemathesisConfig.from_dict(
        {
            "checks": {
                "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", NOT_SET_UP]},
                "positive_data_acceptance": {"enabled": False},
                "negative_data_rejection": {"enabled": False},
                "missing_required_header": {"enabled": False},
                # `points/scroll` also fits the path of a point, where GET and PATCH are at home.
                "unsupported_method": {"enabled": False},
                "allow_header_conformance": {"enabled": False},
                "use_after_free": {"enabled": False},
                "ensure_resource_availability": {"enabled": False},
            },
            "phases": {"coverage": {"enabled": coverage}},
        }
    )
    return schemathesis.openapi.from_path(COMMITTED, config=config)


LONGEST_ADDRESS = 5_000
"""Characters of a request; longer addresses are refused before anybody reads what they ask."""
QUICK, DEEP = schema_of(coverage=False), schema_of(coverage=True)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Served]:
    """A service of its own: what is asked here may remove things."""
    with serving(tmp_path_factory.mktemp("fuzzed")) as served:
        fill(served.installation, "default", photos)
        yield served


def check(case: Case, target: Served) -> None:
    """Ask, every other time for what is there: guessed names and ids are mostly unknown."""
    said = repr((case.path_parameters, case.query, case.body))
    removes_all = (case.method, case.path) == ("DELETE", "/v1/collections/{name}")
    if crc32(said.encode(errors="replace")) % 2 and not removes_all:
        page = target.installation.store.open("default").scroll(limit=1)
        there = {"name": "default"}
        for record in page.records:
            there["point"] = str(record.id)
        case.path_parameters.update({k: v for k, v in there.items() if k in case.path_parameters})
    if len(said) < LONGEST_ADDRESS:
        case.validate_response(case.call(base_url=target.url))


@QUICK.parametrize()
@settings(
    max_examples=5, derandomize=True, deadline=None, suppress_health_check=HARMLESS, phases=PHASES
)
def test_quick(case: Case, target: Served) -> None:
    check(case, target)


@pytest.mark.long
@DEEP.parametrize()
@settings(max_examples=200, deadline=None, suppress_health_check=HARMLESS, phases=PHASES)
def test_deep(case: Case, target: Served) -> None:
    check(case, target)
