-- Why the customer called it off, in their words.
alter table orders add column cancellation_reason text check (cancellation_reason <> '' and length(cancellation_reason) <= 200),
  add check (cancellation_reason is null or status = 'CANCELLED');

-- A customer can call off what is theirs and not yet with a carrier; the mutation sees to the latter.
grant update (status, cancellation_reason) on orders to orders;
