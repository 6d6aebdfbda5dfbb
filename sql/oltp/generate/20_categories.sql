-- categories: a tree of three levels, the same at every scale
create temporary table new_categories on commit drop as
with roots as (
    select r.position::integer as position, r.name
    from unnest(array[
        'Books', 'Clothing', 'Electronics', 'Garden', 'Groceries', 'Health & Beauty', 'Home', 'Music',
        'Office', 'Sports', 'Tools', 'Toys'
    ]) with ordinality r (name, position)
),
groups as (
    select g.position::integer as position, g.name
    from unnest(array['Basics', 'Classics', 'Gifts', 'Kids', 'New Arrivals', 'Outdoor', 'Premium', 'Seasonal'])
        with ordinality g (name, position)
),
leaves as (
    select l.position::integer as position, l.name
    from unnest(array['Accessories', 'Bundles', 'Large', 'Refurbished', 'Small', 'Spare Parts'])
        with ordinality l (name, position)
),
nodes as (
    select 1 as level, r.position * 10000 as number, null::integer as parent_number, r.name, r.position
    from roots r
    union all
    select 2, r.position * 10000 + g.position * 100, r.position * 10000, g.name, g.position
    from roots r
    cross join groups g
    union all
    select
        3,
        r.position * 10000 + g.position * 100 + l.position,
        r.position * 10000 + g.position * 100,
        l.name,
        l.position
    from roots r
    cross join groups g
    cross join leaves l
)
select
    n.*,
    pg_temp.uuid_at(
        s.products_start + interval '1 millisecond' * (n.level * 1000000 + n.number), n.number, s.seed + 2000
    ) as category_id,
    s.products_start as created_at,
    row_number() over (partition by n.level order by n.number)::integer as number_in_level
from nodes n
cross join settings s;

analyze new_categories;

-- Level by level: the trigger builds the path of a category from that of its parent.
insert into shop.categories (
    category_id, parent_category_id, category_name, description, display_order, created_at, updated_at
)
select c.category_id, null, c.name, 'Everything in ' || c.name || '.', c.position, c.created_at, c.created_at
from new_categories c
where c.level = 1
order by c.number;

insert into shop.categories (
    category_id, parent_category_id, category_name, description, display_order, created_at, updated_at
)
select
    c.category_id, p.category_id, c.name, c.name || ' in ' || p.name || '.', c.position, c.created_at, c.created_at
from new_categories c
join new_categories p on p.number = c.parent_number
where c.level = 2
order by c.number;

insert into shop.categories (
    category_id, parent_category_id, category_name, description, display_order, created_at, updated_at
)
select
    c.category_id, p.category_id, c.name, c.name || ' of the group ' || p.name || '.', c.position, c.created_at, c.created_at
from new_categories c
join new_categories p on p.number = c.parent_number
where c.level = 3
order by c.number;
