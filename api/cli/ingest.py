"""`polylens ingest`"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

from api.cli import ingest_flags as flags
from api.cli.options import (
    CollectionName,
    Data,
    Device,
    EncoderName,
    More,
    TowersFlag,
    settings,
)
from api.cli.progress import follow, follow_captions, show_end, show_left_out, show_plan
from api.installation import Installation

if TYPE_CHECKING:
    from api.bulk import Bulk, Reconciled
    from api.captions import Captioner
    from ingestion import Report

NOTHING, SOME_FAILED, POINTS_LOST = 1, 3, 4  # exit codes


def ingest(
    sources: flags.Sources,
    include: flags.Include = None,
    exclude: flags.Exclude = None,
    follow_symlinks: flags.FollowSymlinks = False,
    texts: flags.Texts = False,
    captions: flags.Captions = False,
    fetch_hosts: flags.FetchHosts = None,
    retry_failed: flags.RetryFailed = False,
    reason: flags.Reason = "",
    force: flags.Force = False,
    prune: flags.Prune = False,
    video_frames: flags.VideoFrames = None,
    video_segment_seconds: flags.SegmentSeconds = None,
    video_segment_frames: flags.SegmentFrames = None,
    video_shots: flags.Shots = None,
    video_keyframes: flags.KeyFrames = None,
    dry_run: flags.DryRun = False,
    list_all: flags.ListAll = False,
    as_json: flags.AsJson = False,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    engine: flags.EngineName = None,
    towers: TowersFlag = None,
    more: More = None,
) -> None:
    """Make photos, videos and texts searchable.

    Processes only new and changed files. You can stop and repeat it at any time. See what it did
    with: polylens jobs

    \b
    polylens ingest ~/Pictures
    polylens ingest products.csv --texts --fetch-hosts images.example.com
    polylens ingest shards/*.tar --dry-run

    Exit codes: 0 everything is searchable, 1 nothing is or the job could not run, 2 wrong usage,
    3 some files failed, 4 the collection has fewer points than it should, 130 stopped.
    """
    from api.bulk import Bulk, needs_of
    from encoders import BOTH
    from ingestion import IngestOptions, Limits, Reach, SourceOptions, open_source

    if reason and not retry_failed:
        raise typer.BadParameter("--reason needs --retry-failed")
    chosen = settings(
        more,
        data=data,
        collection=collection,
        encoder=encoder,
        device=device,
        engine=engine,
        towers=towers,
        fetch_hosts=fetch_hosts,
        video_frames=video_frames,
        video_segment_seconds=video_segment_seconds,
        video_segment_frames=video_segment_frames,
        video_shots=video_shots,
        video_keyframes=video_keyframes,
    )
    reach = Reach(tuple(chosen.fetch_hosts), tuple(chosen.fetch_private_hosts))
    listing = SourceOptions(
        tuple(include or ()), tuple(exclude or ()), follow_symlinks, texts, reach
    )
    found = [open_source(_named(name), listing) for name in sources]
    options = IngestOptions(
        limits=Limits(max_pixels=chosen.max_image_pixels),
        video=chosen.video,
        retry_failed=retry_failed,
        retry_reason=reason,
        force=force,
        needs=needs_of(found),
    )
    with Installation(chosen, BOTH if captions else options.needs) as polylens:
        bulk = Bulk(polylens, found, options)
        captioner = bulk.captioner() if captions else None  # refused before anything is done
        if dry_run:
            _plan(bulk, as_json=as_json)
            return
        report, points = _run(bulk, captioner, prune=prune, list_all=list_all, as_json=as_json)
    raise typer.Exit(_code(report, points))


def _run(
    bulk: "Bulk", captioner: "Captioner | None", *, prune: bool, list_all: bool, as_json: bool
) -> tuple["Report", "Reconciled"]:
    """Do all of it, and tell it as it goes on and at the end."""
    console = Console(highlight=False, stderr=as_json)
    console.print(f"Into collection [bold]{escape(bulk.name)}[/]")
    report = follow(bulk.run(), console)
    written = follow_captions(bulk.captioned(captioner), console) if captioner else None
    gone = bulk.tidied(prune=prune)
    points = bulk.reconciled()  # of what is left
    if as_json:
        told = {"captions": asdict(written)} if written else {}
        _print({"job": bulk.job, **asdict(report), **asdict(points), "gone": gone, **told})
    else:
        show_end(bulk, points, gone, pruned=prune)
        show_left_out(bulk.left_out(), every=list_all)
    return report, points


def _plan(bulk: "Bulk", *, as_json: bool) -> None:
    made, seconds = bulk.plan()
    if as_json:
        counts = {name: value for name, value in asdict(made).items() if name != "sample"}
        _print(counts | {"seconds": seconds})
    else:
        show_plan(made, seconds)


def _named(name: str) -> str:
    if not name:
        raise typer.BadParameter("a source is empty; use . for the current folder")
    return name


def _code(report: "Report", points: "Reconciled") -> int:
    if report.done + report.unchanged == report.failed_before + report.skipped_before:
        return NOTHING
    if points.is_short:
        return POINTS_LOST
    return SOME_FAILED if report.failed + report.failed_before else 0


def _print(found: dict[str, Any]) -> None:
    typer.echo(json.dumps(found))
