-- key_reserve: a share of the nonces that one data key may use, for one process
update {schema}.data_key
set sealed = sealed + %(count)s
where key_id = %(key_id)s
  and wrapped is not null
  and sealed + %(count)s <= %(budget)s
returning sealed;
