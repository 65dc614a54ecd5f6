-- Issuers' clocks may be up to 5 seconds ahead of this one: what was issued just before a revocation may say that it was
-- issued after it. Clocks that are behind end nothing too few.
alter table revocation alter column not_before set default clock_timestamp() + interval '5 seconds';
