"""Evaluate a live collection on a user's own judgements, stage by stage."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from urllib.parse import unquote

import numpy as np

from indexer import Record
from retrieval.answer import Answer
from retrieval.cascade import MATCH
from retrieval.errors import InvalidDataset
from retrieval.evaluate.dataset import Gaps
from retrieval.evaluate.exact import Exact, pages
from retrieval.evaluate.judgements import Judgement
from retrieval.evaluate.measures import ndcg, recall, reciprocal_rank
from retrieval.evaluate.result import Result, Score
from retrieval.plan import make_plan
from retrieval.query import Part, Query
from retrieval.search import Searcher

DEPTH = 10
OVERFETCH = 8  # points asked of the index for each asset wanted
RERANK = 20
"""Hits whose pictures are compared with the text, where the encoder can."""
PROTOCOL = (
    "encoder: every stored vector compared; index: the collection's own search; {}. What a stage "
    "loses or gains is its change from the one before"
)
STAGES = {
    "rescore": "rescore: those in the order of the second vector",
    "search": "search: the answer a user gets",
    "rerank": "rerank: the first {} of those, each picture compared with the text",
}
UNMEASURED = "not scored before polylens index calibrate"
ALL = "all"

Ranked = Sequence[str]
"""Assets, best first."""


def evaluate_judgements(
    judgements: Sequence[Judgement], searcher: Searcher, rerank: int = RERANK
) -> list[Result]:
    """A result for each language and one for all; raises `InvalidDataset` if none can be scored.

    Reads the whole collection once. `rerank` is how many hits are compared with the text, 0 for no
    such stage; there is none where the encoder cannot.
    """
    collection = searcher.collection
    vector = next(iter(collection.schema.vectors))
    queries = searcher.encoder.encode_texts([one.query for one in judgements])[vector]
    exact, names = Exact(queries), Names(judgements)
    for records in pages(collection, vector):
        exact.see(records, vector)
        names.see(records)
    gaps = Gaps()
    stages = Stages(searcher, rerank, gaps)
    cases = []
    for at, one in enumerate(judgements):
        if one.relevant and not (grades := names.grades(one, gaps)):
            gaps.add("queries none of whose files is in the collection", one.query)
            continue
        hits = collection.search(queries[at], vector=vector, limit=OVERFETCH * DEPTH).hits
        found = {
            "encoder": exact.assets(at, DEPTH),
            "index": list(dict.fromkeys(hit.asset for hit in hits))[:DEPTH],
        }
        later, good_match = stages.of(one.query)
        if not one.relevant and good_match is None:
            gaps.add("queries without an answer, " + UNMEASURED, one.query)
        cases.append(Case(one, grades if one.relevant else {}, found | later, good_match))
    return _results(cases, gaps, searcher, vector, stages.protocol)


class Stages:
    """The stages of the whole search, as far as the collection and the encoder have them."""

    def __init__(self, searcher: Searcher, rerank: int, gaps: Gaps) -> None:
        self._searcher = searcher
        self._gaps = gaps
        info = searcher.encoder.info
        plan = make_plan(Query([Part(text="-")]), searcher.collection.schema, info)
        self._rescores = plan.rescore is not None
        self._rerank = rerank if "match" in info.abilities else 0

    @property
    def protocol(self) -> str:
        """What the stages do, for the report."""
        there = {"rescore": self._rescores, "search": True, "rerank": bool(self._rerank)}
        said = [text.format(self._rerank) for name, text in STAGES.items() if there[name]]
        return PROTOCOL.format("; ".join(said))

    def of(self, text: str) -> tuple[dict[str, Ranked], bool | None]:
        """What each stage ranks for a text, and whether the user is told of a good match."""
        found: dict[str, Ranked] = {}
        query = Query([Part(text=text)], limit=DEPTH)
        if self._rescores:
            found["rescore"] = _assets(self._searcher.search(replace(query, words=False)))
        answer = self._searcher.search(query)
        found["search"] = _assets(answer)
        if self._rerank:
            most = max(DEPTH, self._rerank)
            reranked = self._searcher.search(replace(query, limit=most, rerank=self._rerank))
            found["rerank"] = _assets(reranked)
            for hit in reranked.hits[: self._rerank]:
                if MATCH not in hit.scores and hit.payload.get("kind") != "text":
                    self._gaps.add("hits without a picture to compare", hit.asset)
        return found, answer.good_match


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
    """A judgement, its grades by asset, and the ranked assets of each stage by name, in order."""

    judgement: Judgement
    grades: Mapping[str, float]
    stages: Mapping[str, Ranked]
    good_match: bool | None

    def gains(self, stage: str) -> list[float]:
        """The grade of each hit of a stage."""
        return [self.grades.get(asset, 0.0) for asset in self.stages[stage]]


def _names(record: Record) -> list[str]:
    """The asset's URI, and the ends of its path, from the name alone upwards."""
    parts = unquote(record.asset).split("/")
    ends = ["/".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
    return list(dict.fromkeys([record.asset, str(record.payload.get("name", "")), *ends]))


def _assets(answer: Answer) -> Ranked:
    return [hit.asset for hit in answer.hits][:DEPTH]


def _results(
    cases: Sequence[Case], gaps: Gaps, searcher: Searcher, vector: str, protocol: str
) -> list[Result]:
    if not cases:
        raise InvalidDataset(f"no query can be scored: {'; '.join(gaps.sentences())}")
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.judgement.language].append(case)
    groups = {ALL: list(cases)} | (dict(sorted(groups.items())) if len(groups) > 1 else {})
    collection, info = searcher.collection, searcher.encoder.info
    return [
        Result(
            dataset=collection.name,
            language=language,
            encoder=info.name,
            vector=vector,
            protocol=protocol,
            counts={"queries": len(some), "points": collection.count()},
            scores=_scores(some),
            gaps=gaps.sentences(),
            fingerprint=dict(info.fingerprint),
        )
        for language, some in groups.items()
    ]


def _scores(cases: Sequence[Case]) -> list[Score]:
    answered = [case for case in cases if case.grades]
    scores = []
    if answered:
        for name, measure in MEASURES.items():
            scores += _staged(name, measure, answered)
        overlap = _mean(_overlap(case) for case in answered)
        scores.append(Score(f"index agrees with exact search @{DEPTH}", 100 * overlap))
    empty = [case for case in cases if not case.grades and case.good_match is not None]
    if empty:
        told = _mean(float(not case.good_match) for case in empty)
        scores.append(Score("nothing relevant, and said so", 100 * told))
    return scores


def _staged(name: str, measure: "Measure", cases: Sequence[Case]) -> list[Score]:
    """A measure after each stage, and what it gained over the stage before."""
    stages = list(cases[0].stages)
    values = [100 * _mean(measure(case, stage) for case in cases) for stage in stages]
    changes = [None, *(after - before for before, after in pairwise(values))]
    return [
        Score(f"{name}, {stage}", value, change=change)
        for stage, value, change in zip(stages, values, changes, strict=True)
    ]


def _overlap(case: Case) -> float:
    exact, index = set(case.stages["encoder"]), set(case.stages["index"])
    return len(exact & index) / max(1, len(exact))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


Measure = Callable[[Case, str], float]
MEASURES: Mapping[str, Measure] = {
    "R@1": lambda case, stage: recall(case.gains(stage), list(case.grades.values()), 1),
    "R@5": lambda case, stage: recall(case.gains(stage), list(case.grades.values()), 5),
    "R@10": lambda case, stage: recall(case.gains(stage), list(case.grades.values()), DEPTH),
    "MRR": lambda case, stage: reciprocal_rank(case.gains(stage)),
    "nDCG@10": lambda case, stage: ndcg(case.gains(stage), list(case.grades.values()), DEPTH),
}
