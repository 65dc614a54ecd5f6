-- What agents ask users for, and what became of it. The gateway asks and uses; only a person decides, by an app.
create table approval (
  id text primary key check (id ~ '^apr_[0-9A-Za-z_-]{22}$'),
  delegation text not null,
  -- of the delegation
  subject text not null,
  tenant text not null,
  agent text not null,
  parent uuid not null,
  run text not null check (run <> ''),
  call text not null check (call <> ''),
  tool text not null check (tool <> ''),
  tool_version text not null check (tool_version <> ''),
  arguments_hash text not null check (arguments_hash ~ '^[0-9A-Za-z_-]{43}$'),
  summary text not null check (summary <> ''),
  created_at timestamptz(3) not null default now(),
  -- until when it can be decided; once approved, until when it can be used
  expires_at timestamptz(3) not null default now() + interval '1 hour',
  decision text check (decision in ('APPROVE', 'REJECT')),
  resolved_at timestamptz(3),
  -- what proves to the gateway that the user decided, and the role that stored it
  ticket text check (ticket <> ''),
  resolver name,
  -- when its delegation, session or subject was ended
  ended_at timestamptz(3),
  used_at timestamptz(3),
  -- "txn" of the call that asked, of the decision, and of the call that was run
  asked_in uuid not null,
  resolved_in uuid,
  used_in uuid,
  -- of what last happened to it that whoever waits should know
  sequence bigint unique,
  unique (delegation, call),
  check ((decision is null) = (resolved_at is null) and (decision is null) = (resolver is null)),
  check ((decision is not distinct from 'APPROVE') = (ticket is not null)),
  check (used_at is null or decision is not distinct from 'APPROVE')
);
create index approval_by_subject on approval (subject, created_at desc);
create sequence approval_sequence;

create function approval_state(decision text, used_at timestamptz, ended_at timestamptz, expires_at timestamptz)
  returns text language sql stable
  return case
    when used_at is not null then 'USED'
    when decision = 'REJECT' then 'REJECTED'
    when ended_at is not null or expires_at <= now() then 'EXPIRED'
    when decision = 'APPROVE' then 'APPROVED'
    else 'PENDING' end;

-- Whoever may write: what was decided or is over stays so, and it is a person with the scope for it who decides. Times
-- and numbers are the database's to say. The turn is that of 002-revocation.sql, for the reason given there.
create function change_approval() returns trigger
  language plpgsql set search_path = pg_catalog as $$
declare
  state text := authority.approval_state(old.decision, old.used_at, old.ended_at, old.expires_at);
begin
  if new.decision is distinct from old.decision then
    if state <> 'PENDING' or not behalf.human_holds('approvals:decide') or behalf.sub() is distinct from old.subject then
      raise insufficient_privilege using message = 'This approval is not to be decided.';
    end if;
    new.resolved_at := clock_timestamp();
    new.resolver := current_user;
    if new.decision = 'APPROVE' then
      new.expires_at := new.resolved_at + interval '15 minutes';
    end if;
  elsif new.ticket is distinct from old.ticket or new.resolved_in is distinct from old.resolved_in then
    raise insufficient_privilege using message = 'How an approval was decided is not to be changed.';
  end if;
  if new.used_at is distinct from old.used_at and state <> 'APPROVED'
    or new.ended_at is distinct from old.ended_at and state not in ('PENDING', 'APPROVED') then
    raise insufficient_privilege using message = 'This approval is over.';
  end if;
  if new.decision is distinct from old.decision or new.ended_at is distinct from old.ended_at then
    perform from authority.revocation_turn for update;
    if not found then
      raise insufficient_privilege using message = 'The turn to resolve is not to be had.';
    end if;
    new.sequence := nextval('authority.approval_sequence');
    perform pg_notify('behalf_approval', new.sequence::text);
  end if;
  return new;
end $$;
create trigger change_approval before update on approval for each row execute function change_approval();

-- What ends a delegation ends what was asked under it, be that delegation over already.
create function end_approvals() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  if new.delegation is not null then
    update authority.approval set ended_at = now() where id in (
      select a.id from authority.approval a where a.delegation = new.delegation
      and authority.approval_state(a.decision, a.used_at, a.ended_at, a.expires_at) in ('PENDING', 'APPROVED')
      for update skip locked);
  else
    update authority.approval set ended_at = now() where id in (
      select a.id from authority.approval a join authority.delegation d on d.id = a.delegation
      where (d.subject = new.subject or (d.session = new.session and d.issuer = new.issuer))
      and authority.is_revoked(d.issuer, d.subject, d.session, d.issued_at)
      and authority.approval_state(a.decision, a.used_at, a.ended_at, a.expires_at) in ('PENDING', 'APPROVED')
      for update of a skip locked);
  end if;
  return null;
end $$;
create trigger end_approvals after insert on revocation for each row execute function end_approvals();

-- Recorded together with its state, whoever changes that.
create function record_approval() returns trigger
  language plpgsql set search_path = pg_catalog as $$
declare
  event record;
begin
  for event in
    select * from (values
      (tg_op = 'INSERT', 'approval.asked', new.asked_in, new.parent, new.agent, 'OK', '{}'::jsonb),
      (tg_op = 'UPDATE' and old.decision is null and new.decision is not null, 'approval.resolved', new.resolved_in, null,
        null, case new.decision when 'REJECT' then 'APPROVAL_REJECTED' else 'OK' end, '{}'),
      (tg_op = 'UPDATE' and old.ended_at is null and new.ended_at is not null, 'approval.resolved', null, new.parent, null,
        'DELEGATION_ENDED', '{}'),
      (tg_op = 'UPDATE' and old.used_at is null and new.used_at is not null, 'approval.used', new.used_in, new.parent,
        new.agent, 'OK', jsonb_build_object('approvedIn', new.resolved_in))
    ) as happened (it, what, txn, parent, actor, outcome, detail) where it
  loop
    insert into behalf.audit_event (txn, parent, at, subject, tenant, actor, what, target, rule, outcome, detail)
    values (event.txn, event.parent, clock_timestamp(), new.subject, new.tenant, event.actor, event.what, new.id,
      '@agent(access: APPROVE)', event.outcome, event.detail || jsonb_build_object('tool', new.tool,
      'version', new.tool_version, 'delegation', new.delegation, 'run', new.run, 'call', new.call));
  end loop;
  return null;
end $$;
create trigger record_approval after insert or update on approval for each row execute function record_approval();

-- The gateway cannot decide: no grant lets it. That it renews a delegation takes a ticket of the user's, which it opens.
revoke all on approval from gateway;
grant select, insert (id, delegation, subject, tenant, agent, parent, run, call, tool, tool_version, arguments_hash, summary,
  asked_in), update (used_at, used_in, ended_at) on approval to gateway;
grant update (issuer, scopes, facts, client, session, auth_time, acr, issued_at, expires_at) on delegation to gateway;
alter table approval enable row level security, force row level security;
create policy gateway_reads on approval for select to gateway using (true);
create policy gateway_asks on approval for insert to gateway with check (true);
create policy gateway_uses on approval for update to gateway using (true) with check (true);

-- Decides what a person is asked, once. Null where there is nothing of that id for them; 'OK', or a code that says why not.
-- With the rights of whoever calls it: row-level security shows them their own.
create function resolve_approval(approval text, hash text, decision text, ticket text, txn uuid) returns text
  language plpgsql set search_path = pg_catalog as $$
declare
  found_hash text;
  found_decision text;
  found_end timestamptz;
  found_state text;
begin
  update authority.approval a
    set decision = resolve_approval.decision, resolved_in = resolve_approval.txn,
      ticket = case resolve_approval.decision when 'APPROVE' then resolve_approval.ticket end
    where a.id = approval and a.arguments_hash = hash
    and authority.approval_state(a.decision, a.used_at, a.ended_at, a.expires_at) = 'PENDING'
    and exists (select from authority.delegation d where d.id = a.delegation and d.revoked_at is null);
  if found then
    return 'OK';
  end if;
  select a.arguments_hash, a.decision, coalesce(a.ended_at, d.revoked_at),
    authority.approval_state(a.decision, a.used_at, a.ended_at, a.expires_at)
    into found_hash, found_decision, found_end, found_state
    from authority.approval a left join authority.delegation d on d.id = a.delegation where a.id = approval;
  return case
    when not found then null
    when found_hash <> hash then 'APPROVAL_MISMATCH'
    when found_decision is not null then 'APPROVAL_ALREADY_RESOLVED'
    when found_end is not null then 'DELEGATION_ENDED'
    else 'APPROVAL_EXPIRED' end;
end $$;

-- Lets an app's role show a person what agents ask them for, and pass on how they decide. Called in a migration of that
-- app, after show_to(), and by every app of that: who ends a delegation ends what is asked under it.
create function show_approvals_to(reader name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('grant select (id, subject, delegation, agent, tool, arguments_hash, summary, created_at, expires_at,
    decision, resolved_at, ended_at, used_at), update (decision, ticket, resolved_in, ended_at)
    on authority.approval to %I', reader);
  execute format('grant usage on sequence authority.approval_sequence to %I', reader);
  execute format('grant execute on function authority.approval_state(text, timestamptz, timestamptz, timestamptz),
    authority.resolve_approval(text, text, text, text, uuid) to %I', reader);
  execute format('create policy %I on authority.approval for select to %I
    using (subject = (select behalf.sub()) and (select behalf.actor()) is null)', reader || '_shows', reader);
  execute format('create policy %I on authority.approval for update to %I
    using (subject = (select behalf.sub()) and (select behalf.actor()) is null)', reader || '_resolves', reader);
end $$;

revoke execute on function approval_state(text, timestamptz, timestamptz, timestamptz), change_approval(), end_approvals(),
  record_approval(), resolve_approval(text, text, text, text, uuid), show_approvals_to(name) from public;
grant execute on function approval_state(text, timestamptz, timestamptz, timestamptz) to gateway;
