"""Results as Markdown for people and JSON for programs."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retrieval.evaluate.result import Result, Score


def markdown(results: Sequence[Result]) -> str:
    """A table for each data set, encoder, vector and protocol, with all its languages."""
    return "\n".join(_table(some) for some in _grouped(results))


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Plain data: what a `Result` holds, and each score's difference."""
    return [
        asdict(result)
        | {
            "complete": result.complete,
            "scores": [asdict(score) | {"difference": score.difference} for score in result.scores],
        }
        for result in results
    ]


def save(results: Sequence[Result], folder: Path, languages: Sequence[str] = ()) -> list[Path]:
    """Write both forms, named by data set, encoder and `languages`; raises `OSError`.

    So a run for some languages does not replace the report of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = results[0]
    base = re.sub(r"[^\w.-]+", "-", "-".join([first.dataset, first.encoder, *languages])).strip("-")
    texts = {
        ".md": markdown(results),
        ".json": json.dumps(as_json(results), ensure_ascii=False, indent=1) + "\n",
    }
    for suffix, text in texts.items():
        (folder / f"{base}{suffix}").write_text(text, "utf-8")
    return [folder / f"{base}{suffix}" for suffix in texts]


def _grouped(results: Sequence[Result]) -> list[list[Result]]:
    groups: dict[tuple[str, str, str, str], list[Result]] = {}
    for result in results:
        key = (result.dataset, result.encoder, result.vector, result.protocol)
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def _table(results: Sequence[Result]) -> str:
    first = results[0]
    reference = next((result.reference for result in results if result.reference), None)
    staged = any(score.change is not None for result in results for score in result.scores)
    columns = [
        *("language", "measure", "ours"),
        *([reference, "difference"] if reference else []),
        *(["change"] if staged else []),
    ]
    lines = [
        f"## {first.dataset}: {first.encoder}{first.vector and f', vector {first.vector}'}",
        "",
        f"{first.protocol[0].upper()}{first.protocol[1:]}.",
        "",
        *(line for result in results for line in _notes(result)),
        "",
        _row(columns),
        _row(["---"] * len(columns)),
        *(
            _row([result.language, *_cells(score, compared=reference is not None, staged=staged)])
            for result in results
            for score in result.scores
        ),
        "",
    ]
    return "\n".join(lines)


def _notes(result: Result) -> list[str]:
    """What was scored, and what is missing from it."""
    scored = ", ".join(f"{count} {what}" for what, count in result.counts.items())
    missing = [f"  - **incomplete**: {gap}" for gap in result.gaps]
    return [f"- {result.language}: {scored}", *missing]


def _cells(score: Score, *, compared: bool, staged: bool) -> list[str]:
    return [
        score.name,
        f"{score.value:.1f}",
        *([_number(score.published, ".1f"), _number(score.difference, "+.1f")] if compared else []),
        *([_number(score.change, "+.1f")] if staged else []),
    ]


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
