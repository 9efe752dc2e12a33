"""The demo: ingest real media, search it in many languages, say what to do next."""

from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from api.cli.progress import console, follow
from api.cli.render import moment, name
from api.contact_sheet import ContactSheet, Section
from api.demo.media import Expectation, Script, gather
from api.installation import Installation
from indexer import Collection
from ingestion import IngestOptions, ingest, walk
from retrieval import Answer, Part, Query

SHOWN = 3  # hits shown, and the ranks in which the expected file must be


@dataclass(frozen=True)
class Outcome:
    """A query of the demo and what came of it."""

    wanted: Expectation
    answer: Answer

    @property
    def rank(self) -> int | None:
        """Where the expected file is, from 1."""
        names = [hit.payload.get("name") for hit in self.answer.hits]
        return names.index(self.wanted.file) + 1 if self.wanted.file in names else None

    @property
    def passed(self) -> bool:
        """The expected file is among the first three, or rightly nothing is a good match."""
        if self.wanted.file is None:
            return self.answer.good_match is False
        return self.rank is not None and self.answer.good_match is not False


def run(polylens: Installation) -> bool:
    """The demo on photos that installed packages ship; whether every query came out as expected."""
    script = Script.load()
    folder = polylens.settings.data / "demo"
    gather(script, folder)
    if "demo" in polylens.store.names():
        polylens.store.drop("demo")
    collection = _ingest(polylens, folder, "demo")
    outcomes = _ask(polylens, collection, script.queries)
    console.print(_table(outcomes, judged=True))
    _write_sheet(polylens, collection, outcomes)
    failed = [outcome.wanted.text for outcome in outcomes if not outcome.passed]
    if failed:
        console.print(f"[red]Not as expected:[/] {escape(', '.join(failed))}")
    _say_next(polylens)
    return not failed


def run_on(polylens: Installation, folder: Path) -> None:
    """The same on a folder of one's own, without expectations."""
    collection = _ingest(polylens, folder, "my-media")
    outcomes = _ask(polylens, collection, Script.load().queries)
    console.print(_table(outcomes, judged=False))
    _write_sheet(polylens, collection, outcomes)
    console.print(
        "\nNext:\n"
        "  [bold]source .venv/bin/activate[/]\n"
        '  [bold]polylens search -c my-media "a dog on the beach"[/]\n'
        "  [bold]polylens serve[/]   and open "
        f"http://127.0.0.1:{polylens.settings.port}/?c=my-media"
    )


def _ingest(polylens: Installation, folder: Path, name: str) -> Collection:
    items = walk(folder)
    collection = polylens.open_or_create(name)
    encoder = polylens.encoder(collection)
    polylens.roots.add(folder)
    console.print(f"Ingesting {escape(str(folder))} with [bold]{encoder.info.name}[/]:")
    console.print(f"[dim]{escape(encoder.info.description)}")
    follow(ingest(items, encoder, collection, IngestOptions()))
    return collection


def _ask(
    polylens: Installation, collection: Collection, queries: list[Expectation]
) -> list[Outcome]:
    searcher = polylens.searcher(collection.name)
    return [
        Outcome(wanted, searcher.search(Query([Part(text=wanted.text)], limit=SHOWN)))
        for wanted in queries
    ]


def _table(outcomes: list[Outcome], *, judged: bool) -> Table:
    rows = Table(title="Searches", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "language", "query", "best hits", "score", "moment"):
        rows.add_column(heading, justify="right" if heading == "score" else "left")
    for outcome in outcomes:
        mark = ("[green]ok[/]" if outcome.passed else "[red]NO[/]") if judged else ""
        question = (mark, outcome.wanted.language, escape(outcome.wanted.text))
        for hit in _hits(outcome.answer):
            rows.add_row(*question, *hit)
            question = ("", "", "")
    return rows


def _hits(answer: Answer) -> list[tuple[str, str, str]]:
    """File, score and moment of each hit."""
    if answer.good_match is False or not answer.hits:
        return [("[dim]no good match[/]", "", "")]
    return [
        (escape(name(hit)), f"{hit.score:.2f}", moment(hit))
        for hit in answer.hits
        if hit.good_match is not False
    ]


def _write_sheet(polylens: Installation, collection: Collection, outcomes: list[Outcome]) -> None:
    path = polylens.settings.data / f"{collection.name}.html"
    sections = [Section(o.wanted.text, o.answer, o.wanted.language) for o in outcomes]
    ContactSheet(polylens, collection).write(path, "polylens demo", sections)
    console.print(f"\nThe hits as pictures: [bold]{escape(path.as_uri())}", soft_wrap=True)


def _say_next(polylens: Installation) -> None:
    console.print(
        "\nNext, with your own folder:\n"
        "  [bold]source .venv/bin/activate[/]\n"
        "  [bold]polylens ingest ~/Pictures[/]\n"
        '  [bold]polylens search "a dog on the beach"[/]\n'
        "  [bold]polylens serve[/]   and open "
        f"http://127.0.0.1:{polylens.settings.port}/?c=demo",
        highlight=False,
    )
