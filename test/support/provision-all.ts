import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { authoritySchema } from '@behalf/authority'
import { findApps } from '@behalf/composition'
import { provision } from '@behalf/postgres'

/**
 * Makes a role and a schema for each app of a repository, and for the authority, and migrates them.
 *
 * @param root - of the repository
 * @returns the URL of a role, by the name of its app
 */
export async function provisionAll(root: string, adminUrl: string): Promise<(role: string) => string> {
  const urls = new Map<string, string>()
  const apps = findApps(root).map(({ name, directory }) => ({
    name,
    schema: name,
    migrations: join(directory, 'migrations'),
  }))
  for (const part of [authoritySchema, ...apps]) {
    const url = new URL(adminUrl)
    Object.assign(url, { username: part.name, password: randomBytes(24).toString('hex') })
    await provision({ adminUrl, ...part, password: url.password })
    urls.set(part.name, url.href)
  }
  return (role) => urls.get(role) ?? ''
}
