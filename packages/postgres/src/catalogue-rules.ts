/** Relations of the schema by kind, but those that are exempt. */
const relations = `given join pg_namespace n on n.nspname = given.schema join pg_class c on c.relnamespace = n.oid
  and not c.relname = any (given.allow)`
const ownership = 'left join behalf.ownership o on o.relation = c.oid'
const advice = `'call behalf.own(), behalf.owned() or behalf.public() for it in a migration'`
const isTrue = `in ('true', '(true)')`
const libraryTables = `in ('behalf.performed'::regclass, 'behalf.seen_token'::regclass, 'behalf.audit_event'::regclass)`

/** What the role holds of relations in schemas that are shared with it, or of a column of theirs. */
const grants = `given join pg_roles r on r.rolname = given.role
  join pg_namespace n on n.nspname = any (given.shared) join pg_class c on c.relnamespace = n.oid
  and exists (
    select from aclexplode(c.relacl) a where a.grantee in (0, r.oid)
    union all select from pg_attribute t cross join aclexplode(t.attacl) a
    where t.attrelid = c.oid and a.grantee in (0, r.oid))`

/**
 * Queries of the catalogue, each of which answers its violations as sentences. What they know as `given`: schema, role,
 * allow, allow_schemas, shared.
 */
export const catalogueRules: readonly string[] = [
  `select format('Table %I.%I has no forced row-level security: %s.', n.nspname, c.relname, ${advice}) as violation
   from ${relations} where c.relkind in ('r', 'p', 'f') and not (c.relrowsecurity and c.relforcerowsecurity) order by 1`,

  `select format('Table %I.%I belongs to nobody that is known: %s.', n.nspname, c.relname, ${advice}) as violation
   from ${relations} ${ownership} where c.relkind in ('r', 'p', 'f') and o.relation is null order by 1`,

  `select format('Table %I.%I has lost its policy %s: %s.', n.nspname, c.relname, wanted.polname, ${advice}) as violation
   from ${relations} join behalf.ownership o on o.relation = c.oid
   cross join lateral jsonb_object_keys(o.policies) as wanted (polname)
   where not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = wanted.polname) order by 1`,

  // Permissive policies are joined with "or": any that does not ask who is calling undoes the others.
  `select format('Policy %I on %I.%I is true for every caller: drop it, or make it depend on behalf.sub() or behalf.tenant().',
     p.polname, n.nspname, c.relname) as violation
   from ${relations} ${ownership} join pg_policy p on p.polrelid = c.oid and p.polpermissive
   where not (o.kind is not distinct from 'public' and p.polname = 'behalf_public' and p.polcmd = 'r')
     and (pg_get_expr(p.polqual, p.polrelid) ${isTrue} or pg_get_expr(p.polwithcheck, p.polrelid) ${isTrue}) order by 1`,

  `select format('Policy %I on %I.%I was not made by the behalf library: exempt the table if that is meant.',
     p.name, n.nspname, c.relname) as violation
   from ${relations} ${ownership} cross join lateral behalf.policies_of(c.oid) p
   where p.permissive and not coalesce(o.policies ? p.name, false) order by 1`,

  `select format('Policy %I on %I.%I is not as the behalf library made it: %s.', p.name, n.nspname, c.relname, ${advice})
     as violation
   from ${relations} ${ownership} cross join lateral behalf.policies_of(c.oid) p
   where o.policies ? p.name and o.policies ->> p.name <> p.definition order by 1`,

  `select format('Table %I.%I is reached through %I, which is no longer a foreign key to %s (%I): add it.', n.nspname, c.relname,
     o.through_column, o.parent, o.parent_key) as violation
   from ${relations} join behalf.ownership o on o.relation = c.oid and o.kind = 'owned'
   where not behalf.refers(c.oid, o.through_column, o.parent, o.parent_key) order by 1`,

  // Queries that a rule adds run with its owner's rights (PostgreSQL, "Rules and Privileges").
  `select format('Rule %I on %I.%I runs with its owner''s rights: use a trigger.', r.rulename, n.nspname, c.relname) as violation
   from ${relations} join pg_rewrite r on r.ev_class = c.oid
   where r.rulename <> '_RETURN' order by 1`,

  `select format('View %I.%I runs with its owner''s rights: create it "with (security_invoker = true)".', n.nspname, c.relname)
     as violation
   from ${relations} where c.relkind = 'v'
   and not coalesce((select bool_or(option_value::boolean) from pg_options_to_table(c.reloptions)
     where option_name = 'security_invoker'), false) order by 1`,

  `select format('Materialized view %I.%I holds rows of all owners: use a view, or a table of its own.', n.nspname, c.relname)
     as violation
   from ${relations} where c.relkind = 'm' order by 1`,

  `select format('Function %I.%I is SECURITY DEFINER: it escapes row-level security; make it SECURITY INVOKER.',
     n.nspname, f.proname) as violation
   from given join pg_proc f on f.prosecdef and f.oid >= 16384 join pg_namespace n on n.oid = f.pronamespace
   where (n.nspname = given.schema or has_schema_privilege(given.role, n.oid, 'usage'))
   and not f.proname = any (given.allow) order by 1`,

  `select format('Table %I.%I is granted to PUBLIC (%s): revoke that.', n.nspname, c.relname,
     string_agg(distinct lower(a.privilege_type), ', ')) as violation
   from ${relations} cross join lateral (
     select * from aclexplode(c.relacl)
     union all select exploded.* from pg_attribute t cross join aclexplode(t.attacl) exploded where t.attrelid = c.oid) a
   where a.grantee = 0 group by n.nspname, c.relname order by 1`,

  `select format('Role %I may %s: alter role %1$I %3$s.', r.rolname, power.means, power.cure) as violation
   from given join pg_roles r on r.rolname = given.role cross join lateral (values
     (r.rolsuper, 'do everything (SUPERUSER)', 'nosuperuser'),
     (r.rolbypassrls, 'ignore row-level security (BYPASSRLS)', 'nobypassrls'),
     (r.rolcreaterole, 'make roles (CREATEROLE)', 'nocreaterole'),
     (r.rolcreatedb, 'make databases (CREATEDB)', 'nocreatedb'),
     (r.rolreplication, 'copy the database (REPLICATION)', 'noreplication'),
     (r.rolinherit, 'inherit from roles that it is given (INHERIT)', 'noinherit')) as power (holds, means, cure)
   where power.holds`,

  `select format('Role %I is a member of %I: revoke %2$I from %1$I.', given.role, g.rolname) as violation
   from given join pg_roles r on r.rolname = given.role join pg_auth_members m on m.member = r.oid
   join pg_roles g on g.oid = m.roleid order by 1`,

  `select format('Role %I owns %s: the owner is whoever runs the migrations.', given.role,
     pg_describe_object(d.classid, d.objid, d.objsubid)) as violation
   from given join pg_roles r on r.rolname = given.role
   join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid and d.deptype = 'o'
   where d.dbid in (0, (select oid from pg_database where datname = current_database())) order by 1`,

  `select format('Role %I may create objects in schema %I: revoke create on schema %2$I from %1$I.', given.role, n.nspname)
     as violation
   from given cross join pg_namespace n where n.nspname !~ '^pg_'
   and has_schema_privilege(given.role, n.oid, 'create') order by 1`,

  `select format('Role %I may use schema %I, which is another''s: revoke usage on schema %2$I from %1$I.', given.role, n.nspname)
     as violation
   from given cross join pg_namespace n
   where n.nspname not in (given.schema, 'behalf', 'information_schema') and n.nspname !~ '^pg_'
   and not n.nspname = any (given.allow_schemas)
   and has_schema_privilege(given.role, n.oid, 'usage') order by 1`,

  `select format('Table %I.%I is granted to %I without forced row-level security: enable and force it.', n.nspname, c.relname,
     given.role) as violation
   from ${grants} where c.relkind in ('r', 'p', 'f') and not (c.relrowsecurity and c.relforcerowsecurity) order by 1`,

  `select format('Policy %I on %I.%I is true for every caller of %I: make it depend on behalf.sub() or behalf.tenant().',
     p.polname, n.nspname, c.relname, given.role) as violation
   from ${grants} join pg_policy p on p.polrelid = c.oid and p.polpermissive and p.polroles && array[0, r.oid]
   where pg_get_expr(p.polqual, p.polrelid) ${isTrue} or pg_get_expr(p.polwithcheck, p.polrelid) ${isTrue} order by 1`,

  `select format('View %I.%I shows %I what its owner sees: make it a view "with (security_invoker = true)".',
     n.nspname, c.relname, given.role) as violation
   from ${grants} where c.relkind = 'm' or (c.relkind = 'v'
     and not coalesce((select bool_or(option_value::boolean) from pg_options_to_table(c.reloptions)
       where option_name = 'security_invoker'), false)) order by 1`,

  // None obeys row-level security: TRUNCATE empties a table, REFERENCES tells which keys exist, TRIGGER runs code,
  // MAINTAIN locks it.
  `select distinct format('Role %I may %s %I.%I, which row-level security does not cover: revoke that.', given.role,
     lower(a.privilege_type), n.nspname, c.relname) as violation
   from given join pg_roles r on r.rolname = given.role
   join pg_namespace n on n.nspname = given.schema or n.nspname = any (given.shared)
   join pg_class c on c.relnamespace = n.oid and not c.relname = any (given.allow) cross join aclexplode(c.relacl) a
   where a.grantee in (0, r.oid) and a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN') order by 1`,

  `select format('Role %I may %s database %I: revoke that.', given.role, p.means, current_database()) as violation
   from given cross join (values ('CREATE', 'create schemas in'), ('TEMP', 'create tables of its own in')) as p (name, means)
   where has_database_privilege(given.role, current_database(), p.name) order by 1`,

  `select format('Role %I may set %s: revoke set on parameter %2$s from %1$I.', given.role, p.parname) as violation
   from given join pg_roles r on r.rolname = given.role cross join pg_parameter_acl p cross join aclexplode(p.paracl) a
   where a.grantee in (0, r.oid) order by 1`,

  `select format('Role %I is set up with %s: only search_path = %I is expected.', given.role, setting, given.schema)
     as violation
   from given join pg_roles r on r.rolname = given.role join pg_db_role_setting s on s.setrole = r.oid
   cross join unnest(s.setconfig) setting
   where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
   and setting <> 'search_path=' || given.schema order by 1`,

  `select format('Role %I may pass on %s of %I.%I: revoke the grant option.', given.role, lower(a.privilege_type), n.nspname,
     c.relname) as violation
   from ${relations} join pg_roles r on r.rolname = given.role cross join aclexplode(c.relacl) a
   where a.grantee = r.oid and a.is_grantable order by 1`,

  `select format('Role %I may use server %I, where it can be somebody else: revoke that.', given.role, s.srvname) as violation
   from given cross join pg_foreign_server s where has_server_privilege(given.role, s.oid, 'usage') order by 1`,

  // behalf.admit() gives what is excluded here, and nothing else.
  `, held as (
     select c.relname::text as object, null::name as part, a.privilege_type, a.grantee
     from pg_class c cross join aclexplode(c.relacl) a where c.relnamespace = 'behalf'::regnamespace
     union all select c.relname, t.attname, a.privilege_type, a.grantee
     from pg_class c join pg_attribute t on t.attrelid = c.oid cross join aclexplode(t.attacl) a
     where c.relnamespace = 'behalf'::regnamespace
     union all select f.proname, null, a.privilege_type, a.grantee
     from pg_proc f cross join aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
     where f.pronamespace = 'behalf'::regnamespace)
   select format('Role %I may %s behalf.%s, which is the library''s: revoke that.', given.role, lower(h.privilege_type),
     concat_ws('.', h.object, h.part)) as violation
   from given join pg_roles r on r.rolname = given.role join held h on h.grantee in (0, r.oid)
   where (h.object, coalesce(h.part, ''), h.privilege_type) not in (
     ('performed', '', 'SELECT'), ('performed', '', 'INSERT'), ('performed', 'outcome', 'UPDATE'),
     ('seen_token', '', 'SELECT'), ('seen_token', '', 'INSERT'), ('seen_token', '', 'DELETE'),
     ('seen_token', 'expires_at', 'UPDATE'), ('sub', '', 'EXECUTE'), ('tenant', '', 'EXECUTE'),
     ('scopes', '', 'EXECUTE'), ('actor', '', 'EXECUTE'), ('human_holds', '', 'EXECUTE'))
   -- of behalf.show_audit_to()
   and not (h.object = 'audit_event' and h.privilege_type = 'SELECT' and coalesce(h.part, 'detail') not in ('detail', 'tenant'))
   and not (h.object = 'audit_event' and h.privilege_type = 'INSERT' and coalesce(h.part, 'id') not in ('id', 'source'))
   order by 1`,

  `select format('Table behalf.%I has no forced row-level security: enable and force it.', c.relname) as violation
   from pg_class c where c.oid ${libraryTables}
   and not (c.relrowsecurity and c.relforcerowsecurity) order by 1`,

  `select format('Policy %I on behalf.%I was not made by the behalf library: drop it.', p.polname, c.relname) as violation
   from pg_policy p join pg_class c on c.oid = p.polrelid where c.oid ${libraryTables} and p.polname not in
   ('behalf_performed', 'behalf_seen_token', 'behalf_audit_written', 'behalf_audit_shown', 'behalf_audit_administered')
   order by 1`,

  `select format('Policy %I on behalf.audit_event shows more than their own to a person: make it anew.', p.polname) as violation
   from pg_policy p where p.polrelid = 'behalf.audit_event'::regclass and p.polname = 'behalf_audit_shown'
   and pg_get_expr(p.polqual, p.polrelid) !~ '^\\(\\(subject = .*behalf\\.sub\\(\\).*\\) AND .*behalf\\.actor\\(\\).* IS NULL\\)\\)$'`,
]
