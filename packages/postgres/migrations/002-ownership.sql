-- Whose rows a table holds. Written by the functions below, read by them and by the catalogue check.
create table behalf.ownership (
  relation regclass primary key,
  kind text not null check (kind in ('own', 'owned', 'public')),
  -- own: the columns that name the owner and, where there is one, the tenant
  owner_column name,
  tenant_column name,
  -- owned: the column that refers to the parent, and the parent's key
  through_column name,
  parent regclass,
  parent_key name,
  -- as they were made, by name
  policies jsonb not null default '{}',
  check ((kind = 'own') = (owner_column is not null)),
  check ((kind = 'owned') = (through_column is not null and parent is not null and parent_key is not null))
);

-- A condition that is true for rows of "relation", known as "alias", that are the caller's own.
create function behalf.own_condition(relation regclass, alias text) returns text
  language plpgsql stable set search_path = pg_catalog as $$
declare
  entry behalf.ownership;
  inner_alias text := case when alias like 'behalf\_parent%' then alias || '_' else 'behalf_parent' end;
begin
  select * into entry from behalf.ownership o where o.relation = own_condition.relation;
  if entry.kind = 'own' then
    return format('%s.%I = (select behalf.sub())', alias, entry.owner_column)
      || case when entry.tenant_column is null then ''
         else format(' and %s.%I = (select behalf.tenant())', alias, entry.tenant_column) end;
  elsif entry.kind = 'owned' then
    return format('exists (select from %s %s where %s.%I = %s.%I and %s)', entry.parent, inner_alias, inner_alias,
      entry.parent_key, alias, entry.through_column, behalf.own_condition(entry.parent, inner_alias));
  end if;
  raise exception '% has no owner: call behalf.own() or behalf.owned() for it first', relation;
end $$;

-- The policies of a table, each with a text that differs as soon as the policy does.
create function behalf.policies_of(relation regclass) returns table (name name, permissive boolean, definition text)
  language sql stable set search_path = pg_catalog
  begin atomic
    select polname, polpermissive, concat_ws(' / ', polcmd, polroles::regrole[],
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    from pg_policy where polrelid = policies_of.relation;
  end;

create function behalf.remember_policies(relation regclass) returns void
  language sql set search_path = pg_catalog
  begin atomic
    update behalf.ownership o
    set policies = (select jsonb_object_agg(p.name, p.definition) from behalf.policies_of(o.relation) p where p.name like 'behalf\_%')
    where o.relation = remember_policies.relation;
  end;

-- Whether a column is a foreign key to exactly that key: then it names one row, and one that exists.
create function behalf.refers(relation regclass, through name, parent regclass, parent_key name) returns boolean
  language sql stable set search_path = pg_catalog
  begin atomic
    select exists (
      select from pg_constraint k
      join pg_attribute a on a.attrelid = k.conrelid and k.conkey = array[a.attnum]
      join pg_attribute b on b.attrelid = k.confrelid and k.confkey = array[b.attnum]
      where k.contype = 'f' and k.convalidated and k.conrelid = refers.relation and k.confrelid = refers.parent
      and a.attname = refers.through and b.attname = refers.parent_key
    );
  end;

-- Row-level security that holds for the table's owner too, with none of our earlier policies left.
create function behalf.force_security(relation regclass) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  policy name;
begin
  execute format('alter table %s enable row level security', relation);
  execute format('alter table %s force row level security', relation);
  for policy in select polname from pg_policy where polrelid = relation and polname like 'behalf\_%' loop
    execute format('drop policy %I on %s', policy, relation);
  end loop;
end $$;

create function behalf.require_text(relation regclass, column_name name) returns void
  language plpgsql stable set search_path = pg_catalog as $$
declare
  found_type regtype;
begin
  select atttypid into found_type from pg_attribute
    where attrelid = relation and attname = column_name and attnum > 0 and not attisdropped;
  if found_type is null then
    raise exception '% has no column "%"', relation, column_name;
  elsif found_type not in ('text'::regtype, 'varchar'::regtype) then
    raise exception '%.% is of type %: a column that names a subject or a tenant is text', relation, column_name, found_type;
  end if;
end $$;

create function behalf.require_index(relation regclass, column_name name) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  if not exists (
    select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = relation and a.attname = column_name and i.indpred is null and i.indisvalid
  ) then
    execute format('create index on %s (%I)', relation, column_name);
  end if;
end $$;

-- Every row belongs to the subject in owner_column (and to the tenant in that column, if one is named). With
-- "unless", a human who holds that scope sees, but never changes, other rows of the same tenant.
create function behalf.own(relation regclass, owner_column name, tenant name default null, unless text default null)
  returns void language plpgsql set search_path = pg_catalog as $$
begin
  perform behalf.require_text(relation, owner_column);
  if tenant is not null then
    perform behalf.require_text(relation, tenant);
  end if;
  if unless is not null and tenant is null then
    raise exception 'behalf.own(%): "unless" shows rows of the caller''s tenant, so name the tenant''s column', relation;
  end if;
  if unless !~ '^[\x21\x23-\x5b\x5d-\x7e]+$' then
    raise exception 'behalf.own(%): "%" is not one scope', relation, unless;
  end if;

  perform behalf.force_security(relation);
  delete from behalf.ownership o where o.relation = own.relation;
  insert into behalf.ownership (relation, kind, owner_column, tenant_column)
    values (own.relation, 'own', own.owner_column, own.tenant);
  execute format('create policy behalf_own on %s using (%s) with check (%2$s)',
    relation, behalf.own_condition(relation, (select quote_ident(relname) from pg_class where oid = relation)));
  if unless is not null then
    execute format('create policy behalf_unless on %s for select
      using ((select behalf.human_holds(%L)) and %I = (select behalf.tenant()))', relation, unless, tenant);
    perform behalf.require_index(relation, tenant);
  end if;
  perform behalf.require_index(relation, owner_column);
  perform behalf.remember_policies(relation);
end $$;

-- Every row belongs to whom the row of "parent" belongs that its "through" column refers to. It is seen by whoever
-- sees the parent (whose own policies apply inside this one) and changed only by the parent's owner.
create function behalf.owned(relation regclass, through name, parent regclass, parent_key name default 'id')
  returns void language plpgsql set search_path = pg_catalog as $$
declare
  alias text := (select quote_ident(relname) from pg_class where oid = relation);
  condition text;
begin
  perform behalf.force_security(relation);
  delete from behalf.ownership o where o.relation = owned.relation;
  insert into behalf.ownership (relation, kind, through_column, parent, parent_key)
    values (owned.relation, 'owned', owned.through, owned.parent, owned.parent_key);
  condition := behalf.own_condition(relation, alias);
  -- Else whoever makes a second parent of the same key, or one that is missing, owns another's rows.
  if not behalf.refers(relation, through, parent, parent_key) then
    raise exception '%.% is no foreign key to % (%): a row has one parent, and one that exists', relation, through, parent, parent_key;
  end if;
  execute format('create policy behalf_seen on %s for select
    using (exists (select from %s behalf_parent where behalf_parent.%I = %s.%I))', relation, parent, parent_key, alias, through);
  execute format('create policy behalf_inserted on %s for insert with check (%s)', relation, condition);
  execute format('create policy behalf_updated on %s for update using (%s) with check (%2$s)', relation, condition);
  execute format('create policy behalf_deleted on %s for delete using (%s)', relation, condition);
  perform behalf.require_index(relation, through);
  perform behalf.remember_policies(relation);
end $$;

-- Rows that belong to nobody: everyone may read them, and no role of an app may change them.
create function behalf.public(relation regclass) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  perform behalf.force_security(relation);
  delete from behalf.ownership o where o.relation = public.relation;
  insert into behalf.ownership (relation, kind) values (public.relation, 'public');
  execute format('create policy behalf_public on %s for select using (true)', relation);
  perform behalf.remember_policies(relation);
end $$;
