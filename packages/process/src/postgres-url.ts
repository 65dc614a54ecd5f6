import { z } from 'zod'

/** Schema of `DATABASE_URL`. */
export const postgresUrl = z.string().pipe(z.url({ protocol: /^postgres(ql)?$/, error: 'not a postgres:// URL' }))
