-- bench_pgcrypto_both: the same, decrypted again
select pg_catalog.count(pgp_sym_decrypt(pgp_sym_encrypt(%(value)s || g.n, %(key)s), %(key)s))
from pg_catalog.generate_series(1, %(count)s) as g (n);
