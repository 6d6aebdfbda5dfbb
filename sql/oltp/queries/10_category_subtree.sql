-- category_subtree: a category with all below it
-- frequency per hour: 4000   index: shop.categories_category_path_idx   scale: 0.01
-- parameter category_path: select 'books.gifts'
select c.category_id, c.category_name, c.category_path
from shop.categories c
where c.category_path operator(extensions.<@) %(category_path)s::extensions.ltree
order by c.category_path;
