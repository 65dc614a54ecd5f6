-- What is shown is without its details: in them is what other receivers were told, facts included.
create or replace function behalf.show_audit_to(reader name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('revoke select on behalf.audit_event from %I', reader);
  execute format('grant select (id, source, txn, parent, at, subject, actor, what, target, rule, outcome, duration_ms)
    on behalf.audit_event to %I', reader);
end $$;
