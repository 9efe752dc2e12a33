"""Carries out a Dockerfile's lines in a plain Debian root, where there is no container engine.

    python deploy/try_dockerfile.py deploy/Dockerfile.cpu         # as root, on Linux

RUN, COPY, ENV, ARG, USER and WORKDIR are done one by one in a root made by debootstrap. Then CMD
runs as process 1 in name spaces of its own (mounts, processes, network); it must become healthy by
HEALTHCHECK, find a picture, and end with exit code 0 on SIGTERM. Nothing is left behind.

The base image is only resembled: `python:*` becomes Debian's own Python, in a virtual environment
at /usr/local, where that image has its Python, too. The host's PIP_* and proxy variables count in
RUN; `--bind` shows a path of the host to the root, e.g. a package index or pip's configuration.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED = re.compile("^pip_|_proxy$", re.IGNORECASE)
SECONDS = 120  # to become healthy, and to end

SEARCH = """
import io, sys, httpx
from PIL import Image
key = {"Authorization": f"Bearer {sys.argv[1]}"}
http = httpx.Client(base_url="http://127.0.0.1:8000/v1", headers=key, timeout=120)
http.post("/collections", json={"name": "tried"}).raise_for_status()
Image.new("RGB", (64, 64), "red").save(picture := io.BytesIO(), "PNG")
files = {"files": ("red.png", picture.getvalue())}
http.post("/collections/tried/assets", files=files).raise_for_status()
hits = http.get("/collections/tried/search?q=red").raise_for_status().json()["hits"]
print("found", [hit["payload"]["name"] for hit in hits])
sys.exit(not hits)
"""


def main() -> None:
    """Try one file; ends with an error at the first line that cannot be carried out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--bind", action="append", default=[], type=Path, metavar="PATH")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="root-", dir="/var/tmp") as folder:
        root = Root(Path(folder), asked.bind)
        context = asked.dockerfile.resolve().parents[1]
        build = Build(root, context, dict(pair.split("=", 1) for pair in asked.build_arg))
        for word, rest in instructions(asked.dockerfile.read_text()):
            print(f"--- {word} {rest}", flush=True)
            build.carry_out(word, rest)
        serve(build)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The word and the rest of each line, continued lines as one."""
    joined = re.sub(r"\\\n", "", re.sub(r"(?m)^\s*#.*\n", "", text))
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        yield word.upper(), rest.strip()


def serve(build: "Build") -> None:
    """Run CMD, ask whether it is well, search, and stop it."""
    made = subprocess.run(
        build.inside(["polylens", "keys", "add", "tried", "--scope", "admin"]),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    key = made.stdout.split()[-1]
    with started(build.inside(build.command, "--net")) as (process, init):
        spaces = ["nsenter", f"--target={init}", "--mount", "--pid", "--net"]
        subprocess.run([*spaces, "ip", "link", "set", "lo", "up"], check=True)
        healthy = [*spaces, *build.entered(build.health)]
        until = time.monotonic() + SECONDS
        while subprocess.run(healthy, check=False, stderr=subprocess.DEVNULL).returncode:
            if process.poll() is not None or time.monotonic() > until:
                sys.exit("it did not become healthy")
            time.sleep(0.5)
        print("--- healthy", flush=True)
        subprocess.run([*spaces, *build.entered(["python", "-c", SEARCH, key])], check=True)
        os.kill(init, signal.SIGTERM)
        code = process.wait(SECONDS)
    print(f"--- SIGTERM: exit code {code}")
    if code:
        sys.exit("it did not end in order")


@contextmanager
def started(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process, and the number of its child, with which its name spaces end."""
    process = subprocess.Popen(command)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        if process.poll() is not None:
            sys.exit("it could not be started")
        time.sleep(0.05)
    try:
        yield process, int(found[0])
    finally:
        if process.poll() is None:
            os.kill(int(found[0]), signal.SIGKILL)
            process.wait()


class Root:
    """A folder that becomes the root of commands."""

    def __init__(self, folder: Path, binds: Sequence[Path]) -> None:
        self._folder = folder
        self._binds = binds

    def make(self) -> None:
        """Debian with Python, and a place for each path that is shown to it."""
        self._folder.chmod(0o755)  # it is everybody's root
        options = ["--variant=minbase", f"--include={PACKAGES}", SUITE]
        subprocess.run(["debootstrap", *options, self._folder], check=True, stdout=sys.stderr)
        shutil.copy("/etc/resolv.conf", self.at("/etc/resolv.conf"))
        for path in self._binds:
            place = self.at(str(path))
            (place if path.is_dir() else place.parent).mkdir(parents=True, exist_ok=True)
            if path.is_file():
                place.touch()

    def at(self, path: str) -> Path:
        """Where a path of the root is seen from here."""
        return self._folder / path.lstrip("/")

    def home(self, user: str) -> str:
        """A user's home folder."""
        entries = [line.split(":") for line in self.at("/etc/passwd").read_text().splitlines()]
        return next(entry[5] for entry in entries if entry[0] == user)

    def entered(self, user: str, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` there, where everything is mounted already."""
        return ["chroot", f"--userspec={user}:{user}", str(self._folder), *command]

    def unshared(self, user: str, command: Sequence[str], *spaces: str) -> list[str]:
        """The same in name spaces of its own; what is mounted goes with them."""
        mounts = [f"mount -t proc proc {self.at('proc')}", f"mount --rbind /dev {self.at('dev')}"]
        mounts += [f"mount --bind {path} {self.at(str(path))}" for path in self._binds]
        script = " && ".join([*mounts, f"exec {shlex.join(self.entered(user, command))}"])
        spaces = ("--mount", "--pid", "--fork", "--kill-child", *spaces)
        return ["unshare", *spaces, "sh", "-c", script]


class Build:
    """What the lines so far have made and set."""

    def __init__(self, root: Root, context: Path, given: dict[str, str]) -> None:
        self.command: list[str] = []
        self.health: list[str] = []
        self._root = root
        self._context = context
        self._given = given
        self._arguments: dict[str, str] = {}
        self._variables = {"PATH": PATH}
        self._user = "root"
        self._folder = "/"

    def carry_out(self, word: str, rest: str) -> None:
        """One line; raises `SystemExit` for an instruction that is not known here."""
        known = {
            "FROM": self._begin,
            "RUN": self._run,
            "COPY": self._copy,
            "ARG": self._argue,
            "ENV": self._set,
            "USER": self._become,
            "WORKDIR": self._enter,
            "VOLUME": self._keep,
            "EXPOSE": self._expose,
            "HEALTHCHECK": self._watch,
            "CMD": self._end,
        }
        if word not in known:
            sys.exit(f"{word} is not known here")
        known[word](rest)

    def entered(self, command: Sequence[str], **variables: str) -> list[str]:
        """See `Root.entered`: as the user, in the folder and with the variables set so far."""
        return self._root.entered(self._user, self._prepared(command, variables))

    def inside(self, command: Sequence[str], *spaces: str, **variables: str) -> list[str]:
        """See `Root.unshared`."""
        return self._root.unshared(self._user, self._prepared(command, variables), *spaces)

    def _prepared(self, command: Sequence[str], variables: dict[str, str]) -> list[str]:
        shown = {"HOME": self._root.home(self._user), **self._variables, **variables}
        pairs = [f"{name}={value}" for name, value in shown.items()]
        return ["env", "-i", "-C", self._folder, *pairs, *command]

    def _begin(self, image: str) -> None:
        if not image.startswith("python:"):
            sys.exit(f"nothing here resembles {image}")
        self._root.make()
        self._run("python3 -m venv /usr/local && python --version")

    def _run(self, line: str) -> None:
        passed = {name: value for name, value in os.environ.items() if PASSED.search(name)}
        command = self.inside(["sh", "-c", line], **passed, **self._arguments)
        subprocess.run(command, check=True)

    def _copy(self, names: str) -> None:
        *sources, target = shlex.split(names)
        place = self._root.at(f"{self._folder}/{target}")
        for source in (self._context / name for name in sources):
            if source.is_dir():
                hidden = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, place, dirs_exist_ok=True, ignore=hidden)
            else:
                shutil.copy(source, place)

    def _argue(self, text: str) -> None:
        name, _, usual = text.partition("=")
        self._arguments[name] = self._given.get(name, usual)

    def _set(self, pairs: str) -> None:
        self._variables |= dict(pair.split("=", 1) for pair in shlex.split(pairs))

    def _become(self, user: str) -> None:
        self._user = user

    def _enter(self, folder: str) -> None:
        self._folder = folder
        self._root.at(folder).mkdir(parents=True, exist_ok=True)

    def _keep(self, folders: str) -> None:
        for folder in json.loads(folders):
            self._root.at(folder).mkdir(parents=True, exist_ok=True)

    def _expose(self, port: str) -> None:
        """Told to whoever runs the image; nothing is done."""

    def _watch(self, text: str) -> None:
        self.health = json.loads(text.removeprefix("CMD"))

    def _end(self, command: str) -> None:
        self.command = json.loads(command)


if __name__ == "__main__":
    main()
