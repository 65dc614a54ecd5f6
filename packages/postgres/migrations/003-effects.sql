-- Mutations that were run, by whom, and how they ended; a receiver is the role of a subgraph.
create table behalf.performed (
  receiver name not null default current_user,
  id text not null check (id <> ''),
  subject text not null,
  -- base64url SHA-256 of what was asked for
  request text not null check (request <> ''),
  -- json and not jsonb: a repeat is answered with the same text, in the same order
  outcome json,
  created_at timestamptz not null default now(),
  primary key (receiver, id)
);
create index performed_by_age on behalf.performed (created_at);
alter table behalf.performed enable row level security;
alter table behalf.performed force row level security;
create policy behalf_performed on behalf.performed
  using (receiver = current_user and subject = (select behalf.sub()))
  with check (receiver = current_user and subject = (select behalf.sub()));

-- Tokens for a single use that a receiver has seen, until they are too old to be accepted anyway.
create table behalf.seen_token (
  receiver name not null default current_user,
  id text not null check (id <> ''),
  expires_at timestamptz not null,
  primary key (receiver, id)
);
create index seen_token_by_expiry on behalf.seen_token (receiver, expires_at);
alter table behalf.seen_token enable row level security;
alter table behalf.seen_token force row level security;
create policy behalf_seen_token on behalf.seen_token
  using (receiver = current_user) with check (receiver = current_user);

-- A receiver's role gets exactly this of the library; called by provision.
create function behalf.admit(receiver name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('grant usage on schema behalf to %I', receiver);
  execute format('grant execute on function behalf.sub(), behalf.tenant(), behalf.scopes(), behalf.actor(),
    behalf.human_holds(text) to %I', receiver);
  execute format('grant select, insert, update (outcome) on behalf.performed to %I', receiver);
  -- update only because PostgreSQL asks for it where rows are locked
  execute format('grant select, insert, update (expires_at), delete on behalf.seen_token to %I', receiver);
end $$;

revoke execute on all functions in schema behalf from public;
