"""JupyterLab on the notebooks: this interpreter's kernel, the engine held for as long as it is open."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from workbench import sql
from workbench.engines.mongo import mongo_engine
from workbench.engines.postgres import engine
from workbench.errors import BadInput, EngineError, OutputError

DEFAULT_FOLDER = Path("workbench-notebooks")
_STOPPING_S = 15
_NOTIFICATIONS = "@jupyterlab/apputils-extension:notification"


def launch(*, folder: Path | None = None, port: int = 8888, open_browser: bool = True) -> int:
    """Open JupyterLab on *folder* and wait for its end; the exit status is 0 after Ctrl-C.

    Raises BadInput, OutputError, EngineError.
    """
    notebooks = notebook_folder(folder)
    with (
        engine() as server,
        _mongo_engine() as mongo,
        tempfile.TemporaryDirectory(prefix="workbench-lab-") as private,
    ):
        print(  # noqa: T201
            f"{server.description}; {mongo}; notebooks in {notebooks}; Ctrl-C ends all", flush=True
        )
        return _attended(
            _arguments(notebooks, port, open_browser), {**os.environ, **_environment(Path(private))}
        )


@contextlib.contextmanager
def _mongo_engine() -> Iterator[str]:
    """The MongoDB engine, held for the block where there is one; its description, or why there is none."""
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(mongo_engine()).description
        except EngineError as exc:
            found = f"no MongoDB: {exc}"
        yield found


def notebook_folder(folder: Path | None = None) -> Path:
    """The folder to open: *folder*, else the checkout's, else a copy beside where the command was given.

    A folder that is not there or is empty is filled; the notebooks of an installed package are never
    opened in place, and no file of the user's is ever overwritten.
    """
    shipped = sql.asset_root("notebooks")
    if folder is None and not _is_installed(shipped) and os.access(shipped, os.W_OK):
        return shipped
    named = folder if folder is not None else DEFAULT_FOLDER
    chosen = named.expanduser().absolute()
    if chosen.exists() and not chosen.is_dir():
        raise BadInput(f"{named}: is a file: name a folder of notebooks, or one that is not there yet")
    try:
        if not chosen.is_dir() or not any(chosen.iterdir()):
            _copy(shipped, chosen)
    except OSError as exc:
        raise OutputError(
            f"{named}: the notebooks cannot be copied there ({exc.strerror}): "
            "name another folder with --notebooks"
        ) from exc
    return chosen


def _is_installed(shipped: Path) -> bool:
    return shipped.parent.name == "_bundled"


def _copy(shipped: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(shipped.glob("*.ipynb")):
        shutil.copyfile(notebook, target / notebook.name)


def _arguments(notebooks: Path, port: int, open_browser: bool) -> list[str]:
    arguments = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={notebooks}",
        f"--ServerApp.port={port}",
        # nothing is asked of other machines: no news, no look for a newer version, no list of extensions
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if not open_browser:
        arguments.append("--no-browser")
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    return arguments


def _environment(private: Path) -> dict[str, str]:
    """Variables with which JupyterLab finds the kernel and the defaults in *private* first."""
    kernel = private / "data" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": command, "display_name": "Python 3 (workbench)", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(specification), encoding="utf-8")
    config = private / "config" / "labconfig"
    config.mkdir(parents=True)
    quiet = {_NOTIFICATIONS: {"fetchNews": "false", "checkForUpdates": False}}
    (config / "default_setting_overrides.json").write_text(json.dumps(quiet), encoding="utf-8")
    return {
        "JUPYTER_PATH": _before(str(private / "data"), os.environ.get("JUPYTER_PATH")),
        "JUPYTER_CONFIG_PATH": _before(str(private / "config"), os.environ.get("JUPYTER_CONFIG_PATH")),
    }


def _before(first: str, others: str | None) -> str:
    return first if not others else first + os.pathsep + others


def _attended(arguments: list[str], environment: dict[str, str]) -> int:
    """Run *arguments* until they end; on Ctrl-C, or when the terminal closes, end them and their kernels."""
    with _hangup_as_interrupt():
        # a session of its own, so that Ctrl-C reaches this process alone, which then ends it in order
        running = subprocess.Popen(
            arguments, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            return 1 if running.wait() else 0
        except KeyboardInterrupt:
            return 0
        finally:
            _end(running)


def _end(running: subprocess.Popen[bytes]) -> None:
    """Ask for the end, which shuts the kernels down; insist after some seconds or at a second Ctrl-C."""
    if running.poll() is None:
        with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            running.terminate()
            running.wait(_STOPPING_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


@contextlib.contextmanager
def _hangup_as_interrupt() -> Iterator[None]:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, former)
