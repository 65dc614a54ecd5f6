-- Users see here what agents ask them for, and decide. The rows are the gateway's, which alone can use them.
select authority.show_approvals_to('identity');
