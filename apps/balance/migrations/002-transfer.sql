-- Whose account a payee's is: for transfer_to_payee() alone. The app's role cannot read it.
alter table payees add column holder text;
create function fill_holder() returns trigger
  language plpgsql set search_path = pg_catalog as $$
begin
  select user_id into strict new.holder from balance.accounts where id = new.account_id;
  return new;
end $$;
create trigger fill_holder before insert or update of account_id on payees for each row execute function fill_holder();
-- The owner may be held by row-level security, too: it is put back before anybody sees it lifted.
alter table payees no force row level security;
alter table accounts no force row level security;
update payees p set holder = a.user_id from accounts a where a.id = p.account_id;
alter table payees force row level security;
alter table accounts force row level security;
alter table payees alter column holder set not null;
revoke select on payees from balance;
grant select (id, user_id, name, account_id) on payees to balance;

create table transfers (
  id text primary key check (id ~ '^trf_[0-9A-Za-z]{4,22}$'),
  user_id text not null,
  idempotency_key text not null check (idempotency_key <> ''),
  payee_id text not null references payees (id),
  amount numeric(20, 2) not null check (amount > 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  -- of the payer's account
  balance_after numeric(20, 2) not null check (balance_after >= 0),
  booked_at timestamptz(3) not null,
  unique (user_id, idempotency_key)
);
select behalf.own('transfers', 'user_id');
revoke insert, update, delete on transfers from balance;

-- The one way in which this app moves money, and the one function with its owner's rights: the app's role can change no
-- account and no entry by itself. It takes from the account of the caller only, gives to the account of one of the
-- caller's own payees only, the same amount, and answers of the other side nothing but the payee's id. Each row is
-- touched as whom it belongs to, so that it works where its owner is held by row-level security, and where not.
-- What fails undoes the change of caller, too: a setting made locally is part of the (sub)transaction.
create function transfer_to_payee(payee text, amount numeric, key text) returns transfers
  language plpgsql security definer set search_path = pg_catalog as $$
declare
  payer constant text := behalf.sub();
  chosen balance.payees;
  source balance.accounts;
  target balance.accounts;
  made balance.transfers;
  moment timestamptz(3);
  payer_name text;
begin
  if payer is null then
    raise insufficient_privilege using message = 'Nobody transfers nothing.';
  end if;
  if amount is null or amount <= 0 or amount <> round(amount, 2) then
    raise invalid_parameter_value using message = 'An amount is positive, in whole cents.';
  end if;
  select * into made from balance.transfers t where t.user_id = payer and t.idempotency_key = key;
  if found then
    if made.payee_id <> payee or made.amount <> transfer_to_payee.amount then
      raise exception using errcode = 'BH002', message = 'The key was used for another transfer.';
    end if;
    return made;
  end if;
  select * into chosen from balance.payees p where p.id = payee and p.user_id = payer;
  select * into source from balance.accounts a where a.user_id = payer;
  if chosen.id is null or source.id is null then
    return null;
  end if;

  -- Both accounts are locked, in the order of their ids, before either is read for what it holds.
  if source.id < chosen.account_id then
    select * into source from balance.accounts a where a.id = source.id for update;
  end if;
  perform set_config('behalf.sub', chosen.holder, true);
  select * into strict target from balance.accounts a where a.id = chosen.account_id and a.user_id = chosen.holder for update;
  perform set_config('behalf.sub', payer, true);
  select * into strict source from balance.accounts a where a.id = source.id for update;
  if source.id = target.id or source.currency <> target.currency then
    raise invalid_parameter_value using message = 'This payee cannot be paid from this account.';
  end if;
  if source.balance < amount then
    raise exception using errcode = 'BH001', message = 'There is not enough money in the account.';
  end if;

  -- Later than whatever either account has, so that what it held runs along its entries.
  select greatest(date_trunc('milliseconds', clock_timestamp()), max(e.booked_at) + interval '1 millisecond') into moment
    from balance.entries e where e.account_id = source.id;
  perform set_config('behalf.sub', chosen.holder, true);
  select greatest(moment, max(e.booked_at) + interval '1 millisecond') into moment
    from balance.entries e where e.account_id = target.id;
  perform set_config('behalf.sub', payer, true);

  insert into balance.transfers
    values ('trf_' || left(replace(gen_random_uuid()::text, '-', ''), 22), payer, key, payee, amount, source.currency,
      source.balance - amount, moment) returning * into made;
  update balance.accounts a set balance = a.balance - transfer_to_payee.amount where a.id = source.id;
  insert into balance.entries
    values ('ent_' || left(replace(gen_random_uuid()::text, '-', ''), 22), source.id, -amount, source.balance - amount,
      'TRANSFER', 'Transfer', chosen.name, made.id, moment);

  -- The other side sees who it is by the name that they themselves gave them, if they did.
  perform set_config('behalf.sub', chosen.holder, true);
  select p.name into payer_name from balance.payees p where p.user_id = chosen.holder and p.account_id = source.id;
  update balance.accounts a set balance = a.balance + transfer_to_payee.amount where a.id = target.id;
  insert into balance.entries
    values ('ent_' || left(replace(gen_random_uuid()::text, '-', ''), 22), target.id, amount, target.balance + amount,
      'TRANSFER', 'Transfer', payer_name, made.id, moment);
  perform set_config('behalf.sub', payer, true);
  return made;
end $$;
revoke execute on function fill_holder(), transfer_to_payee(text, numeric, text) from public;
grant execute on function transfer_to_payee(text, numeric, text) to balance;
