-- Who an issuer's subject is for us. Two issuers with the same "sub" are two people.
create table subject (
  issuer text not null check (issuer <> ''),
  sub text not null check (sub <> ''),
  subject text not null check (subject ~ '^usr_[0-9A-Za-z]{2,22}$'),
  tenant text not null check (tenant <> ''),
  facts jsonb not null default '{}' check (jsonb_typeof(facts) = 'object'),
  primary key (issuer, sub)
);

-- What a user lets an agent do, for a while. The handle itself is nowhere: only its SHA-256.
create table delegation (
  id text primary key check (id ~ '^dlg_[0-9A-Za-z_-]{22}$'),
  handle_hash bytea not null unique check (length(handle_hash) = 32),
  issuer text not null,
  subject text not null,
  tenant text not null,
  agent text not null check (agent <> ''),
  scopes text[] not null,
  facts jsonb not null,
  client text not null,
  session text,
  auth_time bigint,
  acr text,
  parent text not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  last_used_at timestamptz(3),
  revoked_at timestamptz(3),
  check (expires_at > created_at)
);

-- Kept until after they have expired: what is in here is not accepted again.
create table used_ticket (
  id text primary key check (id <> ''),
  expires_at timestamptz not null
);
create index used_ticket_by_expiry on used_ticket (expires_at);

create table used_workload_token (
  id text primary key check (id <> ''),
  expires_at timestamptz not null
);
create index used_workload_token_by_expiry on used_workload_token (expires_at);

-- The gateway makes delegations, notes their use and ends them; it never rewrites what was granted, nor deletes it.
-- Who somebody is, it only reads. "update (expires_at)" is what PostgreSQL asks for where rows are locked.
revoke all on subject, delegation, used_ticket, used_workload_token from gateway;
grant select on subject to gateway;
grant select, insert, update (last_used_at, revoked_at) on delegation to gateway;
grant select, insert, update (expires_at), delete on used_ticket, used_workload_token to gateway;
