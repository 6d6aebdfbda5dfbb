-- naive_raw: every row the same value, by the raw encrypt()
update people
set ssn_raw = encrypt('0123456789abcdef0123456789', 'a key of sixteen', 'aes');
