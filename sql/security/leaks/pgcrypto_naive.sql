-- pgcrypto_naive: a column encrypted in the database with a key in a setting, as it is often shown
create extension pgcrypto;

create table people (
    id integer primary key,
    ssn_encrypted bytea,
    ssn_raw bytea
);

create function encrypt_ssn(ssn text)
returns bytea
language plpgsql
as $$
begin
    return pgp_sym_encrypt(ssn, current_setting('app.encryption_key'));
end;
$$;

create function decrypt_ssn(encrypted_ssn bytea)
returns text
language plpgsql
as $$
begin
    return pgp_sym_decrypt(encrypted_ssn, current_setting('app.encryption_key'));
end;
$$;

revoke all on function decrypt_ssn(bytea) from public;
