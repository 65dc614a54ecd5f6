-- Who is calling, as the bound transaction says it. Unset or empty is null, and null denies: no comparison
-- with it is true. Marked stable, so that a policy's "(select behalf.sub())" is evaluated once per query.

create function behalf.sub() returns text
  language sql stable parallel safe
  return nullif(current_setting('behalf.sub', true), '');

create function behalf.tenant() returns text
  language sql stable parallel safe
  return nullif(current_setting('behalf.tenant', true), '');

-- Scope tokens have no spaces (RFC 6749, section 3.3).
create function behalf.scopes() returns text[]
  language sql stable parallel safe
  return string_to_array(nullif(current_setting('behalf.scopes', true), ''), ' ');

-- The agent that acts for the user. Null for a human, and for nobody: ask behalf.human_holds() instead.
create function behalf.actor() returns text
  language sql stable parallel safe
  return nullif(current_setting('behalf.actor', true), '');

-- True only for a person, known by name, who holds the scope; never null.
create function behalf.human_holds(scope text) returns boolean
  language sql stable parallel safe
  return behalf.sub() is not null and behalf.actor() is null and coalesce(scope = any (behalf.scopes()), false);
