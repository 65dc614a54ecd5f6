-- When the credential was issued that a delegation came of: what ends the one ends the other.
alter table delegation add column issued_at bigint, add column revocation_reason text
  check (revocation_reason in ('USER', 'LOGOUT', 'BACK_CHANNEL_LOGOUT', 'OPERATOR'));
update delegation set issued_at = floor(extract(epoch from created_at));
alter table delegation alter column issued_at set not null;
create index delegation_by_subject on delegation (subject, created_at);
create index delegation_by_session on delegation (issuer, session) where revoked_at is null;

-- What was ended: whatever a subject was issued at or before not_before, a session, or a delegation. Kept for longer
-- than the 24 hours for which an access token may be accepted.
create table revocation (
  sequence bigint primary key,
  issuer text check (issuer <> ''),
  subject text check (subject <> ''),
  session text check (session <> ''),
  delegation text check (delegation <> ''),
  not_before timestamptz(3) not null default clock_timestamp(),
  reason text not null check (reason in ('USER', 'LOGOUT', 'BACK_CHANNEL_LOGOUT', 'OPERATOR')),
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null default now() + interval '25 hours',
  check (num_nonnulls(subject, session, delegation) = 1),
  check (session is null or issuer is not null),
  check (delegation is null or issuer is null)
);
create index revocation_by_subject on revocation (subject) where subject is not null;
create index revocation_by_session on revocation (session, issuer) where session is not null;

-- Numbers of a sequence do not become visible in their order: who reads what follows the last one it saw would miss
-- what was numbered before and committed later. So the lock of this row is held from the number to the end of the
-- transaction. It is a row's, not an advisory one, so that no other role of this database can hold it.
create sequence revocation_sequence;
create table revocation_turn (one boolean primary key default true check (one));
insert into revocation_turn default values;

create function take_turn() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  perform from authority.revocation_turn for update;
  if not found then
    raise insufficient_privilege using message = 'The turn to revoke is not to be had.';
  end if;
  new.sequence := nextval('authority.revocation_sequence');
  return new;
end $$;
create trigger take_turn before insert on revocation for each row execute function take_turn();

create function announce() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_notify('behalf_revocation', new.sequence::text);
  return null;
end $$;
create trigger announce after insert on revocation for each row execute function announce();

-- As isEndedBy of @behalf/identity has it.
create function is_revoked(issuer text, subject text, session text, issued_at bigint) returns boolean
  language sql stable
  begin atomic
    select exists (
      select from revocation r where r.subject = is_revoked.subject
      and (r.issuer is null or r.issuer = is_revoked.issuer) and r.not_before >= to_timestamp(is_revoked.issued_at)
    ) or exists (
      select from revocation r where r.session = is_revoked.session and r.issuer = is_revoked.issuer
    );
  end;

-- Delegations that end with their subject or session say so, too. It is not waited for one that somebody is at: that
-- it has ended does not depend on it.
create function end_delegations() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  update authority.delegation set revoked_at = now(), revocation_reason = new.reason where id in (
    select d.id from authority.delegation d where d.revoked_at is null and d.expires_at > now()
    and (d.subject = new.subject or (d.session = new.session and d.issuer = new.issuer))
    and authority.is_revoked(d.issuer, d.subject, d.session, d.issued_at) for update skip locked);
  return null;
end $$;
create trigger end_delegations after insert on revocation for each row when (new.delegation is null)
  execute function end_delegations();

-- At the end of the transaction, so that the turn is held for a moment, whatever else is done in it.
create function revoke_delegation() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  insert into authority.revocation (delegation, reason) values (new.id, coalesce(new.revocation_reason, 'USER'));
  return null;
end $$;
create constraint trigger revoke_delegation after update on delegation deferrable initially deferred
  for each row when (old.revoked_at is null and new.revoked_at is not null) execute function revoke_delegation();

-- The gateway sees all of it. What has ended stays ended: it can neither be changed nor, before its time, be deleted.
revoke all on revocation, revocation_turn from gateway;
grant select, insert, delete on revocation to gateway;
grant select, update (one) on revocation_turn to gateway;
grant update (revocation_reason) on delegation to gateway;

alter table delegation enable row level security, force row level security;
create policy gateway_reads on delegation for select to gateway using (true);
create policy gateway_grants on delegation for insert to gateway with check (true);
create policy gateway_uses on delegation for update to gateway using (revoked_at is null) with check (true);
alter table revocation enable row level security, force row level security;
create policy gateway_reads on revocation for select to gateway using (true);
create policy gateway_revokes on revocation for insert to gateway with check (true);
create policy gateway_forgets on revocation for delete to gateway using (expires_at < now());
alter table revocation_turn enable row level security, force row level security;
create policy gateway_takes_turn on revocation_turn to gateway using (true);

-- Lets an app's role show a person their own delegations, and end them. Called in a migration of that app.
create function show_to(reader name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('grant usage on schema authority to %I', reader);
  execute format('grant select (id, subject, agent, client, scopes, created_at, expires_at, last_used_at, revoked_at),
    update (revoked_at) on authority.delegation to %I', reader);
  execute format('create policy %I on authority.delegation for select to %I
    using (subject = (select behalf.sub()) and (select behalf.actor()) is null)', reader || '_shows', reader);
  execute format('create policy %I on authority.delegation for update to %I
    using (subject = (select behalf.sub()) and (select behalf.actor()) is null and revoked_at is null)
    with check (subject = (select behalf.sub()) and revoked_at is not null)', reader || '_ends', reader);
  -- What revoke_delegation() does for it, and nothing else.
  execute format('grant insert (delegation, reason) on authority.revocation to %I', reader);
  execute format('grant usage on sequence authority.revocation_sequence to %I', reader);
  execute format('grant select, update (one) on authority.revocation_turn to %I', reader);
  execute format('create policy %I on authority.revocation for insert to %I with check (exists (
    select from authority.delegation d where d.id = revocation.delegation and d.subject = (select behalf.sub())
    and d.revoked_at is not null) and reason = %L)', reader || '_ends', reader, 'USER');
  execute format('create policy %I on authority.revocation_turn to %I
    using ((select behalf.sub()) is not null and (select behalf.actor()) is null)', reader || '_takes_turn', reader);
end $$;

revoke execute on all functions in schema authority from public;
grant execute on function is_revoked(text, text, text, bigint) to gateway;
