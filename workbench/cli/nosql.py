"""The commands of the NoSQL area."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from workbench.cli.common import (
    F,
    as_plain,
    json_option,
    print_findings,
    print_json,
    print_table,
    source_options,
)

if TYPE_CHECKING:
    from workbench.areas.nosql import OpenModel
    from workbench.documents.validators import Strictness


@contextlib.contextmanager
def _opened_model(source: dict[str, Any]) -> Iterator[OpenModel]:
    """The source that the options name, open for the NoSQL area."""
    from workbench.areas.nosql import open_model
    from workbench.source import Options

    spec = source.pop("source")
    with open_model(spec, Options(**source)) as opened:
        yield opened


@click.group()
def nosql() -> None:
    """The NoSQL model: review collections, prove validators and indexes, design documents from rows."""


def sample_option(command: F) -> F:
    return click.option(
        "--sample",
        type=click.IntRange(min=0),
        default=0,
        show_default="all",
        metavar="N",
        help="Documents of each collection to look at, taken at random; counts are exact where all are.",
    )(command)


@nosql.command("review")
@source_options
@sample_option
@click.option(
    "--strictness",
    type=click.Choice(["types", "required", "closed"]),
    default="required",
    show_default=True,
    help="Suggested validators: types alone, required fields too, or no other fields.",
)
@click.option(
    "--operations",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Operations and their frequencies as JSON, besides those that the profiler has recorded.",
)
@click.option(
    "--shard-key",
    "shard_keys",
    multiple=True,
    metavar="COLLECTION=FIELD,…",
    help="A planned shard key to judge, such as orders=country or events=_id:hashed.",
)
@json_option
def nosql_review(
    sample: int,
    strictness: Strictness,
    operations: Path | None,
    shard_keys: tuple[str, ...],
    as_json: bool,
    **source: Any,
) -> None:
    """Infer the shape of each collection, run the checks, suggest validators and count who fails them."""
    from workbench.areas.nosql import review_model

    with _opened_model(source) as opened:
        reviewed = review_model(
            opened, sample=sample, strictness=strictness, operations=operations, shard_keys=shard_keys
        )
    if as_json:
        print_json(reviewed.as_dict())
        return
    print_table(
        f"{len(reviewed.collections)} collections",
        reviewed.collections,
        {
            "collection": "collection",
            "kind": "kind",
            "documents": "documents",
            "paths": "field paths",
            "mean_bytes": "bytes a document",
            "indexes": "indexes",
            "validator": "validator",
            "failing": "would fail the suggested one",
        },
    )
    print_findings([finding.as_dict() for finding in reviewed.findings])
    for line in reviewed.not_judged:
        click.echo(f"not judged: {as_plain(line)}")


@nosql.command("design")
@source_options
@click.option(
    "--patterns",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Access patterns as JSON, or a workload as SQL; by default the example's, or what the keys suggest.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1_000),
    default=200_000,
    show_default=True,
    help="Rows at most of the largest table that the designs are built from; of the others the same share.",
)
@json_option
def nosql_design(patterns: Path | None, rows: int, as_json: bool, **source: Any) -> None:
    """Price document designs for rows and access patterns, then build and run the best three."""
    from workbench.areas.nosql import design_documents, design_rows
    from workbench.documents.design import as_dict

    with _opened_model(source) as opened:
        designed = design_documents(opened, patterns=patterns, rows=rows)
    if as_json:
        print_json(as_dict(designed))
        return
    table = design_rows(designed)
    print_table(
        f"{designed.considered:,} designs priced, {len(table)} built and run",
        table,
        {name: name.replace("_", " ") for name in table[0]},
    )
    unmapped = [f"no access pattern: {each.name}: {each.reason}" for each in designed.unmapped]
    for line in (designed.decision, *designed.notes, *designed.losses, *unmapped):
        click.echo(as_plain(line))


@nosql.command("prove")
@source_options
@json_option
def nosql_prove(as_json: bool, **source: Any) -> None:
    """Try what must be refused, and show that indexes are used, on scratch copies."""
    from dataclasses import asdict

    from workbench.areas.nosql import prove_model

    with _opened_model(source) as opened:
        results = prove_model(opened)
    rows = [asdict(proof) for proof in results.proofs]
    if as_json:
        print_json(rows)
    else:
        columns = {"claim": "claim", "outcome": "outcome", "detail": "how", "why_not": "why not proved"}
        print_table(f"{len(rows)} claims", rows, columns)
    if any(row["outcome"] == "refuted" for row in rows):
        raise SystemExit(1)
