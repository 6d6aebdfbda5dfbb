-- vacuum: statistics and visibility map after a load
vacuum (freeze, analyze)
    shop.addresses, shop.categories, shop.countries, shop.currencies, shop.inventory, shop.order_addresses,
    shop.order_items, shop.order_status_history, shop.order_status_transitions, shop.orders,
    shop.payment_status_transitions, shop.product_categories, shop.products, shop.schema_migrations,
    shop.stock_movements, shop.user_profiles, shop.users, shop.warehouses;
