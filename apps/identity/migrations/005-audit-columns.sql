-- Without the details, in which is what others were told.
select behalf.show_audit_to('identity');
