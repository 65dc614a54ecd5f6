-- Patients see here what they let agents do and end it, and what agents ask them for and decide. The rows are the gateway's.
select authority.show_to('practice');
select authority.show_approvals_to('practice');
