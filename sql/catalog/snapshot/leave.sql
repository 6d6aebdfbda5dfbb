-- leave: the end of our part of the caller's transaction, which gets its settings back
rollback to savepoint workbench_snapshot;
release savepoint workbench_snapshot;
