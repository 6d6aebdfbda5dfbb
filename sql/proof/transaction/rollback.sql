-- rollback: everything is as it was before begin
rollback;
