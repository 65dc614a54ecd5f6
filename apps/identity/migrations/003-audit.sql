-- A person sees the events that are about them, by `viewer { auditEvents }`.
select behalf.show_audit_to('identity');
