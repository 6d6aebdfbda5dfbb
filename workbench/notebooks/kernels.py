"""The kernels that notebooks run in: this interpreter's Python, private to one run, ended with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench.proof.results import RESULTS_VARIABLE

_ENGINE = "workbench"
_SOCKET_PATH_MOST = 103  # bytes: macOS' limit, the smallest


class Interrupted(Exception):
    """The run was interrupted: no cell and no kernel is started any more."""


class Kernels:
    """The kernels of one run, and the folder with their specification and connection files.

    Whatever ``python3`` kernel is installed on the machine, these run *sys.executable*; they read no
    profile of the user and write nothing to the home folder. Their results go to *results*.
    """

    engine_name = _ENGINE

    def __init__(self, *, results: Path) -> None:
        self.interrupted = False
        self._managers: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="wb-"))
        self._write_specification(results)

    def __enter__(self) -> Kernels:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def register_engine(self) -> None:
        """Make papermill's engine of the workbench known to papermill."""
        from papermill.engines import papermill_engines

        papermill_engines.register(_ENGINE, _engine())  # type: ignore[no-untyped-call]

    def manager(self) -> Any:
        """A manager of a new kernel, not started yet."""
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager

        with self._lock:
            self.require_going_on()
            number = len(self._managers) + 1
            manager = AsyncKernelManager(
                kernel_name="python3",
                connection_file=str(self._folder / f"k{number}.json"),
                transport=self._transport(),
                kernel_spec_manager=KernelSpecManager(
                    kernel_dirs=[str(self._folder / "kernels")], ensure_native_kernel=False
                ),
            )
            self._managers[number] = manager
        return manager

    def _transport(self) -> str:
        """Sockets in the folder, where its path is short enough: for ports, runs side by side would race."""
        return "ipc" if len(os.fsencode(self._folder)) + len("/k999-ipc-5") < _SOCKET_PATH_MOST else "tcp"

    def require_going_on(self) -> None:
        """Raises Interrupted once the run is."""
        if self.interrupted:
            raise Interrupted("interrupted by Ctrl-C")

    def interrupt(self) -> None:
        """Interrupt each kernel, as Ctrl-C does in a terminal, so that it can clean up; no other starts."""
        self.interrupted = True
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End each kernel and its children at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            managers = list(self._managers.values())
        for manager in managers:
            provisioner = manager.provisioner
            process = getattr(provisioner, "process", None)
            if process is None or process.poll() is not None:
                continue
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)  # a kernel leads its session

    def _write_specification(self, results: Path) -> None:
        settings = self._folder / "ipython"
        settings.mkdir()
        environment = {
            RESULTS_VARIABLE: str(results.absolute()),
            "IPYTHONDIR": str(settings),
            "JUPYTER_PLATFORM_DIRS": "1",
            "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
        }
        if "MPLCONFIGDIR" not in os.environ and not _home_is_writable():
            environment["MPLCONFIGDIR"] = str(self._folder / "matplotlib")
        specification = {
            "argv": [
                sys.executable,
                "-Xfrozen_modules=off",
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
                "--HistoryManager.enabled=False",
            ],
            "display_name": "Python 3 (workbench)",
            "language": "python",
            "env": environment,
        }
        folder = self._folder / "kernels" / "python3"
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(specification), encoding="utf-8")


def _home_is_writable() -> bool:
    with contextlib.suppress(RuntimeError):
        return os.access(Path.home(), os.W_OK)
    return False


def _engine() -> type[Any]:
    """papermill's engine with our kernels in it; made late, for papermill takes two seconds to import."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine
    from papermill.log import logger

    class Client(PapermillNotebookClient):
        def __init__(self, nb_man: Any, *, kernels: Kernels, **options: Any) -> None:
            self.kernels = kernels
            super().__init__(nb_man, **options)  # type: ignore[no-untyped-call]

        def create_kernel_manager(self) -> Any:
            self.km = self.kernels.manager()
            return self.km

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: Any, *_: Any, **options: Any) -> None:
            kernels: Kernels = options["kernels"]
            client = Client(
                nb_man,
                kernels=kernels,
                kernel_name=kernel_name,
                timeout=options["cell_timeout_s"],
                startup_timeout=options["start_timeout"],
                iopub_timeout=options["iopub_timeout"],
                raise_on_iopub_timeout=False,
                on_cell_start=lambda cell, cell_index: kernels.require_going_on(),
                on_cell_executed=options["on_cell_executed"],
                log=logger,
            )
            # what a kernel says beside its cells is noise of libraries, and would break the progress bar
            client.execute(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # type: ignore[no-untyped-call]

    return Engine
