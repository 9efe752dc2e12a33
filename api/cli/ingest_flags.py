"""Flags of `polylens ingest` alone, in the panels of its help."""

from typing import Annotated, Literal

import typer

_WHICH = "Which files"
_AGAIN = "What to do again, and what to remove"
_VIDEOS = "Videos (changing one of these processes videos again)"
_REPORT = "Output"

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Folders, files, manifests (.csv, .jsonl, .parquet), WebDataset .tar shards, or "
        "URLs of any of these (https://, s3://, ...).",
        show_default=False,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(help="Only paths that match this glob, e.g. '*.jpg'.", rich_help_panel=_WHICH),
]
Exclude = Annotated[
    list[str] | None, typer.Option(help="Skip paths that match this glob.", rich_help_panel=_WHICH)
]
FollowSymlinks = Annotated[
    bool,
    typer.Option("--follow-symlinks", help="Also follow links to folders.", rich_help_panel=_WHICH),
]
Texts = Annotated[
    bool,
    typer.Option(
        "--texts",
        help="Also make captions and .txt files searchable.",
        rich_help_panel=_WHICH,
    ),
]
FetchHosts = Annotated[
    list[str] | None,
    typer.Option(
        help="Host that URLs in manifests may be fetched from, e.g. '*.example.com'; repeatable.",
        rich_help_panel=_WHICH,
    ),
]
Captions = Annotated[
    bool,
    typer.Option(
        "--captions",
        help="Caption every photo and moment that has no caption, with InternVL-G.",
        rich_help_panel=_WHICH,
    ),
]

RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", help="Retry files that failed before.", rich_help_panel=_AGAIN),
]
Reason = Annotated[
    str,
    typer.Option(
        help="With --retry-failed: only files whose reason contains this.",
        rich_help_panel=_AGAIN,
        show_default=False,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Process everything again.", rich_help_panel=_AGAIN)
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove files that no longer exist.", rich_help_panel=_AGAIN)
]

VideoFrames = Annotated[
    int | None,
    typer.Option(help="Frames for a whole video; default 8.", rich_help_panel=_VIDEOS),
]
SegmentSeconds = Annotated[
    float | None, typer.Option(help="Seconds per segment; default 4.", rich_help_panel=_VIDEOS)
]
SegmentFrames = Annotated[
    int | None, typer.Option(help="Frames per segment; default 4.", rich_help_panel=_VIDEOS)
]
Shots = Annotated[
    bool | None,
    typer.Option(
        "--video-shots",
        help="Also end segments at hard cuts; decodes everything twice.",
        rich_help_panel=_VIDEOS,
    ),
]
KeyFrames = Annotated[
    bool | None,
    typer.Option(
        "--video-keyframes",
        help="Use key frames only: many times faster, fewer moments.",
        rich_help_panel=_VIDEOS,
    ),
]

EngineName = Annotated[
    Literal["local", "ray"] | None,
    typer.Option(
        "--engine",
        help="Run on this machine, or on a Ray cluster (--set ray_address=...) with Qdrant.",
    ),
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Show what would be done, and change nothing.", rich_help_panel=_REPORT
    ),
]
ListAll = Annotated[
    bool,
    typer.Option("--list-all", help="List every file that was left out.", rich_help_panel=_REPORT),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the report, or the plan, as JSON.",
        rich_help_panel=_REPORT,
    ),
]
