"""Which kind of source a text names, what of it is shown, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import bson
import pytest

from workbench.errors import SourceError
from workbench.source import Kind, resolve

MAGIC = b"\x6d\xe2\x99\x81"


@pytest.mark.parametrize(
    ("spec", "shown", "title", "secret"),
    [
        ("mongodb://h/shop", "mongodb://h/shop", "shop", None),
        ("mongodb://ann:s3cr3t@h:1/shop", "mongodb://ann@h:1/shop", "shop", "s3cr3t"),
        ("MongoDB://ann:s3cr3t@h/shop", "mongodb://ann@h/shop", "shop", "s3cr3t"),
        ("mongodb://ann:s3%40%2F%3A%25@h/shop", "mongodb://ann@h/shop", "shop", "s3@/:%"),
        ("mongodb://an%40n:s3cr3t@h/shop", "mongodb://an%40n@h/shop", "shop", "s3cr3t"),
        ("mongodb://ann:s3cr3t@a:1,b:2,[::1]:3/shop", "mongodb://ann@a:1,b:2,[::1]:3/shop", "shop", "s3cr3t"),
        (
            "mongodb://ann:s3cr3t@%2Ftmp%2Fmongodb-27017.sock/shop?authSource=admin&replicaSet=rs0",
            "mongodb://ann@%2Ftmp%2Fmongodb-27017.sock/shop?authSource=admin&replicaSet=rs0",
            "shop",
            "s3cr3t",
        ),
        (
            "mongodb+srv://ann:s3cr3t@cluster.example.org/shop?retryWrites=true&srvMaxHosts=2",
            "mongodb+srv://ann@cluster.example.org/shop?retryWrites=true&srvMaxHosts=2",
            "shop",
            "s3cr3t",
        ),
        ("mongodb://h/sh%C3%B6p", "mongodb://h/sh%C3%B6p", "shöp", None),
    ],
)
def test_a_url_of_collections(spec: str, shown: str, title: str, secret: str | None) -> None:
    """User, hosts, sockets and options are kept, the password is taken out; no name server is asked."""
    source = resolve(spec)

    assert (source.kind, source.spec, source.title, source.secret) == ("collections", shown, title, secret)
    assert "s3cr3t" not in repr(source)
    assert resolve(source.spec).spec == source.spec


def test_options_that_hold_a_secret_are_taken_out() -> None:
    """Tokens and passphrases go where the password goes; the other options stay."""
    source = resolve(
        "mongodb://key:s3cr3t@h/shop?authMechanism=MONGODB-AWS&tls=true&authSource=%24external"
        "&authMechanismProperties=AWS_SESSION_TOKEN:s3cr3t2&TLSCertificateKeyFilePassword=s3cr3t3%20x"
        "&proxyPassword=s3cr3t4"
    )

    assert source.spec == "mongodb://key@h/shop?authMechanism=MONGODB-AWS&tls=true&authSource=%24external"
    assert dict(source.secret_options) == {
        "authMechanismProperties": "AWS_SESSION_TOKEN:s3cr3t2",
        "TLSCertificateKeyFilePassword": "s3cr3t3 x",
        "proxyPassword": "s3cr3t4",
    }
    assert "s3cr3t" not in repr(source)


def test_a_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where the URL has a user and no password."""
    monkeypatch.setenv("WORKBENCH_MONGODB_PASSWORD", "s3cr3t")

    assert resolve("mongodb://ann@h/shop").secret == "s3cr3t"
    assert resolve("mongodb://ann:other@h/shop").secret == "other"
    assert resolve("mongodb://h/shop").secret is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mongodb://ann:s3cr3t@h", r"names no database: .* mongodb://ann@h/NAME"),
        ("mongodb://ann:s3cr3t@h/?tls=true", r"mongodb://ann@h/NAME\?tls=true"),
        ("mongodb+srv://ann:s3cr3t@h.example.org", r"mongodb\+srv://ann@h.example.org/NAME"),
        ("mongodb://ann:s3cr3t@h/shop.orders", "names a collection as well"),
        ("mongodb://ann:s3/cr3t@h/shop", "must be percent-encoded"),
        ("mongodb://ann:s3@cr3t@h/shop", "must be percent-encoded"),
        ("mongodb://ann:s3?cr3t@h/shop", "must be percent-encoded"),
        ("mongodb://ann:s3:cr3t@h/shop", "is not a MongoDB URL"),
        ("mongodb://ann:s3cr3t@h:port/shop", "is not a MongoDB URL"),
        ("mongodb://ann:s3cr3t@h:99999/shop", "is not a MongoDB URL"),
        ("mongodb://ann:s3cr3t@/shop", "is not a MongoDB URL"),
        ("mongodb://ann:s3cr3t@h/sh op", "is not a MongoDB URL"),
        ("mongodb://ann:s3cr3t@h/shop?authMechanism=NONE", "is not a MongoDB URL"),
        ("mongodb+srv://ann:s3cr3t@a.example.org,b.example.org/shop", "one host name without a port"),
        ("mongodb+srv://ann:s3cr3t@a.example.org:27017/shop", "one host name without a port"),
        ("mongodb://", "is not a MongoDB URL"),
        ("couchdb://h/shop", "a couchdb:// source is not supported: give .* mongodb:// URL"),
        ("nowhere.bson", "no such file .* mongodump or mongoexport"),
    ],
)
def test_a_url_that_cannot_be_is_one_line(spec: str, said: str) -> None:
    """Wrong URLs are named before anything is asked of a server, without their secrets."""
    with pytest.raises(SourceError, match=said) as refused:
        resolve(spec)

    assert "\n" not in str(refused.value)
    assert "cr3t" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.archive", MAGIC, "dump"),
        ("a.archive.gz", gzip.compress(MAGIC, mtime=0), "dump"),
        ("nightly", MAGIC, "dump"),
        ("nightly.gz", gzip.compress(MAGIC + b"rest", mtime=0), "dump"),
        ("orders.bson", b"", "dump"),
        ("orders.bson.gz", b"", "dump"),
        ("orders.json", b"{}", "dump"),
        ("orders.jsonl.gz", b"", "dump"),
        ("orders.ndjson", b"", "dump"),
        ("schema.sql", b"select 1;", "file"),
        ("schema", b"create table t ();", "file"),
        ("schema.sql.gz", gzip.compress(b"select 1;", mtime=0), "file"),
        ("broken.gz", b"\x1f\x8bxx", "file"),
        ("empty", b"", "file"),
    ],
)
def test_a_file_is_known_by_content_or_name(name: str, content: bytes, kind: Kind, tmp_path: Path) -> None:
    """Archives by how they begin, documents by their suffix; every other file is SQL, as ever."""
    (tmp_path / name).write_bytes(content)

    source = resolve(str(tmp_path / name))

    assert (source.kind, source.title, source.path) == (kind, name, (tmp_path / name).resolve())


@pytest.mark.parametrize(
    "name", ["c.bson", "c.json.gz", "shop/c.bson.gz", "shop/c.metadata.json", "oplog.bson"]
)
def test_a_folder_with_documents_is_a_dump(name: str, tmp_path: Path) -> None:
    """Files directly, or a folder a database."""
    (tmp_path / "dump" / name).parent.mkdir(parents=True)
    (tmp_path / "dump" / name).write_bytes(bson.encode({}))

    assert (resolve(str(tmp_path / "dump")).kind, resolve(str(tmp_path / "dump")).title) == ("dump", "dump")


@pytest.mark.parametrize("name", ["schema.sql", "shop/settings.json", "shop/deep/c.bson"])
def test_another_folder_is_refused(name: str, tmp_path: Path) -> None:
    """A folder without a dump is a directory, of which one file is to be named."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"")

    with pytest.raises(SourceError, match=r"is a directory: name one \.sql file in it"):
        resolve(str(tmp_path))
