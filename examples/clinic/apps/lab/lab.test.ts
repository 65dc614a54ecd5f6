import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { lab } from './subgraph.ts'

attackSubgraph<Database>(lab, {
  mine: 'ines',
  theirs: 'omar',
  migrations: new URL('./migrations', import.meta.url),
  async prepare({ admin }, { name, subject, tenant }) {
    await admin
      .insertInto('results')
      .values({
        id: `res_${name}`,
        patient: subject,
        practice: tenant,
        taken_at: new Date(0),
        test: `of ${name}`,
        value: '5.10',
        unit: '%',
      })
      .execute()
  },
})
