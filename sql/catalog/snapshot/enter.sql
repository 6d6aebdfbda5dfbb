-- enter: the start of our part of the caller's transaction
savepoint workbench_snapshot;
