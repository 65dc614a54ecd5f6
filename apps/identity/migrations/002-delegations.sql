-- Users see here what they let agents do, and end it. The rows are the gateway's; it says which, and what of them.
select authority.show_to('identity');
