"""Flags of `polylens ingest` alone, in the panels of its help."""

from typing import Annotated, Literal

import typer

_WHICH = "Which files"
_AGAIN = "What is done again, and what is forgotten"
_VIDEOS = "Videos, which are redone where one of these changes"
_REPORT = "What is told"

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
    list[str] | None, typer.Option(help="Not paths that match this.", rich_help_panel=_WHICH)
]
FollowSymlinks = Annotated[
    bool,
    typer.Option("--follow-symlinks", help="Also enter linked folders.", rich_help_panel=_WHICH),
]
Texts = Annotated[
    bool,
    typer.Option(
        "--texts",
        help="Make captions and .txt files searchable, too.",
        rich_help_panel=_WHICH,
    ),
]
FetchHosts = Annotated[
    list[str] | None,
    typer.Option(
        help="Fetch URLs of this host that a manifest names, e.g. '*.example.com'.",
        rich_help_panel=_WHICH,
    ),
]
Captions = Annotated[
    bool,
    typer.Option(
        "--captions",
        help="Write a caption for each photo and moment that has none, by InternVL-G.",
        rich_help_panel=_WHICH,
    ),
]

RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", help="Try what failed before again.", rich_help_panel=_AGAIN),
]
Reason = Annotated[
    str,
    typer.Option(
        help="With --retry-failed: only where the reason contains this.",
        rich_help_panel=_AGAIN,
        show_default=False,
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Do everything again.", rich_help_panel=_AGAIN)
]
Prune = Annotated[
    bool, typer.Option("--prune", help="Forget what is gone.", rich_help_panel=_AGAIN)
]

VideoFrames = Annotated[
    int | None,
    typer.Option(help="Uniform frames of a video as a whole, 8.", rich_help_panel=_VIDEOS),
]
SegmentSeconds = Annotated[
    float | None, typer.Option(help="Seconds of one segment, 4.", rich_help_panel=_VIDEOS)
]
SegmentFrames = Annotated[
    int | None, typer.Option(help="Frames of one segment, 4.", rich_help_panel=_VIDEOS)
]
Shots = Annotated[
    bool | None,
    typer.Option(
        "--video-shots",
        help="End segments where the camera cuts, too: all is decoded twice.",
        rich_help_panel=_VIDEOS,
    ),
]
KeyFrames = Annotated[
    bool | None,
    typer.Option(
        "--video-keyframes",
        help="Look at key frames alone: many times faster, fewer moments.",
        rich_help_panel=_VIDEOS,
    ),
]

EngineName = Annotated[
    Literal["local", "ray"] | None,
    typer.Option(
        "--engine",
        help="Work on this machine, or on a Ray cluster (--set ray_address=...) into Qdrant.",
    ),
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be done, and do nothing.", rich_help_panel=_REPORT
    ),
]
ListAll = Annotated[
    bool,
    typer.Option("--list-all", help="Name everything that was left out.", rich_help_panel=_REPORT),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the report, or the plan, as JSON for programs.",
        rich_help_panel=_REPORT,
    ),
]
