-- One row for each decision: who, on whose behalf, what, by which rule, with which outcome; see docs/concepts/audit.md.
-- No payload is in it. Its writers cannot read it, and nobody but the administrator can change it.
create table behalf.audit_event (
  id bigint generated always as identity primary key,
  -- the role that wrote it, and no role can say it is another
  source name not null default current_user,
  txn uuid,
  parent uuid,
  at timestamptz(3) not null,
  subject text,
  tenant text,
  actor text,
  what text not null check (what <> ''),
  target text,
  rule text,
  outcome text not null check (outcome <> ''),
  duration_ms real check (duration_ms >= 0),
  detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object')
);
create index audit_event_by_txn on behalf.audit_event (txn);
create index audit_event_by_parent on behalf.audit_event (parent) where parent is not null;
create index audit_event_by_subject on behalf.audit_event (subject, at desc, id desc);
create index audit_event_by_time on behalf.audit_event (at);
alter table behalf.audit_event enable row level security;
alter table behalf.audit_event force row level security;
create policy behalf_audit_written on behalf.audit_event for insert with check (source = current_user);
create policy behalf_audit_shown on behalf.audit_event for select
  using (subject = (select behalf.sub()) and (select behalf.actor()) is null);

-- Row-level security is forced on the owner, too, who need not be a superuser.
do $$ begin
  execute format('create policy behalf_audit_administered on behalf.audit_event to %I using (true)', current_user);
end $$;

create or replace function behalf.admit(receiver name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('grant usage on schema behalf to %I', receiver);
  execute format('grant execute on function behalf.sub(), behalf.tenant(), behalf.scopes(), behalf.actor(),
    behalf.human_holds(text) to %I', receiver);
  execute format('grant select, insert, update (outcome) on behalf.performed to %I', receiver);
  -- update only because PostgreSQL asks for it where rows are locked
  execute format('grant select, insert, update (expires_at), delete on behalf.seen_token to %I', receiver);
  -- neither id nor source: whoever chose ids could keep others from writing
  execute format('grant insert (txn, parent, at, subject, tenant, actor, what, target, rule, outcome, duration_ms,
    detail) on behalf.audit_event to %I', receiver);
end $$;

-- Lets an app show each person the events that are about them, and no others. Not to agents. Called in its migrations.
create function behalf.show_audit_to(reader name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('grant select on behalf.audit_event to %I', reader);
end $$;

revoke execute on function behalf.show_audit_to(name) from public;
