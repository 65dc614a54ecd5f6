create table results (
  id text primary key,
  patient text not null,
  practice text not null,
  taken_at timestamptz(3) not null,
  test text not null,
  value numeric(10, 2) not null,
  unit text not null
);
create index results_newest_first on results (patient, taken_at desc, id desc);

select behalf.own('results', 'patient', tenant => 'practice', unless => 'records:read');

-- They come from the laboratory, not from here.
revoke insert, update, delete on results from lab;
