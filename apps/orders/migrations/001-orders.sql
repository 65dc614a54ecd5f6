-- Times are kept in milliseconds, as the graph shows them, so that a cursor names a position exactly.
create table orders (
  id text primary key check (id ~ '^ord_[0-9A-Za-z]{4,22}$'),
  user_id text not null,
  status text not null check (status in ('PLACED', 'PROCESSING', 'SHIPPED', 'DELIVERED', 'CANCELLED')),
  placed_at timestamptz(3) not null,
  total numeric(20, 2) not null check (total >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$')
);
create index orders_newest_first on orders (user_id, placed_at desc, id desc);

create table order_items (
  order_id text not null references orders (id) on delete cascade,
  position smallint not null check (position > 0),
  sku text not null check (sku <> ''),
  name text not null check (name <> ''),
  quantity integer not null check (quantity > 0),
  unit_price numeric(20, 2) not null check (unit_price >= 0),
  primary key (order_id, position)
);

create table shipments (
  order_id text primary key references orders (id) on delete cascade,
  carrier text not null check (carrier <> ''),
  tracking_code text not null check (tracking_code <> ''),
  status text not null check (status in ('IN_TRANSIT', 'OUT_FOR_DELIVERY', 'DELIVERED')),
  shipped_at timestamptz(3) not null,
  expected_at timestamptz(3) not null check (expected_at >= shipped_at),
  delivered_at timestamptz(3) check (delivered_at >= shipped_at),
  check ((status = 'DELIVERED') = (delivered_at is not null))
);

select behalf.own('orders', 'user_id');
select behalf.owned('order_items', 'order_id', 'orders');
select behalf.owned('shipments', 'order_id', 'orders');

-- Nothing here changes through this app. What may, a later migration grants, column by column.
revoke insert, update, delete on orders, order_items, shipments from orders;
