create table accounts (
  id text primary key check (id ~ '^acc_[0-9A-Za-z]{4,22}$'),
  user_id text not null unique,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  balance numeric(20, 2) not null check (balance >= 0)
);

-- Times are kept in milliseconds, as the graph shows them, so that a cursor names a position exactly. Entries of one
-- moment are in the order of their ids, which is the same under every locale: balance_after runs along it.
create table entries (
  id text collate "C" primary key check (id ~ '^ent_[0-9A-Za-z]{4,22}$'),
  account_id text not null references accounts (id),
  amount numeric(20, 2) not null check (amount <> 0),
  balance_after numeric(20, 2) not null check (balance_after >= 0),
  kind text not null check (kind in ('DEPOSIT', 'WITHDRAWAL', 'PAYMENT', 'REFUND', 'TRANSFER')),
  description text not null,
  counterparty text check (counterparty <> ''),
  -- The same on both sides of a transfer.
  transfer text check (transfer ~ '^trf_[0-9A-Za-z]{4,22}$'),
  booked_at timestamptz(3) not null,
  check ((kind = 'TRANSFER') = (transfer is not null)),
  unique (transfer, account_id)
);
create index entries_newest_first on entries (account_id, booked_at desc, id desc);

create table payees (
  id text primary key check (id ~ '^pay_[0-9A-Za-z]{4,22}$'),
  user_id text not null,
  name text not null check (name <> ''),
  account_id text not null references accounts (id),
  unique (user_id, account_id)
);
create index payees_by_name on payees (user_id, name, id);

select behalf.own('accounts', 'user_id');
select behalf.owned('entries', 'account_id', 'accounts');
select behalf.own('payees', 'user_id');

-- Nothing here changes through this app. What may, a later migration grants, column by column.
revoke insert, update, delete on accounts, entries, payees from balance;
