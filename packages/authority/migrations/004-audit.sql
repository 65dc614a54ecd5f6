-- What was ended is recorded together with its end, whoever ends it: the gateway, a person by an app, an operator.
create function record_revocation() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  insert into behalf.audit_event (at, subject, what, target, outcome, detail)
  values (clock_timestamp(), new.subject, 'revoked', case when new.subject is null then 'session' else 'subject' end, 'OK',
    jsonb_build_object('reason', new.reason, 'issuer', new.issuer, 'session', new.session));
  return null;
end $$;
create trigger record_revocation after insert on revocation for each row when (new.delegation is null)
  execute function record_revocation();

create function record_delegation_end() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  insert into behalf.audit_event (parent, at, subject, tenant, what, target, outcome, detail)
  values (new.parent::uuid, clock_timestamp(), new.subject, new.tenant, 'delegation.revoked', new.id, 'OK',
    jsonb_build_object('reason', coalesce(new.revocation_reason, 'USER'), 'agent', new.agent));
  return null;
end $$;
create trigger record_delegation_end after update on delegation
  for each row when (old.revoked_at is null and new.revoked_at is not null) execute function record_delegation_end();

revoke execute on function record_revocation(), record_delegation_end() from public;
