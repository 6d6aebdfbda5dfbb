-- bench_pgcrypto: as many values encrypted by pgcrypto, which reads its key from the statement
select pg_catalog.count(pgp_sym_encrypt(%(value)s || g.n, %(key)s))
from pg_catalog.generate_series(1, %(count)s) as g (n);
