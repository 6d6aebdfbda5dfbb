-- made_row: a copy of a row that belongs to somebody else than the row it is copied from
-- needs: PostgreSQL 13   placeholders: table, columns, values
insert into {table} ({columns})
overriding system value
values ({values});
