import json
import re
import shlex
from pathlib import Path

import pytest

from tests.api.cli.conftest import Run

DOCS = Path(__file__).parents[3] / "docs" / "scaling.md"


def test_a_plan_as_json(run: Run) -> None:
    ran = run("plan", "--items", "1e6", "--vectors", "c,g", "--gpu-hour", "3.8", "--json")
    assert ran.code == 0, ran.err
    plan = json.loads(ran.out)
    assert {one["backend"] for one in plan["estimates"]} == {"local", "qdrant"}
    exact = plan["estimates"][0]
    assert exact["disk"] > 2 * 4 * 768 * 10**6
    encoding = plan["encoding"]
    assert encoding["images"] == 10**6
    assert encoding["cost"] == pytest.approx(3.8 * encoding["gpu_hours"])
    assert encoding["cost"] == pytest.approx(1000 * encoding["cost_per_1000"])


def test_more_gpus_take_less_time_and_the_same_money(run: Run) -> None:
    one, ten = (
        json.loads(run("plan", "--items", "1e8", "--gpus", gpus, "--json").out)["encoding"]
        for gpus in (1, 10)
    )
    assert ten["seconds"] == pytest.approx(one["seconds"] / 10)
    assert (ten["gpu_hours"], ten["cost"]) == (one["gpu_hours"], one["cost"])


def test_a_payload_of_ones_own(run: Run) -> None:
    small, large = (
        json.loads(run("plan", "--items", "1e6", "--payload", payload, "--json").out)["estimates"]
        for payload in ('{"a": 1}', json.dumps({"caption": "x" * 5000}))
    )
    for one, two in zip(small, large, strict=True):
        assert two["disk"] - one["disk"] > 5e9


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--items", "0"], "whole number"),
        (["--items", "-5"], "whole number"),
        (["--items", "1.5"], "whole number"),
        (["--items", "1e13"], "whole number"),
        (["--items", "many"], "whole number"),
        (["--items", "nan"], "whole number"),
        (["--items", "inf"], "whole number"),
        (["--items", "5", "--dims", "0"], "--dims"),
        (["--items", "5", "--dims", "70000"], "--dims"),
        (["--items", "5", "--replicas", "0"], "--replicas"),
        (["--items", "5", "--vectors", "c,"], "--vectors"),
        (["--items", "5", "--vectors", "c,c"], "--vectors"),
        (["--items", "5", "--node-ram", "0"], "--node-ram"),
        (["--items", "5", "--node-disk", "nan"], "--node-disk"),
        (["--items", "5", "--images-per-second", "-1"], "--images-per-second"),
        (["--items", "5", "--images-per-item", "inf"], "--images-per-item"),
        (["--items", "5", "--gpus", "0"], "--gpus"),
        (["--items", "5", "--payload", "{"], "--payload"),
        (["--items", "5", "--payload", "[1]"], "--payload"),
        (["--items", "5", "--payload", '{"a": NaN}'], "--payload"),
        ([], "--items"),
    ],
)
def test_what_cannot_be_planned(run: Run, flags: list[str], words: str) -> None:
    ran = run("plan", *flags)
    assert ran.code == 2
    assert words in ran.err


def test_the_examples_of_the_documentation_are_what_is_printed(run: Run) -> None:
    blocks = re.findall(
        r"```console\n\$ polylens (.*?)\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL
    )
    assert len(blocks) >= 2
    for command, shown in blocks:
        printed = run(*shlex.split(command)).out
        assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines(), command
