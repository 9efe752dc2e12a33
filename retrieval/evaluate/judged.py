"""A live collection against a user's own judgements, stage by stage."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np

from encoders import Encoder
from indexer import Collection, Hit, Record
from retrieval.errors import InvalidDataset
from retrieval.evaluate.dataset import Gaps
from retrieval.evaluate.exact import Exact, pages
from retrieval.evaluate.judgements import Judgement
from retrieval.evaluate.measures import ndcg, recall, reciprocal_rank
from retrieval.evaluate.result import Result, Score
from retrieval.query import Part, Query
from retrieval.search import Searcher

DEPTH = 10
OVERFETCH = 8  # points asked of the index for each asset wanted
STAGES = ("encoder", "index", "search")
PROTOCOL = (
    "encoder: every stored vector compared; index: the collection's own search; search: the whole "
    "query with rescoring and grouping. What a stage loses is its difference to the one before"
)
ALL = "all"

Ranked = Sequence[str]
"""Assets, best first."""


def evaluate_judgements(
    judgements: Sequence[Judgement], collection: Collection, encoder: Encoder
) -> list[Result]:
    """A result for each language and one for all; raises `InvalidDataset` if none can be scored.

    Reads the whole collection once.
    """
    vector = next(iter(collection.schema.vectors))
    queries = encoder.encode_texts([one.query for one in judgements])[vector]
    exact, names = Exact(queries), Names(judgements)
    for records in pages(collection, vector):
        exact.see(records, vector)
        names.see(records)
    searcher = Searcher(collection, encoder)
    gaps = Gaps()
    cases = []
    for at, one in enumerate(judgements):
        if one.relevant and not (grades := names.grades(one, gaps)):
            gaps.add("queries none of whose files is in the collection", one.query)
            continue
        stages = (
            exact.assets(at, DEPTH),
            _assets(collection.search(queries[at], vector=vector, limit=OVERFETCH * DEPTH).hits),
        )
        answer = searcher.search(Query([Part(text=one.query)], limit=DEPTH))
        found = [hit.asset for hit in answer.hits]
        cases.append(Case(one, grades if one.relevant else {}, (*stages, found), answer.good_match))
    return _results(cases, gaps, collection, encoder, vector)


class Names:
    """Which assets the judged names are of."""

    def __init__(self, judgements: Iterable[Judgement]) -> None:
        self._assets: dict[str, set[str]] = {
            name: set() for one in judgements for name in one.relevant
        }

    def see(self, records: Iterable[Record]) -> None:
        """Note the records that have a judged name."""
        for record in records:
            for name in _names(record):
                if name in self._assets:
                    self._assets[name].add(record.asset)

    def grades(self, judgement: Judgement, gaps: Gaps) -> dict[str, float]:
        """Asset -> grade, for the names that one asset has."""
        grades = {}
        for name, grade in judgement.relevant.items():
            assets = self._assets[name]
            if len(assets) == 1:
                grades[next(iter(assets))] = grade
            else:
                gaps.add(
                    "judged names of several files" if assets else "judged files not there", name
                )
        return grades


@dataclass(frozen=True)
class Case:
    """A judgement, its grades by asset, and the ranked assets of each of `STAGES`."""

    judgement: Judgement
    grades: Mapping[str, float]
    stages: Sequence[Ranked]
    good_match: bool | None

    def gains(self, stage: int) -> list[float]:
        """The grade of each hit of a stage."""
        return [self.grades.get(asset, 0.0) for asset in self.stages[stage]]


def _names(record: Record) -> list[str]:
    """The asset's URI, and the ends of its path, from the name alone upwards."""
    parts = unquote(record.asset).split("/")
    ends = ["/".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
    return list(dict.fromkeys([record.asset, str(record.payload.get("name", "")), *ends]))


def _assets(hits: Iterable[Hit]) -> list[str]:
    return list(dict.fromkeys(hit.asset for hit in hits))[:DEPTH]


def _results(
    cases: Sequence[Case], gaps: Gaps, collection: Collection, encoder: Encoder, vector: str
) -> list[Result]:
    if not cases:
        raise InvalidDataset(f"no query can be scored: {'; '.join(gaps.sentences())}")
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.judgement.language].append(case)
    groups = {ALL: list(cases)} | (dict(sorted(groups.items())) if len(groups) > 1 else {})
    return [
        Result(
            dataset=collection.name,
            language=language,
            encoder=encoder.info.name,
            vector=vector,
            protocol=PROTOCOL,
            counts={"queries": len(some), "points": collection.count()},
            scores=_scores(some),
            gaps=gaps.sentences(),
            fingerprint=dict(encoder.info.fingerprint),
        )
        for language, some in groups.items()
    ]


def _scores(cases: Sequence[Case]) -> list[Score]:
    answered = [case for case in cases if case.grades]
    scores = [
        Score(f"{name}, {stage}", 100 * _mean(measure(case, at) for case in answered))
        for name, measure in MEASURES.items()
        for at, stage in enumerate(STAGES)
        if answered
    ]
    if answered:
        overlap = _mean(_overlap(case) for case in answered)
        scores.append(Score(f"index agrees with exact search @{DEPTH}", 100 * overlap))
    empty = [case for case in cases if not case.grades and case.good_match is not None]
    if empty:
        told = _mean(float(not case.good_match) for case in empty)
        scores.append(Score("nothing relevant, and said so", 100 * told))
    return scores


def _overlap(case: Case) -> float:
    exact, index = set(case.stages[0]), set(case.stages[1])
    return len(exact & index) / max(1, len(exact))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


Measure = Callable[[Case, int], float]
MEASURES: Mapping[str, Measure] = {
    "R@1": lambda case, stage: recall(case.gains(stage), list(case.grades.values()), 1),
    "R@5": lambda case, stage: recall(case.gains(stage), list(case.grades.values()), 5),
    "R@10": lambda case, stage: recall(case.gains(stage), list(case.grades.values()), DEPTH),
    "MRR": lambda case, stage: reciprocal_rank(case.gains(stage)),
    "nDCG@10": lambda case, stage: ndcg(case.gains(stage), list(case.grades.values()), DEPTH),
}
