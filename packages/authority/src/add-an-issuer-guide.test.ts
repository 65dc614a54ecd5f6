import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, it } from 'vitest'
import { openTrust } from './fixtures.ts'

it('docs/guides/add-an-issuer.md says who a user of an issuer is, as the administrator and nobody else', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/guides/add-an-issuer.md'), 'utf8')
  const [, statement = ''] = /```sql\n(.*?)```/s.exec(page) ?? []
  const trust = await openTrust()
  try {
    const known = (issuer: string) => trust.authority.resolveSubject({ issuer, subject: 'ada@acme' })
    const ofGateway = new pg.Client(trust.url)
    await ofGateway.connect()
    await expect(ofGateway.query(statement)).rejects.toMatchObject({ code: '42501' })
    await ofGateway.end()
    expect(await known('https://login.acme.example')).toBeNull()
    await trust.admin.query(statement)
    const ada = { subject: 'usr_ada', tenant: 'acme', facts: { tier: 'premium' } }
    expect(await known('https://login.acme.example')).toEqual(ada)
    expect(await known('https://id.partner.example/realms/main')).toBeNull()
  } finally {
    await trust.close()
  }
})
