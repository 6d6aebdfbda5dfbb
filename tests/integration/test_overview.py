"""What a schema holds, at a glance."""

from __future__ import annotations

from workbench.catalog.overview import size_of, table_overview
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection


def test_a_partitioned_table_is_one_table_with_the_rows_of_its_partitions(pg: Connection) -> None:
    """Keys that partitions inherit count once, those of their own as well."""
    pg.execute(
        """
        create table kind (id int primary key);
        create table sale (id int, kind_id int references kind, primary key (id)) partition by range (id);
        create table sale_1 partition of sale for values from (0) to (100);
        create table sale_2 partition of sale for values from (100) to (200);
        alter table sale_1 add constraint own foreign key (id) references kind;
        create view kinds as select id from kind;
        insert into kind select generate_series(1, 5);
        insert into sale select n, 1 from generate_series(1, 5) n;
        comment on table sale is 'What was sold. And much more about it.';
        analyze;
        """
    )
    catalog = reflect(pg)

    size = size_of(catalog)
    rows = {row["table"]: row for row in table_overview(catalog)}

    assert (size["tables"], size["partitions"], size["views"], size["foreign keys"]) == (2, 2, 1, 2)
    assert size["rows"] == 10
    assert set(rows) == {"public.kind", "public.sale"}
    assert rows["public.sale"]["rows"] == 5
    assert rows["public.sale"]["comment"] == "What was sold"
    assert rows["public.kind"]["referred to by"] == 1


def test_an_empty_database_holds_nothing(pg: Connection) -> None:
    """No table, no row, no sum over nothing that fails."""
    assert set(size_of(reflect(pg)).values()) == {0}
    assert table_overview(reflect(pg)) == []


def test_rows_of_a_table_that_was_never_analysed_are_unknown(pg: Connection) -> None:
    """Unknown is not zero."""
    pg.execute("create table t (id int)")

    assert [row["rows"] for row in table_overview(reflect(pg))] == [None]
