-- products: the catalogue of the shop, with attributes that follow from the kind of article
-- form: documents
with kinds as (
    select k.noun, k.product_type
    from (
        values
            ('Speaker', 'electronics'), ('Headphones', 'electronics'), ('Keyboard', 'electronics'),
            ('Desk Lamp', 'electronics'), ('Lantern', 'electronics'), ('Kettle', 'kitchenware'),
            ('Teapot', 'kitchenware'), ('Spice Rack', 'kitchenware'), ('Backpack', 'textile'),
            ('Blanket', 'textile'), ('Jacket', 'textile'), ('Hammock', 'textile'), ('Yoga Mat', 'textile'),
            ('Guitar Strap', 'textile'), ('Chair', 'furniture'), ('Notebook', 'stationery'), ('Puzzle', 'stationery')
    ) k (noun, product_type)
),
typed as (
    select
        p.*,
        case when p.is_digital then 'download' else coalesce(k.product_type, 'hardware') end as product_type,
        s.stream
    from shop.products p
    left join kinds k on k.noun = regexp_replace(p.product_name, '^\S+ (.*) \S+$', '\1')
    cross join settings s
),
attributes as (
    select
        t.product_id,
        jsonb_agg(
            jsonb_strip_nulls(jsonb_build_object('k', a.key, 'v', a.value, 'u', a.unit))
            order by a.position
        ) as attributes
    from typed t
    cross join lateral (
        values
            (1, '{download}', 'fileFormat', to_jsonb((array['epub', 'flac', 'mp4', 'pdf', 'zip'])[1 + floor(5 * pg_temp.chance(t.product_id, t.stream + 20))::integer]), null),
            (2, '{download}', 'fileSize', to_jsonb(100 + floor(900000 * power(pg_temp.chance(t.product_id, t.stream + 21), 4))::integer), 'kB'),
            (3, '{download}', 'licence', to_jsonb((array['family', 'personal', 'school'])[1 + floor(3 * pg_temp.chance(t.product_id, t.stream + 22))::integer]), null),
            (4, '{electronics}', 'power', to_jsonb(1 + floor(120 * power(pg_temp.chance(t.product_id, t.stream + 23), 2))::integer), 'W'),
            (5, '{electronics}', 'voltage', to_jsonb((array[5, 12, 230])[1 + floor(3 * pg_temp.chance(t.product_id, t.stream + 24))::integer]), 'V'),
            (6, '{electronics}', 'wireless', to_jsonb(pg_temp.chance(t.product_id, t.stream + 25) < 0.4), null),
            (7, '{furniture}', 'height', to_jsonb(300 + floor(900 * pg_temp.chance(t.product_id, t.stream + 26))::integer), 'mm'),
            (8, '{furniture}', 'maxLoad', to_jsonb(80 + 10 * floor(10 * pg_temp.chance(t.product_id, t.stream + 27))::integer), 'kg'),
            (9, '{furniture}', 'width', to_jsonb(300 + floor(600 * pg_temp.chance(t.product_id, t.stream + 28))::integer), 'mm'),
            (10, '{kitchenware}', 'capacity', to_jsonb(100 * (2 + floor(30 * pg_temp.chance(t.product_id, t.stream + 29))::integer)), 'ml'),
            (11, '{kitchenware}', 'dishwasherSafe', to_jsonb(pg_temp.chance(t.product_id, t.stream + 30) < 0.7), null),
            (12, '{stationery}', 'pieces', to_jsonb(1 + floor(1000 * pg_temp.chance(t.product_id, t.stream + 31))::integer), null),
            (13, '{stationery}', 'recycled', to_jsonb(pg_temp.chance(t.product_id, t.stream + 32) < 0.5), null),
            (14, '{hardware,textile}', 'length', to_jsonb(100 + floor(2000 * pg_temp.chance(t.product_id, t.stream + 33))::integer), 'mm'),
            (15, '{textile}', 'washable', to_jsonb(pg_temp.chance(t.product_id, t.stream + 34) < 0.8), null),
            (16, '{furniture,hardware,kitchenware,textile}', 'material', to_jsonb((array['bamboo', 'brass', 'copper', 'cotton', 'glass', 'linen', 'oak', 'steel', 'wool'])[1 + floor(9 * pg_temp.chance(t.product_id, t.stream + 35))::integer]), null),
            (17, '{electronics,furniture,hardware,kitchenware,stationery,textile}', 'weight', to_jsonb(coalesce(t.weight_grams, 1)), 'g')
    ) a (position, types, key, value, unit)
    where t.product_type = any (a.types::text[])
    group by t.product_id
),
-- A product is in its categories and in all that lie above them.
paths as (
    select
        named.product_id,
        jsonb_agg(named.path order by named.path collate "C") as categories
    from (
        select distinct pc.product_id, extensions.subltree(c.category_path, 0, n.depth)::text as path
        from shop.product_categories pc
        join shop.categories c on c.category_id = pc.category_id
        cross join lateral generate_series(1, extensions.nlevel(c.category_path)) n (depth)
    ) named
    group by named.product_id
)
select
    jsonb_strip_nulls(
        jsonb_build_object(
            '_id', pg_temp.extended_uuid(t.product_id),
            'schemaVersion', 1,
            'sku', t.sku,
            'name', t.product_name,
            'brand', split_part(t.product_name, ' ', 1),
            'type', t.product_type,
            'description', t.description,
            'categories', coalesce(p.categories, '[]'),
            'attributes', a.attributes,
            'price', jsonb_build_object(
                'amount', pg_temp.extended_decimal(t.base_price),
                'currency', t.currency_code,
                'validFrom', pg_temp.extended_date(coalesce(h.valid_to, t.created_at))
            ),
            'isActive', t.is_active,
            'createdAt', pg_temp.extended_date(t.created_at),
            'updatedAt', pg_temp.extended_date(greatest(h.valid_to, t.updated_at))
        )
    )::text as document
from typed t
join attributes a on a.product_id = t.product_id
left join paths p on p.product_id = t.product_id
left join (
    select f.product_id, max(f.valid_to) as valid_to
    from former_prices f
    group by f.product_id
) h on h.product_id = t.product_id
order by t.product_id;
