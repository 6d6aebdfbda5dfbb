"""Waits until the last user of a cluster has left, stops it, and removes what was private.

Runs as a process of its own with the standard library alone. Every user holds a shared lock on
the cluster's file ``users``; the kernel gives the exclusive one to the keeper when the last of
them has let go, however it ended. The keeper's own lock, inherited on *keeper_fd*, tells users
that there is one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    task = json.loads(sys.argv[1])
    with Path(task["users"]).open("w") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        for mode in ("fast", "immediate"):
            stopped = subprocess.run(
                [task["pg_ctl"], "-D", task["data"], "-m", mode, "-t", "30", "-w", "stop"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                **task["process_options"],
            )
            if stopped.returncode == 0 or not (Path(task["data"]) / "postmaster.pid").exists():
                break
        for folder in task["remove"]:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
