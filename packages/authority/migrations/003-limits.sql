-- Points taken in the window under way, by limit and key, as rate-limiter-flexible has its tables: columns by position,
-- "expire" in milliseconds. Unlogged: what a crash loses is at most one window.
create unlogged table rate_limit (
  key text primary key,
  points integer not null,
  expire bigint not null
);

revoke all on rate_limit from gateway;
grant select, insert, update, delete on rate_limit to gateway;
