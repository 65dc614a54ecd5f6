-- What happened in a run, in the order in which it did: each is written in the transaction that made it so.
alter table run add column last_seq integer not null default 0;

create table run_event (
  run_id text not null,
  -- Counted by run.last_seq, whose row is locked: none becomes visible before an earlier one.
  seq integer not null check (seq > 0),
  user_id text not null default behalf.sub(),
  kind text not null check (kind in ('TOOL_CALL', 'ENDED')),
  tool_call_id text,
  -- Of the tool call, then.
  status text,
  primary key (run_id, seq),
  foreign key (run_id, user_id) references run (id, user_id) on delete cascade,
  check ((kind = 'TOOL_CALL') = (tool_call_id is not null and status is not null))
);

select behalf.own('run_event', 'user_id');
