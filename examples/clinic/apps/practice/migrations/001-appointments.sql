create table patients (
  id text primary key check (id ~ '^usr_[0-9A-Za-z]{2,22}$'),
  practice text not null,
  name text not null
);

create table appointments (
  id uuid primary key default gen_random_uuid(),
  patient text not null default behalf.sub(),
  practice text not null default behalf.tenant(),
  at timestamptz(3) not null,
  reason text not null check (length(reason) between 1 and 200)
);
create index appointments_next_first on appointments (patient, at, id);

-- Whose rows these are, whatever a query says. A practice is a tenant: its doctors, and no agent of theirs, see those of all
-- its patients; of another practice nobody sees anything.
select behalf.own('patients', 'id', tenant => 'practice', unless => 'records:read');
select behalf.own('appointments', 'patient', tenant => 'practice', unless => 'records:read');

-- Who is a patient, this app only reads.
revoke insert, update, delete on patients from practice;
