import pg from 'pg'

export interface CatalogueOptions {
  readonly schema: string
  readonly role: string
  /** Names of tables, views and functions of the schema that are exempt, each a decision of its owners. */
  readonly allow?: readonly string[]
}

/**
 * Reads the catalogue for whatever would let a role see or change rows that are not its caller's, or let it change the
 * rules. Answers one sentence for each violation, saying where and what to do; none is an empty list.
 *
 * @throws if the schema or the role is not there, so that a misspelt name does not pass
 */
export async function checkCatalogue(
  adminUrl: string,
  { schema, role, allow = [] }: CatalogueOptions,
): Promise<string[]> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query('begin read only')
    const there = await client.query('select from pg_namespace, pg_roles where nspname = $1 and rolname = $2', [
      schema,
      role,
    ])
    if (there.rowCount !== 1) throw new Error(`There is no schema "${schema}" or no role "${role}" to check.`)
    const violations: string[] = []
    for (const rule of rules) {
      const values = [schema, role, [...allow]]
      // Every rule knows all three values, whether it uses them or not, so that PostgreSQL knows their types.
      const { rows } = await client.query<{ violation: string }>(
        `with given as (select $1::name as schema, $2::name as role, $3::text[] as allow) ${rule}`,
        values,
      )
      violations.push(...rows.map((row) => row.violation))
    }
    return violations
  } finally {
    await client.end()
  }
}

/** Relations of the schema by kind, but those that are exempt. */
const relations = `given join pg_namespace n on n.nspname = given.schema join pg_class c on c.relnamespace = n.oid
  and not c.relname = any (given.allow)`
const ownership = 'left join behalf.ownership o on o.relation = c.oid'
const advice = `'call behalf.own(), behalf.owned() or behalf.public() for it in a migration'`
const isTrue = `in ('true', '(true)')`

/** Each answers its violations as sentences. */
const rules: readonly string[] = [
  `select format('Table %I.%I has no forced row-level security: %s.', n.nspname, c.relname, ${advice}) as violation
   from ${relations} where c.relkind in ('r', 'p', 'f') and not (c.relrowsecurity and c.relforcerowsecurity) order by 1`,

  `select format('Table %I.%I belongs to nobody that is known: %s.', n.nspname, c.relname, ${advice}) as violation
   from ${relations} ${ownership} where c.relkind in ('r', 'p', 'f') and o.relation is null order by 1`,

  `select format('Table %I.%I has lost its policy %s: %s.', n.nspname, c.relname, wanted.polname, ${advice}) as violation
   from ${relations} join behalf.ownership o on o.relation = c.oid
   join (values ('own', 'behalf_own'), ('owned', 'behalf_seen'), ('owned', 'behalf_inserted'), ('owned', 'behalf_updated'),
     ('owned', 'behalf_deleted'), ('public', 'behalf_public')) as wanted (kind, polname) on wanted.kind = o.kind
   where not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = wanted.polname) order by 1`,

  // Permissive policies are joined with "or": any that does not ask who is calling undoes the others.
  `select format('Policy %I on %I.%I is true for every caller: drop it, or make it depend on behalf.sub() or behalf.tenant().',
     p.polname, n.nspname, c.relname) as violation
   from ${relations} ${ownership} join pg_policy p on p.polrelid = c.oid and p.polpermissive
   where not (o.kind is not distinct from 'public' and p.polname = 'behalf_public' and p.polcmd = 'r')
     and (pg_get_expr(p.polqual, p.polrelid) ${isTrue} or pg_get_expr(p.polwithcheck, p.polrelid) ${isTrue}) order by 1`,

  `select format('Policy %I on %I.%I was not made by the behalf library: exempt the table if that is meant.',
     p.polname, n.nspname, c.relname) as violation
   from ${relations} join pg_policy p on p.polrelid = c.oid and p.polpermissive
   where p.polname not like 'behalf\\_%' order by 1`,

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
   from given join pg_namespace n on n.nspname = given.schema join pg_proc f on f.pronamespace = n.oid
   where f.prosecdef and not f.proname = any (given.allow) order by 1`,

  `select format('Table %I.%I is granted to PUBLIC (%s): revoke that.', n.nspname, c.relname,
     string_agg(lower(a.privilege_type), ', ' order by a.privilege_type)) as violation
   from ${relations} cross join aclexplode(c.relacl) a where a.grantee = 0 group by n.nspname, c.relname order by 1`,

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
   and has_schema_privilege(given.role, n.oid, 'usage') order by 1`,

  // Neither obeys row-level security: TRUNCATE empties a table, REFERENCES tells which keys exist, TRIGGER runs code.
  `select format('Role %I may %s %I.%I, which row-level security does not cover: revoke that.', given.role, lower(p.name),
     n.nspname, c.relname) as violation
   from ${relations} cross join unnest(array['TRUNCATE', 'REFERENCES', 'TRIGGER']) as p (name)
   where c.relkind in ('r', 'p', 'f', 'v') and has_table_privilege(given.role, c.oid, p.name) order by 1`,
]
