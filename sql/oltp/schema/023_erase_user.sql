-- erase_user: removes what identifies a person and keeps the orders
create procedure shop.erase_user(erased_user_id uuid)
language plpgsql
set search_path = ''
as $$
begin
    update shop.users u
    set
        email = 'erased-' || u.user_id::text || '@invalid.example',
        username = 'erased-' || u.user_id::text,
        is_active = false,
        last_login_at = null,
        erased_at = coalesce(u.erased_at, pg_catalog.now())
    where u.user_id = erased_user_id;
    if not found then
        raise exception 'there is no user %', erased_user_id
            using errcode = 'no_data_found';
    end if;
    delete from shop.user_profiles p
    where p.user_id = erased_user_id;
    update shop.order_addresses a
    set
        street_address_1 = 'erased',
        street_address_2 = null,
        city = 'erased',
        state_province = null,
        postal_code = null
    from shop.orders o
    where o.order_id = a.order_id
        and o.user_id = erased_user_id;
    update shop.orders o
    set notes = null
    where o.user_id = erased_user_id
        and o.notes is not null;
    delete from shop.addresses a
    where a.user_id = erased_user_id;
end
$$;

comment on procedure shop.erase_user(uuid) is
    'Makes a user anonymous: name, mail, profile, address book and the addresses and notes of the orders go, the '
    'orders with their countries, amounts and products stay. The audit trail holds none of these values.';
