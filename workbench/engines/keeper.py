"""Waits until the last user of a service has left, stops it, and removes what was private.

Runs as a process of its own with the standard library alone. Every user holds a shared lock on
the service's file ``users``; the kernel gives the exclusive one to the keeper when the last of
them has let go, however it ended. The keeper's own lock, inherited as *keeper_fd*, tells users
that there is one.
"""

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
from collections.abc import Sequence
from pathlib import Path


def process_of(lock_file: Path) -> int | None:
    """The process that holds the lock on *lock_file* and wrote its id there; None where nobody does.

    A number alone could belong to somebody else by now; the lock ends with its process.
    """
    try:
        with lock_file.open("r+") as file:
            for lock in (fcntl.flock, fcntl.lockf):
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return int(file.read().strip() or 0) or None
    except FileNotFoundError:
        pass
    return None


def end_process(lock_file: Path, signals: Sequence[int], *, patience_s: float = 30) -> bool:
    """Send *signals* one after the other until the holder of *lock_file* has ended; whether it has."""
    for each in signals:
        deadline = time.monotonic() + patience_s
        pid = process_of(lock_file)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, each)
        while process_of(lock_file) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
    return process_of(lock_file) is None


def _run_until_gone(commands: Sequence[Sequence[str]], pid_file: Path, options: dict[str, object]) -> None:
    for command in commands:
        stopped = subprocess.run(  # type: ignore[call-overload]
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **options,
        )
        if stopped.returncode == 0 or not pid_file.exists():
            break


def _remove(folder: Path) -> None:
    """Remove *folder*, again where a program that was just killed, such as initdb, still wrote into it."""
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.05)


def main() -> None:
    """The task, as JSON: *users*, *keeper_fd*, the folders to *remove*, and how to stop what runs.

    Either *commands*, tried until one succeeds or *pid_file* is gone, or *lock_files* of the
    processes that get *signals*.
    """
    task = json.loads(sys.argv[1])
    with Path(task["users"]).open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        if "commands" in task:
            _run_until_gone(task["commands"], Path(task["pid_file"]), task["process_options"])
        for lock_file in task.get("lock_files", ()):
            end_process(Path(lock_file), task.get("signals", (signal.SIGTERM, signal.SIGKILL)))
        for folder in task["remove"]:
            _remove(Path(folder))
        os.close(task["keeper_fd"])  # first: who gets the users' lock next must see that there is no keeper


if __name__ == "__main__":
    main()
