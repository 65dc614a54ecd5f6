-- First in each transaction that writes for a run: what follows it, in the same round trip, is not run where somebody else
-- holds the run by now, or it is over. Its row stays locked, so that it is still held when that is durable.
create function hold_run(of_run text, of_holder integer) returns void
  language plpgsql as $$
begin
  perform from run where id = of_run and status = 'RUNNING' and holder = of_holder for update;
  if not found then
    raise exception 'The run is held by somebody else, or over.' using errcode = 'BH001';
  end if;
end $$;
