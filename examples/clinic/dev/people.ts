import pg from 'pg'

/** Two practices. The sign-in of dev/provider.ts takes any of these names. */
export const people = [
  { name: 'ines', practice: 'northside', isDoctor: false },
  { name: 'omar', practice: 'northside', isDoctor: false },
  { name: 'vera', practice: 'northside', isDoctor: true },
  { name: 'tom', practice: 'harbour', isDoctor: false },
] as const

const patientScopes = [
  'appointments:read',
  'appointments:write',
  'results:read',
  'approvals:decide',
  'delegations:manage',
]

/** All that somebody may ask for. */
export const scopesOf = ({ isDoctor }: (typeof people)[number]) =>
  isDoctor ? [...patientScopes, 'records:read'] : patientScopes

/** Says who the provider's users are for us, and gives each patient a laboratory result. May be run again. */
export async function seed(adminUrl: string, issuer: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    for (const { name, practice, isDoctor } of people) {
      const id = `usr_${name}`
      await client.query(
        `insert into authority.subject (issuer, sub, subject, tenant) values ($1, $2, $3, $4) on conflict do nothing`,
        [issuer, name, id, practice],
      )
      await client.query(
        `insert into practice.patients (id, practice, name) values ($1, $2, $3) on conflict do nothing`,
        [id, practice, name],
      )
      if (!isDoctor)
        await client.query(
          `insert into lab.results (id, patient, practice, taken_at, test, value, unit)
           values ($1, $2, $3, '2026-01-12 08:30Z', 'HbA1c', 5.10 + length($1) / 10.0, '%') on conflict do nothing`,
          [`res_${name}`, id, practice],
        )
    }
  } finally {
    await client.end()
  }
}
