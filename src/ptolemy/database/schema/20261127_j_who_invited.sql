-- Who invited: an admin's open invitations end when they are none any more. Null where nobody is remembered.
alter table invitations add column invited_by uuid;
