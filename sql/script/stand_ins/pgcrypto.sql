-- pgcrypto by core functions: digest, hmac and random bytes compute; ciphers and password hashes say that they cannot
-- gen_random_uuid is a core function; parameters: {prefix} the schema and its dot, or nothing
create or replace function {prefix}digest(data bytea, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  case pg_catalog.lower(type)
    when 'md5' then return pg_catalog.decode(pg_catalog.md5(data), 'hex');
    when 'sha224' then return pg_catalog.sha224(data);
    when 'sha256' then return pg_catalog.sha256(data);
    when 'sha384' then return pg_catalog.sha384(data);
    when 'sha512' then return pg_catalog.sha512(data);
    else
      raise exception 'digest of type % needs the extension pgcrypto, which this engine lacks', type
        using errcode = 'WB001';
  end case;
end
$$;

create or replace function {prefix}digest(data text, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  case pg_catalog.lower(type)
    when 'md5' then return pg_catalog.decode(pg_catalog.md5(data), 'hex');
    when 'sha224' then return pg_catalog.sha224(pg_catalog.convert_to(data, 'UTF8'));
    when 'sha256' then return pg_catalog.sha256(pg_catalog.convert_to(data, 'UTF8'));
    when 'sha384' then return pg_catalog.sha384(pg_catalog.convert_to(data, 'UTF8'));
    when 'sha512' then return pg_catalog.sha512(pg_catalog.convert_to(data, 'UTF8'));
    else
      raise exception 'digest of type % needs the extension pgcrypto, which this engine lacks', type
        using errcode = 'WB001';
  end case;
end
$$;

-- RFC 2104: H(key xor opad, H(key xor ipad, data)), the key padded with zeros to the block of the hash
create or replace function {prefix}hmac(data bytea, key bytea, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
declare
  hash pg_catalog.text := pg_catalog.lower(type);
  block pg_catalog.int4 := case when pg_catalog.lower(type) in ('sha384', 'sha512') then 128 else 64 end;
  padded pg_catalog.bytea := key;
  inner_key pg_catalog.bytea;
  outer_key pg_catalog.bytea;
  message pg_catalog.bytea := data;
  result pg_catalog.bytea;
begin
  if hash not in ('md5', 'sha224', 'sha256', 'sha384', 'sha512') then
    raise exception 'hmac of type % needs the extension pgcrypto, which this engine lacks', type
      using errcode = 'WB001';
  end if;
  if pg_catalog.octet_length(padded) > block then
    padded := case hash
        when 'md5' then pg_catalog.decode(pg_catalog.md5(padded), 'hex')
        when 'sha224' then pg_catalog.sha224(padded)
        when 'sha256' then pg_catalog.sha256(padded)
        when 'sha384' then pg_catalog.sha384(padded)
        else pg_catalog.sha512(padded)
      end;
  end if;
  padded := padded || pg_catalog.decode(pg_catalog.repeat('00', block - pg_catalog.octet_length(padded)), 'hex');
  inner_key := padded;
  outer_key := padded;
  for at in 0 .. block - 1 loop
    inner_key := pg_catalog.set_byte(inner_key, at, pg_catalog.get_byte(padded, at) # 54);
    outer_key := pg_catalog.set_byte(outer_key, at, pg_catalog.get_byte(padded, at) # 92);
  end loop;
  for step in 1 .. 2 loop
    message := case step when 1 then inner_key || message else outer_key || result end;
    result := case hash
        when 'md5' then pg_catalog.decode(pg_catalog.md5(message), 'hex')
        when 'sha224' then pg_catalog.sha224(message)
        when 'sha256' then pg_catalog.sha256(message)
        when 'sha384' then pg_catalog.sha384(message)
        else pg_catalog.sha512(message)
      end;
  end loop;
  return result;
end
$$;

create or replace function {prefix}hmac(data text, key text, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
declare
  hash pg_catalog.text := pg_catalog.lower(type);
  block pg_catalog.int4 := case when pg_catalog.lower(type) in ('sha384', 'sha512') then 128 else 64 end;
  padded pg_catalog.bytea := pg_catalog.convert_to(key, 'UTF8');
  inner_key pg_catalog.bytea;
  outer_key pg_catalog.bytea;
  message pg_catalog.bytea := pg_catalog.convert_to(data, 'UTF8');
  result pg_catalog.bytea;
begin
  if hash not in ('md5', 'sha224', 'sha256', 'sha384', 'sha512') then
    raise exception 'hmac of type % needs the extension pgcrypto, which this engine lacks', type
      using errcode = 'WB001';
  end if;
  if pg_catalog.octet_length(padded) > block then
    padded := case hash
        when 'md5' then pg_catalog.decode(pg_catalog.md5(padded), 'hex')
        when 'sha224' then pg_catalog.sha224(padded)
        when 'sha256' then pg_catalog.sha256(padded)
        when 'sha384' then pg_catalog.sha384(padded)
        else pg_catalog.sha512(padded)
      end;
  end if;
  padded := padded || pg_catalog.decode(pg_catalog.repeat('00', block - pg_catalog.octet_length(padded)), 'hex');
  inner_key := padded;
  outer_key := padded;
  for at in 0 .. block - 1 loop
    inner_key := pg_catalog.set_byte(inner_key, at, pg_catalog.get_byte(padded, at) # 54);
    outer_key := pg_catalog.set_byte(outer_key, at, pg_catalog.get_byte(padded, at) # 92);
  end loop;
  for step in 1 .. 2 loop
    message := case step when 1 then inner_key || message else outer_key || result end;
    result := case hash
        when 'md5' then pg_catalog.decode(pg_catalog.md5(message), 'hex')
        when 'sha224' then pg_catalog.sha224(message)
        when 'sha256' then pg_catalog.sha256(message)
        when 'sha384' then pg_catalog.sha384(message)
        else pg_catalog.sha512(message)
      end;
  end loop;
  return result;
end
$$;

create or replace function {prefix}gen_random_bytes(count integer)
returns bytea language sql volatile strict parallel safe
as $$
  select pg_catalog.substr(pg_catalog.string_agg(pg_catalog.sha256(
      pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) || pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
    ), ''::pg_catalog.bytea), 1, count)
  from pg_catalog.generate_series(0, count / 32)
$$;

create or replace function {prefix}crypt(password text, salt text)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'crypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}gen_salt(type text)
returns text language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'gen_salt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}gen_salt(type text, iterations integer)
returns text language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'gen_salt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_encrypt(data text, key text)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_sym_encrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_encrypt(data text, key text, options text)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_sym_encrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_encrypt_bytea(data bytea, key text)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_sym_encrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_encrypt_bytea(data bytea, key text, options text)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_sym_encrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_decrypt(message bytea, key text)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_sym_decrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_decrypt(message bytea, key text, options text)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_sym_decrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_decrypt_bytea(message bytea, key text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_sym_decrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_sym_decrypt_bytea(message bytea, key text, options text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_sym_decrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_encrypt(data text, key bytea)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_pub_encrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_encrypt(data text, key bytea, options text)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_pub_encrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_encrypt_bytea(data bytea, key bytea)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_pub_encrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_encrypt_bytea(data bytea, key bytea, options text)
returns bytea language plpgsql volatile strict parallel safe
as $$
begin
  raise exception 'pgp_pub_encrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_decrypt(message bytea, key bytea)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_pub_decrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_decrypt(message bytea, key bytea, password text)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_pub_decrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_decrypt(message bytea, key bytea, password text, options text)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_pub_decrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_decrypt_bytea(message bytea, key bytea)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_pub_decrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_decrypt_bytea(message bytea, key bytea, password text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_pub_decrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_pub_decrypt_bytea(message bytea, key bytea, password text, options text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_pub_decrypt_bytea needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_key_id(message bytea)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_key_id needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}armor(data bytea)
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'armor needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}armor(data bytea, keys text[], "values" text[])
returns text language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'armor needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}dearmor(data text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'dearmor needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}pgp_armor_headers(data text, out key text, out value text)
returns setof record language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'pgp_armor_headers needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}encrypt(data bytea, key bytea, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'encrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}encrypt_iv(data bytea, key bytea, iv bytea, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'encrypt_iv needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}decrypt(data bytea, key bytea, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'decrypt needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;

create or replace function {prefix}decrypt_iv(data bytea, key bytea, iv bytea, type text)
returns bytea language plpgsql immutable strict parallel safe
as $$
begin
  raise exception 'decrypt_iv needs the extension pgcrypto, which this engine lacks' using errcode = 'WB001';
end
$$;
