-- key_destroy: the data keys of an identity, or one by its id that does not seal any more, are no more
update {schema}.data_key
set wrapped = null,
    active = false,
    destroyed_at = pg_catalog.now()
where wrapped is not null
  and ((key_id = %(key_id)s and not active) or (%(identity)s <> '' and identity = %(identity)s))
returning key_id;
