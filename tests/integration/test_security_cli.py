"""The security commands as a user runs them: what they print, refuse, leave alone and leave behind."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workbench.catalog.digest import activity_counters, catalog_digest, data_digest
from workbench.engines.postgres import Server, private_cluster

SHOP = """
create table accounts (account_id int primary key, email text not null);
create table notes (
    note_id int primary key,
    account_id int not null references accounts,
    body text
);
insert into accounts select g, 'e' || g || '@example.org' from generate_series(1, 5) g;
insert into notes select g, 1 + g % 5, 'note ' || g from generate_series(1, 60) g;
"""
INTENT = """
intent: notes
schema: access
identity: {is: public.accounts.account_id, token_lifetime: 15 minutes}
roles:
  notes_owner: {kind: owner}
  notes_audit: {kind: audit owner}
  notes_app: {kind: login, identified: token}
  notes_auditor: {kind: login}
owners:
  public.accounts: account_id
  public.notes: account_id
rules:
  - {role: notes_app, may: [select], rows: own, on: [public.accounts]}
  - {role: notes_app, may: [select, insert, update], rows: own, on: [public.notes]}
audit:
  schema: audit
  tables: [public.notes]
  readers: [notes_auditor]
  retention_months: 24
"""
SMALL = """
intent: notes
schema: access
roles:
  notes_owner: {kind: owner}
  notes_app: {kind: login}
rules:
  - {role: notes_app, may: [select], on: [public.notes]}
"""
WRONG = """
intent: notes
schema: access
roles:
  notes_owner: {kind: owner}
  notes_app: {kind: login}
  notes_app2: {kind: robot}
rules:
  - {role: nobody_here, may: [select], on: [public.notes]}
  - {role: notes_app, may: [read], on: [public.notes]}
  - {role: notes_app, may: [select], on: [public.nowhere]}
"""
UNKNOWN = """
intent: notes
schema: access
roles:
  notes_owner: {kind: owner}
  notes_app: {kind: login, inherits: [elsewhere]}
owners:
  public.notes: nocolumn
rules:
  - {role: nobody_here, may: [select], on: [public.notes]}
  - {role: notes_app, may: [select], on: [public.nowhere]}
  - {role: notes_app, may: [select], on: [nothere.notes]}
"""
ROLES = "create role app login; create role rep; grant select on accounts, notes to app, rep;"
AT_ONCE = 2
QUICK = ("--no-naive", "--no-mutants")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, its stdout and its stderr."""

    status: int
    said: str
    complained: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON that any reader takes: it has no NaN."""
        assert self.complained == "", self.complained
        return json.loads(self.said, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@dataclass
class Cli:
    """Runs the command line in *folder*, and requires that nothing is left of it on the engine."""

    folder: Path
    server: Server
    there: set[str] = field(default_factory=set)  # databases of others, of a process killed long ago, too

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        (self.folder / "tmp").mkdir(exist_ok=True)
        self.there.update(self.databases("%"))
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", "security", *arguments],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
            text=True,
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder / "tmp"), "COLUMNS": "160"},
            start_new_session=True,
        )

    def __call__(self, *arguments: str) -> Ended:
        run = self.start(*arguments)
        said, complained = run.communicate(timeout=240)
        assert self.left(run.pid) == []
        return Ended(run.returncode, said, complained)

    def left(self, pid: int) -> list[str]:
        """The databases of the process on the shared engine."""
        return [name for name in self.databases(f"wb\\_%\\_{pid}\\_%") if name not in self.there]

    def databases(self, pattern: str) -> list[str]:
        """The names of the engine's databases that are like *pattern*."""
        with self.server.session() as conn:
            rows = conn.execute("select datname from pg_catalog.pg_database where datname like %s", [pattern])
            return [name for (name,) in rows.fetchall()]

    def each(self, calls: Sequence[Sequence[str]]) -> list[Ended]:
        """Several calls at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda call: self(*call), calls))


@pytest.fixture
def cli(tmp_path: Path, server: Server) -> Iterator[Cli]:
    (tmp_path / "shop.sql").write_text(SHOP)
    (tmp_path / "intent.yaml").write_text(INTENT)
    (tmp_path / "small.yaml").write_text(SMALL)
    yield Cli(tmp_path, server)
    assert list((tmp_path / "tmp").glob("*")) == []


@pytest.fixture(scope="module")
def live() -> Iterator[Server]:
    """Somebody's server: the shop of a deployer who is no superuser, and roles that are there already."""
    with private_cluster() as (server, _), server.session("postgres") as conn:
        conn.execute("create role deployer login createrole; create role stranger login")
        conn.execute("create role sees_all login bypassrls; create role members nologin")
        conn.execute("create role clerk login; grant members to clerk")
        for name in ("shop", "fresh"):
            conn.execute(f"create database {name} owner deployer")
            with server.session(name, user="deployer") as shop:
                shop.execute(SHOP)
        with server.session("shop", user="deployer") as shop:
            shop.execute("grant select on notes to sees_all, members; grant select on accounts to clerk")
            shop.execute("alter table notes enable row level security")
            shop.execute(
                "create policy own on notes using (account_id = current_setting('app.account', true)::int)"
            )
        yield server


def refusal(ended: Ended, says: str, status: int = 2) -> None:
    """The call printed nothing but one line of complaint, which has *says*."""
    assert ended.status == status, ended
    assert ended.said == ""
    (line,) = ended.complained.splitlines()
    assert line.startswith("workbench: ") and says in line, line


# What is printed


def test_a_proof_as_json_has_findings_attacks_and_mutants(cli: Cli) -> None:
    """Every attempt is as declared, each mutant is counted, a survivor named; on stdout is JSON alone."""
    ended = cli("prove", "--source", "shop.sql", "--intent", "small.yaml", "--no-naive", "--json")

    proof = ended.json
    assert (
        proof["attacks"]["run"] == proof["attacks"]["as_declared"] == len(proof["runs"][0]["attempts"]) > 50
    )
    mutants = proof["mutants"]
    assert mutants["made"] == mutants["killed"] + len(mutants["survivors"]) > 10
    assert len(proof["mutants_tried"]) >= mutants["made"]
    assert [each["check"] for each in proof["findings"]] == ["unnoticed_change"] * len(mutants["survivors"])
    assert ended.status == (1 if mutants["survivors"] else 0)


def test_a_role_that_goes_around_row_security_is_a_finding_and_status_1(cli: Cli, live: Server) -> None:
    """What is derived from a database is proved with the roles that are there, as they are there."""
    ended = cli("prove", "--source", live.url("shop"), *QUICK, "--json")

    assert ended.status == 1
    found = ended.json["findings"]
    assert any(each["title"].startswith("sees_all can do what the intent does not allow") for each in found)
    assert ended.json["attacks"]["as_declared"] < ended.json["attacks"]["run"]
    assert not [each for each in found if "clerk" in each["title"]]


def test_an_intent_is_proposed_of_a_script_whose_roles_are_in_it_and_the_same_each_time(cli: Cli) -> None:
    """Its roles are logins to be used as they are; nothing of the run that made them is said."""
    (cli.folder / "roles.sql").write_text(SHOP + ROLES)
    first, second = cli.each([("intent", "--source", "roles.sql")] * 2)

    assert first.said == second.said and first.complained == ""
    assert "app: {kind: login" in first.said and "rep: {kind: login" in first.said
    assert "wb_script" not in first.said and "made by the workbench" not in first.said


def test_an_intent_goes_to_a_new_file_and_never_over_another(cli: Cli) -> None:
    """What is there may hold corrections."""
    out = cli.folder / "proposed.yaml"
    made = cli("intent", "--source", "shop.sql", "--out", "proposed.yaml")

    assert (made.status, made.said, made.complained) == (0, "", "")
    assert "roles:" in out.read_text()
    out.write_text("corrected")
    refusal(cli("intent", "--source", "shop.sql", "--out", "proposed.yaml"), "is there already")
    assert out.read_text() == "corrected"
    refusal(cli("intent", "--source", "shop.sql", "--out", "no/where.yaml"), "cannot be written")


def test_a_proof_is_taken_home_into_a_folder_of_its_own(cli: Cli) -> None:
    """Intent, scripts, matrix and attempts; a report's folder and a file are refused before any attack."""
    (cli.folder / "report").mkdir()
    (cli.folder / "report" / "index.html").write_text("a report")
    source = ("prove", "--source", "shop.sql", "--intent", "small.yaml", *QUICK)
    made, over_report, over_file = cli.each(
        [(*source, "--out", "home"), (*source, "--out", "report"), (*source, "--out", "shop.sql")]
    )

    assert made.status == 0 and "as declared" in made.said and made.complained == ""
    home = {each.name: each.read_text() for each in (cli.folder / "home").glob("[!.]*")}
    assert set(home) == {"intent.yaml", "design.sql", "undo.sql", "attacks.svg", "attacks.json"}
    assert home["design.sql"].startswith("begin;") and "<svg" in home["attacks.svg"]
    assert json.loads(home["attacks.json"])["attacks"]["run"] > 50
    assert "wb_deployer" not in home["design.sql"] + home["undo.sql"]
    refusal(over_report, "holds a report")
    refusal(over_file, "is a file")
    assert (cli.folder / "report" / "index.html").read_text() == "a report"


# The script of the design


def test_the_printed_design_is_applied_by_psql_and_taken_away_again(cli: Cli, live: Server) -> None:
    """By the owner, who is no superuser, twice; gaps of the trail are told, and the undo leaves nothing."""
    source = ("--source", live.url("fresh", user="deployer"), "--intent", "intent.yaml")
    live_trail = ("audit", "--source", live.url("fresh"), "--intent", "intent.yaml", "--json")
    before = psql(live, "pg_dump", "--schema-only")
    design, undo = cli.each([("design", *source), ("design", *source, "--undo")])
    assert design.status == undo.status == 0
    assert all(line.startswith("workbench: ") for line in design.complained.splitlines())

    refusal(cli(*live_trail), "apply the design first")
    for _ in range(2):
        psql(live, "psql", script=design.said)
    refusal(cli("audit", *source), "may not read all of the trail")
    whole = cli(*live_trail)
    with live.session("fresh") as conn:
        conn.execute("alter table notes disable trigger audit_update")
    broken = cli(*live_trail)
    psql(live, "psql", script=undo.said)

    assert (whole.status, whole.json["gaps"]) == (0, [])
    (gap,) = broken.json["gaps"]
    assert (broken.status, gap["part"], gap["problem"]) == (1, "audit_update", "disabled")
    assert psql(live, "pg_dump", "--schema-only") == before


def psql(server: Server, program: str, *options: str, script: str = "") -> str:
    """What *program* says of the database fresh; psql as the deployer, pg_dump as the superuser."""
    user = "deployer" if program == "psql" else server.user
    info = server.conninfo("fresh", user=user)
    quiet = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-") if program == "psql" else ()
    done = subprocess.run(
        [
            *(str(server.binaries.path(program)), "-h", info["host"], "-p", str(info["port"])),
            *("-U", user, "-d", "fresh", *quiet, *options),
        ],
        input=script,
        capture_output=True,
        text=True,
        env=server.binaries.environment(),
    )
    assert done.returncode == 0, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("\\"))


# Bad input


def test_bad_input_is_one_line_and_shows_no_password(cli: Cli, live: Server) -> None:
    """What, where, what to do, and status 2: for intents, sources, scales, users who may not read."""
    (cli.folder / "empty.yaml").write_text("")
    (cli.folder / "binary.yaml").write_bytes(bytes(range(128, 256)))
    (cli.folder / "notyaml.yaml").write_text("a: [1\n")
    (cli.folder / "a_folder").mkdir()
    (cli.folder / "roles.sql").write_text(SHOP + "create role notes_app; grant select on notes to notes_app;")
    down, mongo = "postgresql://me:s3cret@127.0.0.1:1/shop", "mongodb://me:s3cret@127.0.0.1:1/shop"
    own = ("design", "--source", "shop.sql", "--intent")
    cases: list[tuple[tuple[str, ...], str]] = [
        ((*own, "nofile.yaml"), "nofile.yaml: there is no such file"),
        ((*own, "a_folder"), "a_folder: is a folder"),
        ((*own, "empty.yaml"), "the intent is empty"),
        ((*own, "binary.yaml"), "binary.yaml:1: this is not UTF-8"),
        ((*own, "notyaml.yaml"), "this is not YAML"),
        (("prove", "--source", "roles.sql", "--intent", "intent.yaml"), "say existing: true"),
        (("prove", "--source", down), "is the server up"),
        (("posture", "--source", down), "is the server up"),
        (("prove", "--source", mongo), "run workbench security posture"),
        (("posture", "--source", mongo), "no server answers"),
        (("prove", "--scale", "nan"), "scale nan is not above 0"),
        (("prove", "--source", live.url("shop", user="stranger")), "permission denied"),
        (("audit", "--source", live.url("shop")), "name the intent"),
    ]

    for ended, (_, says) in zip(cli.each([call for call, _ in cases]), cases, strict=True):
        refusal(ended, says)
        assert "s3cret" not in ended.complained


@pytest.mark.parametrize("call", [("prove", "--bogus"), ("prove", "--scale", "much"), ("attack",)])
def test_an_unknown_option_value_or_command_is_a_usage_error(cli: Cli, call: tuple[str, ...]) -> None:
    """Status 2, and where help is."""
    ended = cli(*call)

    assert (ended.status, ended.said) == (2, "") and "--help" in ended.complained


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WRONG, ["robot", "read"]),
        (UNKNOWN, ["elsewhere", "nocolumn", "nobody_here", "public.nowhere", "nothere"]),
    ],
)
def test_every_problem_of_an_intent_is_told_one_a_line(cli: Cli, text: str, says: list[str]) -> None:
    """The first line begins with the program's name, each has the file and its line; nothing is printed."""
    (cli.folder / "wrong.yaml").write_text(text)
    ended = cli("prove", "--source", "shop.sql", "--intent", "wrong.yaml", "--json")

    lines = ended.complained.splitlines()
    assert (ended.status, ended.said) == (2, "") and len(lines) >= len(says)
    assert lines[0].startswith("workbench: wrong.yaml:")
    assert all(line.removeprefix("workbench: ").startswith("wrong.yaml:") for line in lines)
    for word in says:
        assert any(word in line for line in lines), (word, lines)


# A named database


def test_a_named_database_is_only_read(cli: Cli, live: Server) -> None:
    """Structure, rows, activity and roles are the same after each command."""
    source = ("--source", live.url("shop"))

    def state() -> Any:
        with live.session("shop") as conn:
            roles = conn.execute("select rolname, oid from pg_catalog.pg_roles order by 1").fetchall()
            return catalog_digest(conn), data_digest(conn), activity_counters(conn), roles

    before = state()
    ended = cli.each(
        [
            ("intent", *source),
            ("design", *source),
            ("prove", *source, *QUICK, "--json"),
            ("posture", *source, "--json"),
        ]
    )

    assert state() == before
    assert [each.status for each in ended] == [0, 0, 1, 0]
    assert ended[2].json["mutants"] is None
    posture = ended[3].json
    assert posture["controls"] and posture["totals"] and posture["role"] == live.user


def test_the_design_of_a_database_knows_its_owner_and_its_privileges(cli: Cli, live: Server) -> None:
    """Of a login that may make no roles the script is for the owner, which is told."""
    design = cli("design", "--source", live.url("shop", user="clerk"), "--intent", "intent.yaml")

    assert design.status == 0, design.complained
    assert "let deployer run this" in design.complained
    assert 'owner to "notes_owner"' in design.said and "drop policy" in design.said


# Logins and the hunt


def test_logins_and_the_hunt_end_as_they_should(cli: Cli) -> None:
    """Both say it in totals and by their status; each place of the hunt had a secret in clear to be found."""
    logins, hunt = cli.each(
        [("logins", "--json"), ("hunt", "--source", "shop.sql", "--intent", "intent.yaml", "--json")]
    )

    assert logins.status == hunt.status == 0
    tried = logins.json["logins"]
    assert tried["run"] == tried["as_declared"] == len(logins.json["attempts"]) > 5
    assert all(each["proved"] and not each["leaks"] for each in hunt.json["hunts"].values())
    assert hunt.json["hunts"]["a server of PostgreSQL"]["searched_bytes"]


# Ctrl-C, a reader who leaves, a killed process


@pytest.mark.parametrize(
    "phase",
    ["", "attacking the naive design", "attacking the design", "breaking the design part by part"],
    ids=["place", "naive", "attacks", "mutants"],
)
def test_an_interrupt_leaves_nothing(cli: Cli, phase: str) -> None:
    """In each phase: one line, status 130; no private cluster, no scratch database, no process is left.

    The bar is on the terminal alone, and gone with it.
    """
    naive = "--no-naive" if phase.startswith("breaking") else "--naive"
    master, slave = pty.openpty()
    run = cli.start("prove", "--source", "shop.sql", "--intent", "intent.yaml", naive, stderr=slave)
    os.close(slave)
    try:
        if phase:
            shown = seen(master, phase)
            clusters = private_clusters(run.pid)
        else:
            shown, clusters = "", started_cluster(run)
        os.killpg(run.pid, signal.SIGINT)
        shown += seen(master, None)
    finally:
        os.close(master)
    said, _ = run.communicate(timeout=60)

    assert run.returncode == 130, shown
    assert said == "" and shown.rstrip().endswith("workbench: interrupted: nothing half-done is left behind")
    assert "Traceback" not in shown
    assert clusters and cli.left(run.pid) == []
    gone(clusters)
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


def test_a_killed_process_leaves_no_cluster(cli: Cli) -> None:
    """The keeper stops and removes it, though nobody could tell it to."""
    master, slave = pty.openpty()
    run = cli.start("prove", "--source", "shop.sql", "--intent", "intent.yaml", stderr=slave)
    os.close(slave)
    seen(master, "attacking the naive design")
    clusters = private_clusters(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    os.close(master)
    run.communicate(timeout=60)

    assert clusters
    gone(clusters)
    for name in cli.left(run.pid):
        cli.server.drop_database(name)
    for each in (cli.folder / "tmp").iterdir():
        shutil.rmtree(each)


def test_a_reader_who_leaves_is_no_traceback(cli: Cli) -> None:
    """As with `| head -1`: the command ends, and says nothing of its own troubles."""
    run = cli.start("prove", "--source", "shop.sql", "--intent", "small.yaml", "--json", *QUICK)
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    complained = run.stderr.read()

    assert run.wait(60) == 1 and complained == ""
    assert cli.left(run.pid) == []


def seen(terminal: int, words: str | None) -> str:
    """What is shown until *words* are, or, without, to the end."""
    shown = b""
    while words is None or words.encode() not in shown:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # nobody has the other end open any more
            read = b""
        if not read:
            assert words is None, shown.decode(errors="replace")
            break
        shown += read
    return shown.decode(errors="replace")


def started_cluster(run: subprocess.Popen[str]) -> list[Path]:
    """The private cluster's folder, as soon as the process has one open."""
    deadline = time.monotonic() + 90
    while not (found := private_clusters(run.pid)):
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()
        time.sleep(0.02)
    return found


def private_clusters(pid: int) -> list[Path]:
    """The folders of private clusters that the process *pid* holds open."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = each.resolve()
        except OSError:
            continue
        found += [part for part in (target, *target.parents) if part.name.startswith("private-")]
    return list(dict.fromkeys(found))


def gone(clusters: list[Path]) -> None:
    """The keeper removes a cluster once its last user has left."""
    deadline = time.monotonic() + 30
    while left := [each for each in clusters if each.exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_what_is_live_is_attacked_where_that_is_asked(cli: Cli) -> None:
    """A settable identity is found in the source's own design, which does not touch the totals of ours."""
    (cli.folder / "live.sql").write_text("""
        create role app login;
        create table users (user_id int primary key, name text);
        create table orders (order_id int primary key, user_id int not null references users);
        insert into users select g, 'user ' || g from generate_series(1, 5) g;
        insert into orders select g, 1 + g % 5 from generate_series(1, 50) g;
        alter table orders enable row level security;
        create policy own on orders for select to app
            using (user_id = nullif(current_setting('app.user_id', true), '')::int);
        grant select on users, orders to app;
    """)

    ended = cli("prove", "--source", "live.sql", *QUICK, "--found", "--json")

    assert ended.status == 1
    assert ended.json["attacks"]["run"] == ended.json["attacks"]["as_declared"] > 0
    assert ended.json["found"]["run"] > ended.json["found"]["as_declared"] > 0
    assert "app acts for whom it likes" in ended.json["findings"][0]["title"]
    assert [run["design"] for run in ended.json["runs"]] == ["as found", "hardened"]
