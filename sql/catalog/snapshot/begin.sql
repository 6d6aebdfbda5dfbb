-- begin: one snapshot for all that is read, in which nothing can be written
begin transaction isolation level repeatable read read only;
