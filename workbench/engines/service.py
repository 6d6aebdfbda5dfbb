"""What runs for as long as it has users: a server shared by processes, stopped with its last user."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Generic, Protocol, TypeVar

from workbench.engines import keeper
from workbench.engines.binaries import ServiceUser
from workbench.errors import EngineError


class ScratchServer(Protocol):
    """A running server with scratch databases in it."""

    def drop_leftovers(self) -> None:
        """Drop the scratch databases of processes that are gone."""


ServerT_co = TypeVar("ServerT_co", bound=ScratchServer, covariant=True)


class Service(ABC, Generic[ServerT_co]):
    """A server of ours. *home* holds its data, log and locks; whoever uses it holds a shared lock there."""

    home: Path
    user: ServiceUser

    @abstractmethod
    def server(self) -> ServerT_co:
        """How to reach it; does not say that it runs."""

    @abstractmethod
    def _ensure_running(self) -> None:
        """Make and start it unless it answers; the caller holds the mutex."""

    @abstractmethod
    def _stop_task(self, *, throw_away: bool) -> Mapping[str, Any]:
        """What the keeper does when the last user has left; see `keeper.main`."""

    @property
    @abstractmethod
    def socket(self) -> Path | None:
        """The folder of its sockets, in *home* or outside of it; None where it listens on TCP."""

    def ensure_running(self) -> None:
        """Make and start the server unless it answers; a shared one beyond repair is made anew.

        Raises EngineError with the server's own words.
        """
        with self._mutex():
            self._ensure_running()

    @contextlib.contextmanager
    def used(self, *, remove: bool = False) -> Iterator[ServerT_co]:
        """The running server, for as long as the block lasts; it stops when its last user has left."""
        kept = False
        try:
            self.user.own(self.home)
            with (self.home / "users").open("w") as users:
                with self._mutex():
                    fcntl.flock(users, fcntl.LOCK_SH)  # waits until a keeper that is stopping has finished
                    alone = self._is_alone(users)
                    fcntl.flock(users, fcntl.LOCK_SH)  # the attempt may have let the first one go
                    self._ensure_keeper(remove)  # before the start, so that a kill in between leaves nothing
                    kept = True
                    self._ensure_running()
                    server = self.server()
                    if alone:
                        server.drop_leftovers()
                yield server
        finally:
            if remove and not kept:  # interrupted before there was a keeper to remove it
                shutil.rmtree(self.home, ignore_errors=True)

    def wait_until_removed(self) -> None:
        """Return when the keeper has removed the home of a private server; EngineError after 30 s."""
        deadline = time.monotonic() + 30
        while self.home.exists():
            if time.monotonic() > deadline:
                raise EngineError(f"{self.home} is still there 30 s after its last user left: remove it")
            time.sleep(0.02)

    @staticmethod
    def _is_alone(users: IO[str]) -> bool:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextlib.contextmanager
    def _mutex(self) -> Iterator[None]:
        self.user.own(self.home)
        with (self.home / "mutex").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            yield

    def _ensure_keeper(self, remove: bool) -> None:
        lock = os.open(self.home / "keeper", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            socket = self.socket
            outside = [str(socket)] if socket and not socket.is_relative_to(self.home) else []
            task = {
                "users": str(self.home / "users"),
                "keeper_fd": lock,
                "remove": [str(self.home), *outside] if remove else outside,
                **self._stop_task(throw_away=remove),
            }
            # a Ctrl-C of the whole group would end the child before it has a group of its own
            former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                subprocess.Popen(
                    [sys.executable, "-I", str(keeper.__file__), json.dumps(task)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    pass_fds=(lock,),
                    start_new_session=True,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, former)
        finally:
            os.close(lock)
