"""Answer a query: embed its parts, retrieve, rank, cut a page, add the moments."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from encoders import Encoder, require_same
from indexer import Collection, Filter, Hit, MatchAny, MatchCondition, MatchValue
from retrieval.answer import Answer, Found
from retrieval.calibration import Calibration
from retrieval.candidates import Group
from retrieval.cascade import Pictures, match, rescore
from retrieval.contradictions import contradictions
from retrieval.cursor import Place, read_cursor, write_cursor
from retrieval.diversity import collapse, diversify, vectors
from retrieval.errors import InvalidQuery
from retrieval.fusion import find_words, fuse, join
from retrieval.moments import moments, timeline
from retrieval.plan import make_plan
from retrieval.query import Query
from retrieval.relevance import GOOD, Relevance, cut, likely, relevance
from retrieval.target import Embedder
from retrieval.trace import Trace
from retrieval.window import DEEPEST, Retriever, Window

VIDEO_KINDS = ("segment", "video")
SEGMENTS = 10_000
"""Segments fetched at once to find the moments of the videos in an answer."""


def no_pictures(_: Hit) -> None:
    """For searchers that cannot see what the points show."""


class Searcher:
    """Searches one collection with the encoder that made it."""

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        pictures: Pictures = no_pictures,
        calibration: Calibration | None = None,
    ) -> None:
        """`pictures` shows points to the encoder, for `rerank`; `calibration` is the collection's.

        Raises `EncoderMismatch` where the collection was made by another encoder.
        """
        what = f"collection {collection.name!r}"
        require_same(collection.schema.fingerprint, encoder.info.fingerprint, what)
        self.collection = collection
        self.encoder = encoder
        self._pictures = pictures
        self._calibration = calibration

    def search(self, query: Query) -> Answer:
        """The best assets (or points) for the query, and the cursor of the next.

        Raises `InvalidQuery`, `UnknownPoint`, and what the encoder and the collection raise.
        """
        parts = (self.collection, self.encoder, self._pictures, self._calibration)
        return _Search(*parts, query).answer()


class _Search:
    """One query under way."""

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        pictures: Pictures,
        calibration: Calibration | None,
        query: Query,
    ) -> None:
        self._calibration = calibration
        self._collection, self._encoder, self._pictures = collection, encoder, pictures
        self._query = query
        self._trace = Trace()
        self._place = read_cursor(query.cursor, collection, query)
        with self._trace.stage("plan") as step:
            self._plan = make_plan(query, collection.schema, encoder.info)
            self._relevance = self._fitted()
            step.note = "; ".join(filter(None, [self._plan.why, self._measured()]))
        embedder = Embedder(collection, encoder)
        self._targets = embedder.targets(query, self._plan.vectors, self._trace)

    def answer(self) -> Answer:
        window, groups = self._window()
        page = [group for group in groups if group.mark not in self._place.shown]
        rest = page[self._query.limit :]
        page = page[: self._query.limit]
        following = self._following(window, page, rest)
        segments = self._segments(page)
        hits = [_found(group, segments.get(group.best.asset), self._relevance) for group in page]
        good_match = None if self._relevance is None else any(hit.good_match for hit in hits)
        return Answer(
            hits,
            good_match,
            self._warnings(window, following),
            self._trace.took_ms,
            write_cursor(following, self._collection, self._query) if following else None,
            self._trace.stages if self._query.explain else [],
        )

    def _fitted(self) -> Relevance | None:
        """None where nothing is known of how likely a hit of this query answers."""
        if not self._query.only_text:
            return None
        [text] = self._query.sought
        info, known = self._encoder.info, self._calibration
        if known and known.fits(info) and self._plan.last in known.vectors:
            return known.vectors[self._plan.last].relevance(text)
        found = relevance(info)
        if found is None and self._query.min_relevance:
            raise InvalidQuery(
                f"min_relevance: what scores of the encoder {info.name!r} mean was not measured. "
                "Run `polylens index calibrate`, or leave it out"
            )
        return found

    def _measured(self) -> str:
        """Where relevance comes from."""
        found, known = self._relevance, self._calibration
        if found is None:
            return ""
        if known is None or not known.fits(self._encoder.info):
            return f"relevance is one half at {found.centre:.3f}, by the encoder's threshold"
        return (
            f"relevance is one half at {found.centre:.3f}, by {known.texts} background texts over "
            f"{known.points} points on {known.fitted:%Y-%m-%d}"
        )

    def _window(self) -> tuple[Window, list[Group]]:
        """The window that the page is cut from, in its final order."""
        retriever = Retriever(
            self._collection,
            self._plan.retrieve,
            self._targets[self._plan.retrieve],
            self._query.filter,
            by_asset=self._query.group,
            effort=self._query.effort,
        )
        while True:
            texts = self._texts()
            size = self._plan.fused if texts else self._plan.size
            window = retriever.window(self._place, size, self._trace)
            found = self._found(window.groups, texts)
            relevant = self._relevant(found)
            if len(relevant) < len(found) and not (self._plan.rescore and relevant):
                window = replace(window, more=False)  # what comes after is hardly better
            groups = self._ordered(relevant)
            if not window.more or any(group.mark not in self._place.shown for group in groups):
                return window, groups
            # Everything in it was deleted, or shown before what is left came to be, or irrelevant.
            self._place = self._beyond(window, self._place.shown)

    def _texts(self) -> list[Hit]:
        """What is found by words, which is for the first window."""
        if not self._plan.words or self._place.start is not None:
            return []
        [text] = self._query.sought
        query = self._query
        return find_words(self._collection, text, query.filter, self._plan.fused, self._trace)

    def _found(self, groups: list[Group], texts: list[Hit]) -> list[Group]:
        """What vectors found, and words, in one order."""
        groups = [group for group in groups if group.mark not in self._place.moved]
        if not texts:
            return self._rescored(groups)
        name, by_asset = self._plan.retrieve, self._query.group
        groups = join(
            self._collection,
            name,
            self._targets[name],
            groups,
            texts,
            self._trace,
            by_asset=by_asset,
        )
        return fuse(self._rescored(groups), texts, self._trace, by_asset=by_asset)

    def _rescored(self, groups: list[Group]) -> list[Group]:
        name = self._plan.rescore
        if not (groups and name):
            return groups
        target, by_asset = self._targets[name], self._query.group
        return rescore(self._collection, name, target, groups, self._trace, by_asset=by_asset)

    def _relevant(self, groups: list[Group]) -> list[Group]:
        least = self._query.min_relevance
        if not (groups and least and self._relevance):
            return groups
        return cut(groups, self._relevance, least, self._trace)

    def _ordered(self, groups: list[Group]) -> list[Group]:
        query, shown, trace = self._query, self._place.shown, self._trace
        if not groups:
            return []
        same = query.collapse or query.diversity
        rows = vectors(self._collection, self._plan.last, groups, trace) if same else {}
        if query.collapse:
            groups = collapse(groups, rows, trace)
        if query.rerank:
            [text] = query.sought
            groups = match(self._encoder, self._pictures, text, groups, query.rerank, shown, trace)
        if query.diversity:
            groups = diversify(groups, rows, query.diversity, shown, trace)
        return groups

    def _following(self, window: Window, page: list[Group], rest: list[Group]) -> Place | None:
        """Where the next page begins; None at the end."""
        shown = self._place.shown.union(*(group.marks for group in page))
        if rest:
            return replace(self._place, end=window.end, shown=shown)
        return self._beyond(window, shown) if window.more else None

    def _beyond(self, window: Window, shown: frozenset[bytes]) -> Place:
        """After the window; what was shown and is not of it will be met later."""
        early = shown - {group.mark for group in window.groups}
        return Place(window.end, depth=window.depth, moved=self._place.moved | early)

    def _segments(self, page: list[Group]) -> dict[str, list[Hit]]:
        """The segments of the videos on the page, by asset; if grouped."""
        videos = [g.best.asset for g in page if g.best.payload.get("kind") in VIDEO_KINDS]
        if not self._query.group or not videos:
            return {}
        with self._trace.stage("moments", self._plan.last) as step:
            hits = self._segments_of(videos)
            step.count = len(hits)
        by_asset: defaultdict[str, list[Hit]] = defaultdict(list)
        for hit in hits:
            by_asset[hit.asset].append(hit)
        return by_asset

    def _segments_of(self, videos: list[str]) -> list[Hit]:
        of_these: list[MatchCondition | Filter] = [
            MatchCondition(key="kind", match=MatchValue(value="segment")),
            MatchCondition(key="asset", match=MatchAny(any=[*videos])),
        ]
        more = [self._query.filter] if self._query.filter else []
        name = self._plan.last
        hits = self._collection.search(
            self._targets[name], vector=name, filter=Filter(must=[*of_these, *more]), limit=SEGMENTS
        ).hits
        if len(hits) < SEGMENTS or len(videos) == 1:
            return hits
        half = len(videos) // 2
        return self._segments_of(videos[:half]) + self._segments_of(videos[half:])

    def _warnings(self, window: Window, following: Place | None) -> list[str]:
        found = [*window.warnings]
        if self._query.filter:
            found += contradictions(self._query.filter)
        if window.cut and following is None:
            found.append(f"a walk ends at {DEEPEST:,} points: narrow the query to see others")
        return found


def _found(group: Group, segments: Sequence[Hit] | None, relevance: Relevance | None) -> Found:
    best = group.best
    relevant = None if relevance is None else likely(group, relevance)
    if segments is None:
        segments = [member.hit for member in group.members if _is_segment(member.hit)]
    return Found(
        best.id,
        best.asset,
        best.score,
        best.payload,
        group.scores,
        relevant,
        None if relevant is None else relevant >= GOOD,
        moments(segments),
        timeline(segments),
        [twin.best.id for twin in group.duplicates],
    )


def _is_segment(hit: Hit) -> bool:
    return hit.payload.get("kind") == "segment"
