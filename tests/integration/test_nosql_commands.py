"""The commands on collections: what they print, with which status they end, and what they leave alone."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

from workbench.engines.mongo import MongoServer, private_mongod

ODD = '\'a "b" <script>alert(1)</script> \N{ELEPHANT} 50%'
RARE = 7  # of 14,000: one in two thousand


def run_cli(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "workbench.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def fill(database: Database[dict[str, Any]]) -> None:
    """Documents with a rare field, prices as doubles, and a collection of an odd name."""
    database["orders"].insert_many(
        [
            {"n": n, "price": n % 900 + 0.25, "lines": [{"sku": f"s{k}"} for k in range(n % 4)]}
            | ({"rare": True} if n % 2000 == 0 else {})
            for n in range(2000 * RARE)
        ]
    )
    database[ODD].insert_one({ODD: 1})


@pytest.fixture(scope="module")
def live() -> Iterator[tuple[MongoServer, str]]:
    """A server of its own with a login, and the URL of a database in it, password and all."""
    with private_mongod() as (server, _):
        with server.client() as client:
            fill(client["shop"])
            client["shop"].command(
                "createUser", "reader", pwd="geheim-7Zq$", roles=[{"role": "read", "db": "shop"}]
            )
        yield server, server.url("shop")


def counts(review: dict[str, Any]) -> dict[str, dict[str, int]]:
    """The counts by type of each field path of the orders."""
    return {each["path"]: each["types"] for each in review["schema"]["orders"]["fields"]}


def test_review_counts_exactly_and_finds(live: tuple[MongoServer, str], tmp_path: Path) -> None:
    """Every path and type is counted over all documents; a finding is there, and odd names are whole."""
    ended = run_cli("nosql", "review", "--source", live[1], "--json", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    review = json.loads(ended.stdout)
    found = counts(review)
    assert found["rare"] == {"bool": RARE}
    assert found["lines"] == {"array": 2000 * RARE}
    assert found["lines[].sku"] == {"string": 2000 * RARE // 4 * (0 + 1 + 2 + 3)}
    assert [each["object"] for each in review["findings"] if each["check"] == "money_as_double"] == [
        "shop.orders.price"
    ]
    assert ODD in review["schema"]
    assert {row["collection"]: row["failing"] for row in review["collections"]} == {"orders": 0, ODD: 0}


def test_a_sample_says_so(live: tuple[MongoServer, str], tmp_path: Path) -> None:
    """With --sample no more documents are read, and no count claims to be the collection's."""
    ended = run_cli("nosql", "review", "--source", live[1], "--sample", "50", "--json", cwd=tmp_path)

    schema = json.loads(ended.stdout)["schema"]["orders"]
    assert (schema["documents"], schema["full"]) == (50, False)


def test_a_named_database_is_left_as_it_was(live: tuple[MongoServer, str], tmp_path: Path) -> None:
    """Review, proofs and a report write nothing: the hashes are equal, and the profiler saw no write."""
    server, url = live
    with server.client() as client:
        database = client["shop"]
        before = database.command("dbHash")["collections"]
        database.command("profile", 2)
        for arguments in (["nosql", "review"], ["nosql", "prove"], ["report", "--only", "nosql"]):
            ended = run_cli(*arguments, "--source", url, cwd=tmp_path)
            assert ended.returncode == 0, ended.stderr
        database.command("profile", 0)
        entries = list(database["system.profile"].find({"appName": {"$regex": "^workbench reader"}}))
        database["system.profile"].drop()
        after = database.command("dbHash")["collections"]

    assert after == before
    assert entries
    assert {each["op"] for each in entries} <= {"query", "command", "getmore"}


def test_no_password_is_shown(live: tuple[MongoServer, str], tmp_path: Path) -> None:
    """The password of a URL is in no output and in no file of a report."""
    host = live[0].url("shop").rpartition("@")[2].partition("/")[0]
    url = f"mongodb://reader:geheim-7Zq%24@{host}/shop?authSource=shop&directConnection=true"

    ended = run_cli("report", "--only", "nosql", "--source", url, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    texts = [ended.stdout, ended.stderr]
    texts += [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not [text for text in texts if "geheim-7Zq" in text]


def test_a_dump_is_reviewed_and_reported_without_the_notebook_of_tables(
    mongo: Database[dict[str, Any]], tmp_path: Path
) -> None:
    """A folder of BSON has the same counts; its report says which notebook cannot look at it."""
    fill(mongo)
    folder = tmp_path / "dump" / "shop"
    folder.mkdir(parents=True)
    (folder / "orders.bson").write_bytes(b"".join(bson.encode(each) for each in mongo["orders"].find()))

    review = run_cli("nosql", "review", "--source", "dump", "--json", cwd=tmp_path)
    report = run_cli("report", "--source", "dump", cwd=tmp_path)

    assert counts(json.loads(review.stdout))["rare"] == {"bool": RARE}
    assert report.returncode == 0, report.stderr
    assert "2 of 2 notebooks ran" in report.stdout
    first_page = (tmp_path / "report" / "index.html").read_text()
    assert "cannot look at a source of this kind: OLTP model" in first_page


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["nosql", "review", "--source", "t.sql"], "holds tables", 2),
        (["nosql", "prove", "--source", "t.sql"], "holds tables", 2),
        (["nosql", "design", "--source", "c.bson"], "holds documents", 2),
        (["oltp", "review", "--source", "c.bson"], "holds collections", 2),
        (["report", "--only", "oltp", "--source", "c.bson"], "01_oltp_model: cannot look at", 2),
        (["nosql", "review", "--source", "wrong.bson"], "wrong.bson", 2),
        (["nosql", "review", "--source", "cut.archive"], "cut.archive", 2),
        (["nosql", "review", "--source", "broken.json"], "broken.json:2", 2),
        (["nosql", "review", "--source", "mongodb://localhost:1/shop"], "localhost:1", 2),
        (["nosql", "review", "--source", "mongodb://localhost"], "names no database", 2),
        (["nosql", "review", "--shard-key", "cats=a"], "there is no collection 'cats'", 2),
        (["nosql", "review", "--operations", "broken.json"], "broken.json:", 2),
        (["nosql", "design", "--patterns", "nowhere.json"], "nowhere.json: cannot be read", 2),
        (["nosql", "design", "--patterns", "pattern.json"], "did you mean", 2),
        (["nosql", "design", "--source", "t.sql"], "have no rows", 2),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, status: int, tmp_path: Path) -> None:
    """What, where, what to do, on one line of stderr; nothing is written."""
    files = {
        "t.sql": b"create table t (id int primary key);",
        "c.bson": bson.encode({"a": 1}),
        "wrong.bson": bson.encode({"a": 1}) + b"\xff\xff\xff\x7f",
        "cut.archive": b"\x6d\xe2\x99\x81\x10\x00",
        "broken.json": b'{"a": 1}\n{"a": oops}\n{"a": 2}\n',
        "pattern.json": b'[{"name": "x", "root": "shop.ordrs", "by": ["order_id"]}]',
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    ended = run_cli(*arguments, cwd=tmp_path)

    assert ended.returncode == status, ended.stdout + ended.stderr
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_without_a_server_the_report_says_what_would_help(tmp_path: Path) -> None:
    """Where no mongod runs, the notebook ends well, and the first page names what is not proved and why."""
    program = tmp_path / "packages" / "fiftyone" / "db" / "bin" / "mongod"
    program.parent.mkdir(parents=True)
    for package in (program.parent.parent, program.parent.parent.parent):
        (package / "__init__.py").touch()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    hidden = {
        "PYTHONPATH": str(tmp_path / "packages"),
        "PATH": str(Path(sys.executable).parent),
        "WORKBENCH_OFFLINE": "1",
        "WORKBENCH_MONGOD": "",
    }

    report = run_cli("report", "--only", "nosql", "--scale", "0.001", cwd=tmp_path, **hidden)
    prove = run_cli("nosql", "prove", cwd=tmp_path, **hidden)

    assert report.returncode == 0, report.stderr
    results = json.loads((tmp_path / "report" / "results" / "nosql.json").read_text())
    assert {proof["outcome"] for proof in results["proofs"]} == {"not proved"}
    assert all("WORKBENCH_MONGOD" in proof["how_to"] for proof in results["proofs"])
    assert "What was not proved, and why" in (tmp_path / "report" / "index.html").read_text()
    assert prove.returncode == 1
    assert "MongoDB is not available" in prove.stderr
    assert len(prove.stderr.strip().splitlines()) == 1
