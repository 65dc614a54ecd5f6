-- A run that waits for its user: nothing holds it, and none of its time counts.
alter table run add column waiting_since timestamptz(3);
alter table run drop constraint run_status_check;
alter table run add constraint run_status_check check (
  status in ('QUEUED', 'RUNNING', 'AWAITING_APPROVAL', 'COMPLETED', 'INCOMPLETE', 'FAILED', 'CANCELLED'));
alter table run drop constraint run_check;
alter table run add constraint run_check check (
  (finished_at is null) = (status in ('QUEUED', 'RUNNING', 'AWAITING_APPROVAL')));
alter table run add check ((status = 'AWAITING_APPROVAL') = (waiting_since is not null));
drop index run_active;
create unique index run_active on run (conversation_id) where status in ('QUEUED', 'RUNNING', 'AWAITING_APPROVAL');

alter table tool_call drop constraint tool_call_status_check;
alter table tool_call add constraint tool_call_status_check check (
  status in ('PROPOSED', 'AWAITING_APPROVAL', 'RUNNING', 'SUCCEEDED', 'FAILED', 'REJECTED', 'NOT_PERMITTED', 'CANCELLED'));
-- What the user is or was asked: an approval of the identity subgraph.
alter table tool_call add column approval_id text;
alter table tool_call add column approval_expires_at timestamptz(3);
alter table tool_call add check ((approval_id is null) = (approval_expires_at is null));

alter table run_event drop constraint run_event_kind_check;
alter table run_event add constraint run_event_kind_check check (kind in ('TOOL_CALL', 'APPROVAL', 'ENDED'));
alter table run_event drop constraint run_event_check;
alter table run_event add check ((kind = 'ENDED') = (tool_call_id is null));
alter table run_event add check ((kind = 'TOOL_CALL') = (status is not null));

-- Up to where decisions of users were heard, by whichever process; one row, with a number and nothing else in it.
create table orchestrator_queue.decisions (single boolean primary key default true check (single), heard bigint not null);
insert into orchestrator_queue.decisions (heard) values (0);
alter table orchestrator_queue.decisions enable row level security;
create policy orchestrator on orchestrator_queue.decisions to orchestrator using (true) with check (true);
grant select, update on orchestrator_queue.decisions to orchestrator;
