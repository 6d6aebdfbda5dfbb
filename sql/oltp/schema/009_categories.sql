-- categories: the tree of the catalogue, with a path that triggers derive from it
create table shop.categories (
    category_id uuid not null default uuidv7(),
    parent_category_id uuid,
    category_name text not null,
    slug text not null,
    category_path extensions.ltree not null,
    description text,
    is_active boolean not null default true,
    display_order integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint categories_pkey primary key (category_id),
    constraint categories_parent_category_id_category_name_key
        unique nulls not distinct (parent_category_id, category_name),
    constraint categories_category_path_key unique (category_path),
    constraint categories_parent_category_id_fkey
        foreign key (parent_category_id) references shop.categories (category_id) on delete restrict,
    constraint categories_parent_check check (parent_category_id <> category_id),
    constraint categories_category_name_check check (length(btrim(category_name)) between 1 and 100),
    constraint categories_slug_check check (slug ~ '^[a-z0-9]+(_[a-z0-9]+)*$' and length(slug) <= 100)
);

comment on table shop.categories is 'Tree of categories. Names are unique among siblings.';
comment on column shop.categories.category_id is 'Ordered by time of creation (UUID version 7).';
comment on column shop.categories.parent_category_id is 'Category above; NULL for a root.';
comment on column shop.categories.category_name is 'Name shown, in any script.';
comment on column shop.categories.slug is 'Label of the path; made of the name where none is given.';
comment on column shop.categories.category_path is
    'Derived: the slugs from the root down to this category. Kept true by trigger categories_path, which '
    'overwrites what a client sends, and by trigger categories_descendants, which moves the subtree along.';
comment on column shop.categories.description is 'Free text.';
comment on column shop.categories.is_active is 'False once the category is retired.';
comment on column shop.categories.display_order is 'Position among its siblings.';
comment on column shop.categories.created_at is 'When the row was inserted; fixed.';
comment on column shop.categories.updated_at is 'When the row last changed.';

create index categories_category_path_idx on shop.categories using gist (category_path);

create function shop.derive_category_path()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
    parent_path extensions.ltree;
begin
    if tg_op = 'UPDATE' and new.category_path is null then
        return new;
    end if;
    -- One change of the tree at a time: two moves at once could close a circle that neither sees.
    perform pg_catalog.pg_advisory_xact_lock('shop.categories'::pg_catalog.regclass::pg_catalog.oid::bigint);
    if new.slug is null then
        new.slug := pg_catalog.btrim(
            pg_catalog.regexp_replace(pg_catalog.lower(new.category_name), '[^a-z0-9]+', '_', 'g'), '_'
        );
        if new.slug = '' then
            new.slug := 'c' || pg_catalog.replace(new.category_id::text, '-', '');
        end if;
    end if;
    if new.parent_category_id is not null then
        select c.category_path
        into parent_path
        from shop.categories c
        where c.category_id = new.parent_category_id;
    end if;
    if tg_op = 'UPDATE' and parent_path operator(extensions.<@) old.category_path
        and new.parent_category_id <> new.category_id then
        raise exception 'category % cannot be moved below its own descendant', new.category_id
            using errcode = 'check_violation', schema = 'shop', table = 'categories', constraint = 'categories_path';
    end if;
    if new.slug ~ '^[a-z0-9_]+$' then
        new.category_path := extensions.text2ltree(pg_catalog.concat_ws('.', parent_path::text, new.slug));
    end if;
    return new;
end
$$;

comment on function shop.derive_category_path() is
    'Builds category_path from the parent''s path and the slug, and refuses a move below an own descendant.';

create function shop.move_category_descendants()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    update shop.categories c
    set category_path = new.category_path
    where c.parent_category_id = new.category_id;
    return null;
end
$$;

comment on function shop.move_category_descendants() is
    'Touches the children of a category whose path changed: their own triggers derive their paths anew, '
    'level by level.';

create trigger categories_path
before insert or update of parent_category_id, slug, category_path on shop.categories
for each row
execute function shop.derive_category_path();

create trigger categories_descendants
after update on shop.categories
for each row
when (old.category_path::text <> new.category_path::text)
execute function shop.move_category_descendants();

create trigger categories_timestamps
before update on shop.categories
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();
