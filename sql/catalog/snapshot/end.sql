-- end: the end of the snapshot
rollback;
