"""The commands, and the one place where errors become words and exit codes.

Exit codes: 0 done; 1 could not be done (the message says why and what to do); 2 wrong usage;
3 ingestion ran, but some files failed; 4 it ran, and points are missing; 130 interrupted.
"""

import importlib.metadata
import sys
import tomllib
from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from api.cli.bench import bench
from api.cli.classify import classify
from api.cli.demo import demo
from api.cli.doctor import doctor
from api.cli.duplicates import duplicates
from api.cli.evaluate import evaluate
from api.cli.index import index
from api.cli.ingest import ingest
from api.cli.jobs import jobs
from api.cli.keys import keys
from api.cli.models import models
from api.cli.plan import plan
from api.cli.probe import probe
from api.cli.search import search
from api.cli.segment import segment
from api.cli.serve import serve
from api.cli.status import status
from api.cli.streams import abandon_stdout, flushed
from api.heads import NotConfigured
from api.refusal import ServiceError
from api.settings import NoHome
from encoders import EncoderError
from indexer import IndexerError, UnknownAlias, UnknownCollection
from indexer.local.memory import share_heap
from ingestion.errors import IngestError
from retrieval import RetrievalError

app = typer.Typer(
    name="polylens",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo, ingest, search, serve, classify, segment, duplicates, models, doctor, plan
):  # fmt: skip
    app.command()(command)
app.command()(bench)
app.command()(status)
app.command("eval")(evaluate)
app.add_typer(index, name="index")
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
app.add_typer(probe, name="probe")

DOMAIN_ERRORS = (
    EncoderError,
    IndexerError,
    IngestError,
    RetrievalError,
    NotConfigured,
    NoHome,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"polylens {importlib.metadata.version('polylens')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Search your photos and videos by text in any language, or by image."""


def main() -> None:
    """Run the command line; the exit code is described above."""
    share_heap()
    try:
        with flushed():
            app()
    except UnknownAlias as error:
        _fail(str(error))
    except UnknownCollection as error:
        _fail(f"{error}. Create it with: polylens ingest FOLDER, or name another with -c")
    except ServiceError as error:
        hint = ": set the key with client_key (POLYLENS_CLIENT_KEY)"
        _fail(f"{error}{hint if error.status == 401 else ''}")
    except DOMAIN_ERRORS as error:
        _fail(str(error))
    except SettingsError as error:
        _fail(f'{error}: write lists as JSON, e.g. ["a", "b"]')
    except tomllib.TOMLDecodeError as error:
        _fail(f"the settings file is not TOML: {error}")
    except ValidationError as error:
        _fail("; ".join(_setting(problem) for problem in error.errors()))
    except BrokenPipeError:
        abandon_stdout()  # whoever read our output has seen enough
        sys.exit(1)
    except OSError as error:
        _fail_by_system(error)


def _setting(problem: ErrorDetails) -> str:
    name = ".".join(map(str, problem["loc"]))
    return f"setting {name!r}: {problem['msg']}" if name else problem["msg"]


def _fail_by_system(error: OSError) -> None:
    """The disk, most likely; without a file name, what we print to."""
    if error.filename is None:
        abandon_stdout()
    _fail(f"{error.filename or 'standard output'}: {error.strerror or error}")


def _fail(message: str) -> None:
    typer.echo(f"polylens: {message}", err=True)
    sys.exit(1)
