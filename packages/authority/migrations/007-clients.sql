-- A client that shows a user's token itself acts under a delegation without a handle: nobody but the bearer of such a token
-- can use it. There is one for each user, client and agent, until it is ended.
alter table delegation alter column handle_hash drop not null;
create unique index delegation_of_client on delegation (issuer, subject, client, agent)
  where handle_hash is null and revoked_at is null;

-- Whether the user, or an operator, has ended what a client was given after it was given: by when the user signed in, or,
-- where the issuer does not say, by when the token was issued. A token that is only renewed brings a client back not. Issuers' clocks
-- may be 5 seconds ahead, as in 006.
create function client_was_ended(issuer text, subject text, client text, agent text, since bigint) returns boolean
  language sql stable
  begin atomic
    select exists (
      select from delegation d
      where d.subject = client_was_ended.subject and d.issuer = client_was_ended.issuer
      and d.client = client_was_ended.client and d.agent = client_was_ended.agent and d.handle_hash is null
      and coalesce(d.revocation_reason, 'USER') in ('USER', 'OPERATOR')
      and d.revoked_at + interval '5 seconds' >= to_timestamp(client_was_ended.since)
    );
  end;
revoke execute on function client_was_ended(text, text, text, text, bigint) from public;
grant execute on function client_was_ended(text, text, text, text, bigint) to gateway;
