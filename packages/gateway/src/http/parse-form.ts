/** The parameters of a form; null where one is there more than once (RFC 6749 3.2). */
export function parseForm(body: Uint8Array): Readonly<Record<string, string>> | null {
  const entries = [...new URLSearchParams(Buffer.from(body).toString())]
  const form = Object.fromEntries(entries)
  return Object.keys(form).length === entries.length ? form : null
}
