-- Tokens by day (UTC), of a user, and of all of a tenant where the subject is empty. Beside the queue, not among what
-- belongs to users: a tenant's sum is nobody's own, and whoever could change theirs would have no limit.
create table orchestrator_queue.token_usage (
  tenant text not null,
  subject text not null,
  day date not null,
  tokens bigint not null check (tokens >= 0),
  primary key (tenant, subject, day)
);
alter table orchestrator_queue.token_usage enable row level security;
create policy orchestrator on orchestrator_queue.token_usage to orchestrator using (true) with check (true);
grant select, insert, update on orchestrator_queue.token_usage to orchestrator;
