"""The declared workload of the e-commerce example, with values that its data has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg2 import sql as composed

from workbench import example, sql
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.plans import rolled_back
from workbench.proof.workload.model import Unread, Workload
from workbench.proof.workload.reading import Candidate, checked
from workbench.proof.workload.written import parsed_statement


def workload_of_example(conn: Connection) -> Workload:
    """The example's queries, each weighted by how often an hour it is declared to run.

    Values are picked from the data of *conn*, the example's database. A query for which its data has none
    is unread. Raises BadInput where *conn* is another database.
    """
    queries = example.workload()
    if conn.execute("select pg_catalog.to_regclass('shop.orders')").fetchone() == (None,):
        raise BadInput("this database is not the e-commerce example: name a file with its workload")
    picked = _picked(conn, queries)
    candidates: list[Candidate] = []
    unread: list[Unread] = []
    for query in queries:
        parsed = parsed_statement(query.sql)
        values = [picked[query.name, name] for name in parsed.parameters]
        missing = [name for name, value in zip(parsed.parameters, values, strict=True) if value is None]
        where = f"sql/{example.WORKLOAD}"
        if missing:
            reason = f"the data has no value for {', '.join(missing)}: generate the example at a larger scale"
            unread.append(Unread(query.name, where, reason))
            continue
        sets = [tuple(value for value in values if value is not None)] if values else []
        candidates.append(
            Candidate(query.name, parsed, where, None, float(query.frequency_per_hour), sets, untyped=True)
        )
    return checked(conn, candidates, unread, origin="the example's declared workload, per hour")


def _picked(
    conn: Connection, queries: Sequence[example.WorkloadQuery]
) -> Mapping[tuple[str, str], str | None]:
    """A literal for each parameter of each query, all in one query; None where there is none."""
    asked = [(query.name, name, text) for query in queries for name, text in query.parameters.items()]
    parts = [
        composed.SQL(
            "(select {number}, pg_catalog.quote_literal(picked.value::text)"
            " from ({query}) as picked(value) limit 1)"
        ).format(number=composed.Literal(number), query=composed.SQL(text))
        for number, (_, _, text) in enumerate(asked)
    ]
    with rolled_back(conn):
        sql.fetch(conn, "proof/workload/uncounted.sql")
        found = dict(conn.execute(composed.SQL(" union all ").join(parts)).fetchall()) if parts else {}
    return {(query, name): found.get(number) for number, (query, name, _) in enumerate(asked)}
