-- drop_variants: the roles of the measurement are gone, once its database is
-- needs: PostgreSQL 13
drop role if exists measured_per_row, measured_exists, measured_app, measured_owner, measured_keeper;
