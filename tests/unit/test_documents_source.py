"""Collections that are opened by name: a dump as a server, and what is neither."""

from __future__ import annotations

import bson
import pytest

from workbench.documents.source import open_documents
from workbench.errors import SourceError


def test_a_dump_is_read_as_a_server_is(tmp_path):
    """All documents, or as many random ones as are asked for, the same ones for the same seed."""
    (tmp_path / "orders.jsonl").write_text("".join(f'{{"_id": {n}}}\n' for n in range(500)))

    with open_documents(str(tmp_path / "orders.jsonl")) as source:
        assert (source.title, source.database) == ("orders.jsonl", None)
        assert source.looked_at_on
        assert source.catalog.collection("orders").documents == 500
        assert len(bson.decode_all(b"".join(source.batches("orders")))) == 500
        sample = b"".join(source.batches("orders", sample=40, seed=7))
        assert len({each["_id"] for each in bson.decode_all(sample)}) == 40
        assert sample == b"".join(source.batches("orders", sample=40, seed=7))
        assert sample != b"".join(source.batches("orders", sample=40, seed=8))
        with pytest.raises(KeyError):
            next(source.batches("carts"))


def test_a_file_of_tables_holds_no_collections(tmp_path):
    """A .sql file is refused with what to give instead."""
    (tmp_path / "schema.sql").write_text("create table a ();")

    with (
        pytest.raises(SourceError, match=r"holds tables: give a mongodb:// URL or a dump"),
        open_documents(str(tmp_path / "schema.sql")),
    ):
        raise AssertionError("a file of tables was opened")
