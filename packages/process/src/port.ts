import { z } from 'zod'

/** Schema of a variable with a TCP port: 0, which takes any free one, to 65535. */
export const port = (fallback: number) =>
  z
    .string()
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, {
      error: 'not a port number',
      abort: true,
    })
    .transform(Number)
    .default(fallback)
