-- shadow_relation: a view that is taken for a relation of its name, and tells as whom it is read
-- needs: PostgreSQL 13   placeholders: temporary, place, name, form, outsider
create {temporary} view {place}{name} as
select {form}
where {outsider}.probe();
grant all on table {place}{name} to public;
