-- writes: what the shop writes in an hour of its day, beside the declared queries; for the design of documents
-- 600 orders of some three lines; each line reserves stock, is shipped later, and moves its balance twice

-- name: order_placed
-- per_hour: 600
insert into shop.orders (order_id, user_id, order_number, currency_code)
values (:order_id, :user_id, :order_number, :currency_code);

-- name: line_added
-- per_hour: 1800
insert into shop.order_items (order_id, line_number, product_id, currency_code, quantity, unit_price)
values (:order_id, :line_number, :product_id, :currency_code, :quantity, :unit_price);

-- name: order_moved_on
-- per_hour: 1800
update shop.orders
set status = :status, payment_status = :payment_status, updated_at = :updated_at
where order_id = :order_id;

-- name: order_change_recorded
-- per_hour: 1800
insert into shop.order_status_history (order_id, change_number, to_status, to_payment_status)
values (:order_id, :change_number, :to_status, :to_payment_status);

-- name: stock_moved
-- per_hour: 3600
insert into shop.stock_movements (product_id, warehouse_id, movement_type, quantity_delta, reserved_delta)
values (:product_id, :warehouse_id, :movement_type, :quantity_delta, :reserved_delta);

-- name: stock_balance_changed
-- per_hour: 3600
update shop.inventory
set quantity_available = :quantity_available, quantity_reserved = :quantity_reserved, version = :version
where product_id = :product_id and warehouse_id = :warehouse_id;

-- name: price_changed
-- per_hour: 40
update shop.products
set base_price = :base_price, updated_at = :updated_at
where product_id = :product_id;

-- name: user_registered
-- per_hour: 60
insert into shop.users (user_id, email, username)
values (:user_id, :email, :username);

-- name: address_added
-- per_hour: 60
insert into shop.addresses (address_id, user_id, country_code, postal_code)
values (:address_id, :user_id, :country_code, :postal_code);
