"""The command line: what it prints, and with which status it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.engines.postgres import Server

ODD = """'%s ""<script>alert(1)</script> \N{ELEPHANT} 50%"""  # as it stands between double quotes
ODD_SCRIPT = """
create table "ODD" ("Id" int primary key, "Unit Price" float8 check ("Unit Price" > 0));
create table "Child" (id int primary key, "fk ODD" int references "ODD");
"""


def run_cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench.cli", *arguments], capture_output=True, text=True, cwd=cwd
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "--source", "nowhere.sql"], "there is no such file"),
        (
            ["report", "--source", "slow.sql", "--timeout", "0.5"],
            "slow.sql:2: the statement ran into the time-out",
        ),
        (["report", "--source", "shell.sql"], r"shell.sql:1: \! touch pwned runs a shell command"),
        (["report", "--source", "uuid.sql", "--strict"], "uuid.sql:1: "),
        (["report", "--scale", "0"], "scale 0.0"),
        (["report", "--timeout", "-1"], "time-out"),
        (["report", "--only", "nothing"], "there is no area 'nothing'"),
        (["report", "-p", "sclae=1"], "did you mean 'scale'"),
        (["report", "-p", "scale=much"], "is not a number"),
        (["report", "-p", "scale"], "write -p name=value"),
        (["report", "--out", "file"], "is a file"),
        (["oltp", "review", "--source", "empty.sql"], "there is no statement in it"),
        (["bench", "nothing"], "no benchmark nothing"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], said: str, tmp_path: Path, server: Server
) -> None:
    """What, where, what to do, on one line of stderr; nothing is written."""
    files = {
        "slow.sql": "create table t (id int);\nselect pg_catalog.pg_sleep(60);\n",
        "shell.sql": "\\! touch pwned\n",
        "uuid.sql": 'create extension "uuid-ossp";\ncreate table t (id uuid);\n',
        "empty.sql": "-- nothing\n",
        "file": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if "uuid.sql" in arguments and "uuid-ossp" in server.extension_names:
        pytest.skip("this engine has the real extension")

    ended = run_cli(*arguments, cwd=tmp_path)

    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_review_and_constraints_survive_odd_names(tmp_path: Path, server: Server) -> None:
    """Names with quotes, capitals, spaces, HTML and emoji come back as they are, and fixes run."""
    (tmp_path / "odd.sql").write_text(ODD_SCRIPT.replace("ODD", ODD))

    review = run_cli("oltp", "review", "--source", "odd.sql", "--json", cwd=tmp_path)
    attempts = run_cli("oltp", "constraints", "--source", "odd.sql", "--json", cwd=tmp_path)

    findings = json.loads(review.stdout)
    assert {found["check"] for found in findings} == {"money_as_floating_point", "unindexed_foreign_key"}
    assert all(found["verified"] for found in findings)
    assert any(ODD in found["object"] for found in findings)
    keys = ["id", "area", "check", "severity", "object", "title", "why", "fix", "verified", "evidence"]
    assert set(keys) <= set(findings[0])
    assert {attempt["outcome"] for attempt in json.loads(attempts.stdout)} == {"refused"}


def test_doctor_and_list_say_what_there_is(tmp_path: Path, server: Server) -> None:
    """What is missing comes with what stays unproved and the way to get it."""
    found = json.loads(run_cli("doctor", "--json", cwd=tmp_path).stdout)
    notebooks = json.loads(run_cli("list", "--json", cwd=tmp_path).stdout)

    assert any(server.description in each["found"] for each in found)
    assert all(each["unproved"] and each["how"] for each in found if not each["ok"])
    assert "source" in {each["name"] for each in notebooks[0]["parameters"]}
    assert all(each["help"] for notebook in notebooks for each in notebook["parameters"])


def test_an_interrupted_report_leaves_no_database(tmp_path: Path, server: Server) -> None:
    """Ctrl-C: one line, status 130, and every scratch database of the run is gone."""
    (tmp_path / "s.sql").write_text("create table t (id int primary key); select pg_catalog.pg_sleep(30);")
    run = subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", "report", "--source", "s.sql"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ours = ["select count(*) from pg_catalog.pg_database where datname like %s", [f"wb\\_%\\_{run.pid}\\_%"]]
    with server.session() as conn:
        deadline = time.monotonic() + 30
        while conn.execute(*ours).fetchone() == (0,):
            assert time.monotonic() < deadline and run.poll() is None
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=30)

        assert run.returncode == 130
        assert said.strip() == "workbench: interrupted: nothing half-done is left behind"
        assert conn.execute(*ours).fetchone() == (0,)
