create table users (
  id text primary key check (id ~ '^usr_[0-9A-Za-z]{2,22}$'),
  tenant text not null check (tenant <> ''),
  name text not null check (name <> ''),
  email text not null check (email like '%_@_%'),
  tier text not null check (tier in ('basic', 'premium', 'support')),
  unique (tenant, email)
);

-- A person sees their own row; support staff, when a person and not a model asks, those of their tenant.
select behalf.own('users', 'id', tenant => 'tenant', unless => 'users:read');

-- Nothing here changes through this app. What may, a later migration grants, column by column.
revoke insert, update, delete on users from identity;
